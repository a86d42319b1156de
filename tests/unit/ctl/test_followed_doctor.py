"""The doctor's scripts, followed as they stand: the state is made, the finding told, its script run, and the finding is gone.

What a script leaves to hands ("# ...") the test does. Other rules: tests/unit/test_remedies.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from errno import EIO

import pytest

from cni_sriov.words.errors import KernelRefused
from tests import podman
from tests.unit.ctl.doctor.tree import Tree
from tests.unit.ctl.scripts import findings, follow
from tests.unit.ctl.tool import attach, sriovctl
from tests.unit.one_port import link_of
from tests.world import World

PF, VF, POD = "0000:01:00.0", "0000:01:10.0", "/run/netns/pod1"
NET_D, BUNDLE = "/etc/cni/net.d", "/opt/cni-sriov/sriov"
HOST_JSON = "/etc/cni-sriov/host.json"
State = Callable[[World], object]


def say(world: World, path: str, document: object) -> None:
    Tree(world.root).write(path, json.dumps(document))


# attachments and directories ------------------------------------------------------------------------------------------


def dead(world: World) -> None:
    attach(world)
    world.kernel.kill_netns(POD)


def delete(world: World) -> int:
    return world.call("DEL", world.conf(ipam=world.ipam())).code


def changed(world: World) -> None:
    attach(world)
    assert delete(world) == 0
    link_of(world).mtu = 1400


def without_directory(world: World) -> None:
    attach(world)
    world.state_dir.rename(world.root / "away")


def given_up(world: World) -> None:
    """podman's teardown, which is not repeated, could not give the VF back. Then podman removes the netns."""
    asked = {"pf__vfs": "0", "pf__names": "enp1s0f0", "master": "", "vlan": "100"}
    network = podman.create(world, **asked)
    assert podman.call(world, "setup", podman.exec_call(network)).exit_code == 0

    def refuse(*_: object) -> None:
        raise KernelRefused("set VLAN", EIO, "injected")

    world.kernel.before("set_vf_vlan", refuse, always=True)
    assert podman.call(world, "teardown", podman.exec_call(network)).exit_code == 0
    world.kernel.before("set_vf_vlan", lambda *_: None, always=True)


# what this node is to be ----------------------------------------------------------------------------------------------


def pending(world: World) -> None:
    say(world, HOST_JSON, {"pfs": [{"pf": {"names": ["enp1s0f0"]}, "numvfs": 3}]})


# cards and the machine ------------------------------------------------------------------------------------------------


def without_driver(world: World) -> None:
    assert sriovctl(world, "unbind", PF, "--force").status == 0


def for_vpp(world: World) -> None:
    Tree(world.root).write("/etc/vpp/startup.conf", "dpdk {\n  uio-driver vfio-pci\n}\n")
    world.kernel.set_down(world.kernel.pfs[0].link)


def no_iommu(world: World) -> None:
    Tree(world.root).write("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n")


# networks -------------------------------------------------------------------------------------------------------------


def network(world: World, **keys: object) -> None:
    Tree(world.root).write("/etc/containerd/config.toml", "version = 2\n")
    plugin = {"type": "sriov", "master": "enp1s0f0"} | keys
    say(world, f"{NET_D}/10-fast.conflist", {"cniVersion": "1.0.0", "name": "fast", "plugins": [plugin]})


def full_of_dead(world: World) -> None:
    for vf in world.kernel.pfs[0].vfs[1:]:
        vf_link = vf.link
        assert vf_link is not None
        world.kernel.add_upper(vf_link, "bond0")
    network(world)
    dead(world)


@pytest.mark.parametrize(("rule", "state"), [
    ("dead-attachment", dead),
    ("vf-changed", changed),
    ("directory-gone", without_directory),
    ("not-restored", given_up),
    ("host-file-pending", pending),
    ("pf-without-driver", without_driver),
    ("vpp-takes-pf", for_vpp),
    ("no-iommu-mode", no_iommu),
    ("no-free-vf", full_of_dead),
])  # fmt: skip
def test_a_finding_is_gone_when_its_script_was_run(world: World, rule: str, state: State) -> None:
    state(world)
    (finding,) = findings(world, rule)

    follow(world, finding["remedy"])

    assert findings(world, rule) == []
