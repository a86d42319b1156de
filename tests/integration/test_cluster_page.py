"""docs/cluster.md as a newcomer follows it: Debian's etcd on loopback, the two files, an ADD, `sriovctl pool`.

In the rig, with an /etc and an /opt of its own and the bundle in /opt/cni/bin. The PF of the page is the rig's.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests import oneetcd
from tests.integration.rig import PF, Rig
from tests.pages import command_blocks, script, wrong

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.root, pytest.mark.bundle]
PAGES = command_blocks("runs: etcd")
PF_OF_THE_PAGE = "enp1s0f0"
PATH = f"PATH={oneetcd.BIN}:/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Rig]:
    with Rig(vfs=2) as rig:
        oneetcd.own_etc(rig)
        with oneetcd.running(rig, tmp_path):
            yield rig


@pytest.mark.parametrize("page", PAGES)
def test_the_page_does_what_it_says(page: str, node: Rig) -> None:
    found = []
    for block in PAGES[page]:
        text = script(block).replace(PF_OF_THE_PAGE, PF)
        done = node.inside(subprocess.run, ["env", PATH, "sh", "-c", text], capture_output=True, text=True)
        found += [f"{line}\n{done.stderr}" for line in wrong(block, done.stdout)]
    assert found == []
    assert node.leftovers() == []
