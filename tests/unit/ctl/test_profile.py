"""sriovctl profile: how a call is split up, which plugin of a file is asked, and that every ADD gets its DEL.

With a real netns and the bundle: tests/integration/test_profile.py.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.ctl import profile
from cni_sriov.words.errors import BadConfig, BadEnvironment, CniError
from tests.unit.ctl.told import SAID
from tests.unit.ctl.tool import sriovctl
from tests.world import World

CONF = {"type": "sriov", "master": "enp1s0f0"}


def test_a_conf_is_asked_as_the_runtime_hands_it_over() -> None:
    alone = CONF | {"name": "net", "cniVersion": "1.0.0"}
    chain = {"name": "net", "cniVersion": "1.0.0", "plugins": [{"type": "tuning"}, CONF, {"type": "sbr"}]}

    assert profile.conf_of(alone, "f") == alone
    assert profile.conf_of(chain, "f") == alone


@pytest.mark.parametrize(
    "document", [{}, {"type": "bridge"}, {"plugins": []}, {"plugins": [{"type": "ptp"}]}]
)
def test_without_a_plugin_of_type_sriov_there_is_nothing_to_profile(document: dict[str, Any]) -> None:
    with pytest.raises(BadConfig, match="profile FILE: it has no plugin of type sriov"):
        profile.conf_of(document, "FILE")


class Script:
    """Notes its verbs in a file; fails those that it is told to."""

    def __init__(self, directory: Path, *, fails: str = "", tells: bool = True) -> None:
        self.path = directory / "sriov"
        self._log = directory / "verbs"
        lines = ["#!/bin/sh", f'echo "$CNI_COMMAND $CNI_NETNS" >> {self._log}']
        for verb in fails.split():
            error = json.dumps({"code": 11, "msg": f"{verb} is refused", "details": "no reason"})
            lines.append(f"[ $CNI_COMMAND = {verb} ] && echo '{error}' && exit 1")
        if tells:
            lines.append(f"echo '{json.dumps(SAID)}' >&2")
        self.path.write_text("\n".join([*lines, "exit 0\n"]))
        self.path.chmod(0o755)

    @property
    def verbs(self) -> list[str]:
        return self._log.read_text().split()[0::2]

    def attachment(self) -> profile.Attachment:
        return profile.Attachment(str(self.path), CONF, "/proc/1/ns/net")


def test_an_add_is_followed_by_its_del(tmp_path: Path) -> None:
    script = Script(tmp_path)
    attachment = script.attachment()

    with attachment:
        added = attachment.call("ADD")

    assert script.verbs == ["ADD", "DEL"]
    assert (added.parts["kernel"], attachment.deleted.parts["kernel"]) == (20, 20)


def test_a_failing_add_is_told_in_the_plugins_words_after_its_del(tmp_path: Path) -> None:
    script = Script(tmp_path, fails="ADD")
    attachment = script.attachment()

    with pytest.raises(CniError) as caught, attachment:
        attachment.call("ADD")

    assert (caught.value.code, caught.value.msg, caught.value.details) == (11, "ADD is refused", "no reason")
    assert script.verbs == ["ADD", "DEL"]


def test_a_failing_del_is_told_beside_the_add(tmp_path: Path) -> None:
    attachment = Script(tmp_path, fails="ADD DEL").attachment()

    with pytest.raises(CniError) as caught, attachment:
        attachment.call("ADD")

    assert caught.value.msg == "ADD is refused"
    assert caught.value.details == "no reason; and its DEL failed: DEL is refused"


def test_a_plugin_that_tells_no_times_is_refused_and_gets_its_del(tmp_path: Path) -> None:
    script = Script(tmp_path, tells=False)

    with pytest.raises(BadEnvironment, match="it told no times"), script.attachment() as attachment:
        attachment.call("ADD")

    assert script.verbs == ["ADD", "DEL"]


def test_a_plugin_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(BadEnvironment, match="nowhere: No such file"),
        profile.Attachment(str(tmp_path / "nowhere"), CONF, "") as attachment,
    ):
        attachment.call("ADD")


def test_what_is_no_cni_error_is_quoted(tmp_path: Path) -> None:
    path = tmp_path / "sriov"
    path.write_text("#!/bin/sh\necho panic\nexit 3\n")
    path.chmod(0o755)

    with pytest.raises(CniError, match='ended with status 3 and said "panic'):
        profile.Attachment(str(path), CONF, "").call("ADD")


def test_a_stop_signal_is_noted_and_the_former_handler_comes_back() -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    try:
        with profile.Stops() as stops:
            assert not stops.seen
            os.kill(os.getpid(), signal.SIGTERM)
        noted = (stops.seen, list(came))
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)

    assert noted == (True, [])
    assert came == [signal.SIGTERM]


@pytest.mark.parametrize("runs", ["0", "-1", "x", "1.5"])
def test_runs_are_a_number_from_1(world: World, runs: str) -> None:
    found = sriovctl(world, "profile", "conf", "--runs", runs)

    assert (found.status, found.out) == (2, "")
    assert f'"{runs}" is no number of runs' in found.err or "expected one argument" in found.err
