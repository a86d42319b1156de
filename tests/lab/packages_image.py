"""The image of `make dist` under Debian's containerd, led by docs/install.md: too long for CI, so `make lab-packages`."""

from __future__ import annotations

import pytest

from tests import dist
from tests.pages import command_blocks

from .node import FULL, IPAM, Node
from .packages_deb import PAGE, PLUGIN, attach, follow, machine, release
from .vm import Vm

__all__ = ["machine", "release"]  # fixtures
pytestmark = [pytest.mark.lab, pytest.mark.bundle, pytest.mark.root]


def test_the_image_installs_under_containerd_and_removes(machine: Vm) -> None:
    """What it has put there gives a container its VF."""
    node = Node(machine)
    node.create_vfs(7)
    before = node.card()
    machine.run("containerd > /var/log/containerd.log 2>&1 &")
    machine.run("until ctr version > /dev/null 2>&1; do sleep 0.1; done", timeout=90)
    run, remove = command_blocks("runs: lab packages image")[PAGE]

    follow(machine, run)
    assert machine.run("readlink /opt/cni/bin/sriov").stdout.startswith(".cni-sriov/")
    assert machine.run("ctr task ls | grep -c RUNNING").stdout == "1\n", "it waits"
    told = machine.run("/opt/cni/bin/.cni-sriov/current/sriovctl --version").stdout
    assert told.startswith(f"sriovctl {dist.VERSION} (commit ")
    attach(node, "c4", FULL)
    assert node.cni("DEL", FULL | {"ipam": IPAM}, "c4", plugin=PLUGIN).code == 0
    assert node.changed(before) == []

    follow(machine, remove)
    assert machine.run("ls -A /opt/cni/bin").stdout == ""
    machine.run("kill $(pidof containerd)")
