"""No VF at all: what waiting can change is code 11, what only the operator can is 7 or 101, with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cni_sriov.kernel.replies import Address
from tests.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes import FakeVf

VF = "0000:01:10.0"


@pytest.fixture
def two(world: World) -> World:
    """One PF with two VFs."""
    netlink = world.kernel.sysfs
    pf = netlink.pf_by_name("enp1s0f0")
    assert pf is not None
    netlink.set_numvfs(pf, 0)
    netlink.set_numvfs(pf, 2)
    return world


def vfs(world: World) -> list[FakeVf]:
    return world.kernel.pfs[0].vfs


def bind(driver: str) -> Callable[[World], None]:
    def act(world: World) -> None:
        for vf in vfs(world):
            world.kernel.set_driver(vf, driver)

    return act


def one_of_two(world: World) -> None:
    """The other one is in use: it will be free again."""
    assert world.call("ADD", world.conf(deviceID=VF), "other").code == 0
    world.kernel.set_driver(vfs(world)[1], "vfio-pci")


def give_addresses(world: World) -> None:
    for vf in vfs(world):
        assert vf.link is not None
        vf.link.addresses.append(Address("192.0.2.1/24", 0, 0x80))


def stack(world: World) -> None:
    for vf in vfs(world):
        assert vf.link is not None
        world.kernel.add_upper(vf.link, "bond0")


def leave(world: World) -> None:
    pod = world.kernel.add_pod("/run/netns/elsewhere")
    netlink = world.kernel.netlink
    for vf in vfs(world):
        assert vf.link is not None
        netns = world.kernel.open_netns(pod.path)
        netlink.move(netlink.ifindex(vf.link.name), netns.fd, vf.link.name)


def run_udev(world: World) -> None:
    """It has named none of them yet."""
    (world.kernel.root / "run/udev/data").mkdir(parents=True)
    (world.kernel.root / "run/udev/control").touch()


def drop_vfs(world: World) -> None:
    pf = world.kernel.sysfs.pf_by_name("enp1s0f0")
    assert pf is not None
    world.kernel.sysfs.set_numvfs(pf, 0)


def nothing(_: World) -> None:
    pass


FILTERED: dict[str, Any] = {"master": None, "pf": {"names": ["enp1s0f0"], "vfs": "5-6"}}

CASES = [
    pytest.param(bind("vfio-pci"), {}, 7, "driver vfio-pci makes no netdev", id="vfio-pci"),
    pytest.param(
        bind("vfio-pci"), {"deviceID": VF, "driver": "kernel"}, 7, "driver vfio-pci", id="the device on vfio-pci"
    ),
    pytest.param(bind("pci-stub"), {}, 7, "driver pci-stub makes no netdev", id="pci-stub"),
    pytest.param(bind(""), {}, 7, "no driver is bound", id="no driver"),
    pytest.param(nothing, FILTERED, 7, "has no VFs that match (numvfs is 2)", id="index filter"),
    pytest.param(drop_vfs, {}, 101, "create them with `sriovctl vfs enp1s0f0 7`", id="numvfs 0"),
    pytest.param(drop_vfs, FILTERED, 101, "create them with", id="numvfs 0, index filter"),
    pytest.param(one_of_two, {}, 11, "claimed by other/net1", id="one is claimed, one on vfio-pci"),
    pytest.param(give_addresses, {}, 11, "has a global address in the host", id="addresses"),
    pytest.param(stack, {}, 11, "is a port of bond0", id="bond"),
    pytest.param(leave, {}, 11, "in another netns", id="elsewhere"),
    pytest.param(run_udev, {}, 11, "is not named by udev yet", id="udev"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "conf", "code", "reason"), CASES)
def test_the_code_says_whether_waiting_helps(
    two: World, make: Callable[[World], None], conf: dict[str, Any], code: int, reason: str
) -> None:
    make(two)
    two.kernel.add_pod("/run/netns/pod2")
    before = two.snapshot()

    reply = two.call("ADD", two.conf(**conf), "c2", "/run/netns/pod2")

    assert (reply.code, reason in reply.text) == (code, True), reply.text
    assert two.snapshot() == before


@pytest.mark.parametrize(("make", "conf", "code", "reason"), CASES)
def test_status_is_an_error_where_no_add_can_ever_be_served(
    two: World, make: Callable[[World], None], conf: dict[str, Any], code: int, reason: str
) -> None:
    """With the default `statusOnFull`: a node that is full is a good node."""
    make(two)

    reply = two.call("STATUS", two.conf(cniVersion="1.1.0", **conf))

    assert reply.code == (0 if code == 11 else 50), reply.text
    assert code == 11 or reason in reply.text


def test_status_looks_at_addresses_where_a_full_node_is_an_error(two: World) -> None:
    give_addresses(two)

    reply = two.call("STATUS", two.conf(cniVersion="1.1.0", statusOnFull="error"))

    assert (reply.code, "has a global address in the host" in reply.text) == (50, True), reply.text


def test_two_pfs_one_without_vfs_and_one_full_is_code_11(two: World) -> None:
    two.kernel.add_pf("enp1s0f1", "0000:01:00.1", numvfs=0)
    conf = two.conf(master=None, pf={"vendors": ["8086"]})
    for name in ("c1", "c2"):
        assert two.call("ADD", conf, name, ifname=name).code == 0
    assert two.call("ADD", conf, "c3").code == 11
    for vf in vfs(two):
        two.kernel.set_driver(vf, "vfio-pci")
    for name in ("c1", "c2"):
        assert two.call("DEL", conf, name, ifname=name).code == 0

    assert two.call("ADD", conf, "c3").code == 7


def test_what_became_userspace_under_a_claim_is_still_claimed(two: World) -> None:
    for name in ("c1", "c2"):
        assert two.call("ADD", two.conf(), name, ifname=name).code == 0
    bind("vfio-pci")(two)
    assert two.call("ADD", two.conf(), "c3").code == 11
