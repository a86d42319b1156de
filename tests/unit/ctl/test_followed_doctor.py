"""The doctor's scripts, followed as they stand: the state is made, the finding told, its script run, and the finding is gone.

What a script leaves to hands ("# ...") the test does. Other rules: tests/unit/test_remedies.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from cni_sriov.ctl import profile
from tests.unit import dpdk
from tests.unit.ctl.doctor.tree import Tree
from tests.unit.ctl.following import teardown_that_fails
from tests.unit.ctl.scripts import findings, follow
from tests.unit.ctl.tool import attach, sriovctl
from tests.unit.one_port import link_of, pull_cable
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


def held_by_the_dead(world: World) -> None:
    """The host's file wants a number that cannot be had meanwhile."""
    pending(world)
    dead(world)


def on_uio(world: World) -> None:
    """Bound before the machine was locked down."""
    dpdk.furnish(world)
    assert sriovctl(world, "bind", VF, "uio_pci_generic").status == 0
    Tree(world.root).write("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n")


def with_max_vfs(world: World, option: str = " max_vfs=9") -> None:
    world.kernel.change_numvfs(world.kernel.pfs[0], 0)
    Tree(world.root).write("/etc/modprobe.d/igb.conf", f"options igb debug=1{option}\n")


# networks -------------------------------------------------------------------------------------------------------------


def network(world: World, file: str = "10-fast.conflist", **keys: object) -> None:
    Tree(world.root).write("/etc/containerd/config.toml", "version = 2\n")
    plugin = {"type": "sriov", "master": "enp1s0f0"} | keys
    say(world, f"{NET_D}/{file}", {"cniVersion": "1.0.0", "name": "fast", "plugins": [plugin]})


def full_of_dead(world: World) -> None:
    for vf in world.kernel.pfs[0].vfs[1:]:
        assert vf.link is not None
        world.kernel.add_upper(vf.link, "bond0")
    network(world)
    dead(world)


def twice(world: World) -> None:
    network(world)
    network(world, "20-fast.conflist")


def without_ipam(world: World) -> None:
    """Under a main plugin that is another's, host-subnet is a program."""
    network(world, type="bridge", ipam=world.ipam())
    for name in ("sriov", "bridge"):
        Tree(world.root).link(f"/opt/cni/bin/{name}", f"{world.root}{BUNDLE}")


def podman(world: World) -> None:
    Tree(world.root).write("/usr/bin/podman")
    Tree(world.root).write("/usr/lib/podman/netavark")


def older(world: World) -> None:
    podman(world)
    Tree(world.root).write("/usr/lib/netavark/sriov", "of the version before")


@pytest.fixture(autouse=True)
def installed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin, beside sriovctl."""
    Tree(world.root).write(BUNDLE, "of this version")
    monkeypatch.setattr(profile, "beside", lambda: BUNDLE)


@pytest.mark.parametrize(("rule", "state"), [
    ("dead-attachment", dead),
    ("vf-changed", changed),
    ("directory-gone", without_directory),
    ("not-restored", teardown_that_fails),
    ("host-file-pending", pending),
    ("pf-without-driver", without_driver),
    ("vpp-takes-pf", for_vpp),
    ("no-iommu-mode", no_iommu),
    ("no-free-vf", full_of_dead),
    ("same-network-name", twice),
    ("plugin-missing", without_ipam),
    ("podman-without-plugin", podman),
    ("podman-plugin-differs", older),
])  # fmt: skip
def test_a_finding_is_gone_when_its_script_was_run(world: World, rule: str, state: State) -> None:
    state(world)
    (finding,) = findings(world, rule)

    follow(world, finding["remedy"])

    assert findings(world, rule) == []


# what hands do --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "state", "told", "hands"), [
    ("no-carrier", pull_cable, "# plug in its cable", lambda world: pull_cable(world, out=False)),
    ("totalvfs-exceeded", with_max_vfs, "# in /etc/modprobe.d/igb.conf: no max_vfs", lambda world: with_max_vfs(world, "")),
    ("host-file-refused", held_by_the_dead, "`sriovctl gc`", lambda world: sriovctl(world, "gc")),
])  # fmt: skip
def test_hands_do_what_is_theirs_and_then_its_script_is_run(
    world: World, rule: str, state: State, told: str, hands: State
) -> None:
    state(world)
    (finding,) = findings(world, rule)
    assert told in finding["remedy"]

    hands(world)
    follow(world, finding["remedy"])

    assert findings(world, rule) + findings(world, "host-file-pending") == []


@pytest.mark.parametrize(("rule", "state", "told", "hands"), [
    ("host-file-broken", lambda world: say(world, HOST_JSON, {"pfs": 5}), "pfs", pending),
    ("network-without-pf", lambda world: network(world, master="enp9s0"), "enp1s0f0", network),
])  # fmt: skip
def test_its_script_tells_what_hands_have_to_correct(
    world: World, rule: str, state: State, told: str, hands: State
) -> None:
    state(world)
    (finding,) = findings(world, rule)

    (run,) = follow(world, finding["remedy"])
    assert told in run.out
    hands(world)

    assert findings(world, rule) == []


def test_what_is_on_uio_goes_to_vfio_and_the_rest_is_worth_knowing(world: World) -> None:
    on_uio(world)
    (finding,) = findings(world, "uio-forbidden")

    follow(world, finding["remedy"])

    (after,) = findings(world, "uio-forbidden")
    assert (dpdk.driver(world), finding["severity"], after["severity"]) == ("vfio-pci", "warning", "note")


def test_root_sees_all(world: World) -> None:
    (finding,) = findings(world, "unseen", euid=1000)

    (run,) = follow(world, finding["remedy"])

    assert "not all of the node" not in run.out
