"""An IPAM plugin that outlives its killed ADD: the DEL that follows waits for it, and then frees what it gave out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import checker
from tests.integration.rig import Rig, call, conf

pytestmark = [pytest.mark.root, pytest.mark.bundle]

ANSWER = {"cniVersion": "1.0.0", "ips": [{"address": "10.1.0.2/24"}]}
IPAM = """#!/bin/sh
cd {home}
echo "$CNI_COMMAND" >> verbs
[ "$CNI_COMMAND" = ADD ] || exit 0
touch began
while [ ! -e go ]; do sleep 0.01; done
echo given >> verbs
echo '{answer}'
"""


def until(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_del_waits_for_it(tmp_path: Path) -> None:
    (tmp_path / "slow").write_text(IPAM.format(home=tmp_path, answer=json.dumps(ANSWER)))
    (tmp_path / "slow").chmod(0o755)
    with Rig(vfs=1) as rig:
        pod = rig.add_pod("pod")
        before = rig.inside(checker.look, [pod])
        asked = conf(ipam={"type": "slow"})
        add, delete = (call(verb, "one", pod, asked) for verb in ("ADD", "DEL"))
        for one in (add, delete):
            one.env["CNI_PATH"] = str(tmp_path)
        adding = rig.start(add)
        until((tmp_path / "began").exists)
        adding.kill()
        adding.communicate()

        deleting = rig.start(delete)
        time.sleep(0.5)
        meanwhile = (tmp_path / "verbs").read_text().split()
        (tmp_path / "go").touch()
        assert meanwhile == ["ADD"], "DEL did not wait"

        assert (deleting.communicate()[0], deleting.returncode) == (b"", 0)
        assert (tmp_path / "verbs").read_text().split() == ["ADD", "given", "DEL"]
        now = rig.inside(checker.look, [pod])
        assert checker.stale(now, {}) + checker.changed(before, now) == []
