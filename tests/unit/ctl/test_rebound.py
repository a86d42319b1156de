"""A netdev before its driver goes, and as it was when a new one is there."""

from __future__ import annotations

from errno import EOPNOTSUPP

import pytest

from cni_sriov.ctl import rebound
from cni_sriov.kernel import devices
from cni_sriov.kernel.files import Files
from cni_sriov.words.device import Device
from cni_sriov.words.errors import KernelRefused
from tests.fakes import FakeLink
from tests.unit.ctl.tool import host
from tests.world import World

VF, PF = "0000:01:10.0", "0000:01:00.0"


def of(world: World, address: str) -> Device:
    return devices.device(Files(str(world.kernel.root)), address)


def link_of(world: World) -> FakeLink:
    link = world.kernel.pfs[0].vfs[0].link
    assert link is not None
    return link


def anew(world: World) -> None:
    vf = world.kernel.pfs[0].vfs[0]
    for driver in ("", "igbvf"):
        world.kernel.set_driver(vf, driver)


def test_what_is_seen(world: World) -> None:
    link = link_of(world)
    link.mtu, link.is_up, link.altnames = 1400, True, ["other"]

    kept = rebound.seen(host(world), of(world, VF))

    assert kept.state is not None
    assert (kept.driver, kept.override, kept.inode) == ("igbvf", "", world.kernel.sysfs.inode(VF))
    assert (kept.state.ifname, kept.state.own_mac, kept.state.mtu) == ("enp1s0f0v0", link.mac, 1400)
    assert (kept.state.up, kept.state.altnames) == (True, ["other"])
    assert rebound.seen(host(world), of(world, PF)).numvfs == 7
    world.kernel.set_driver(world.kernel.pfs[0].vfs[0], "")
    assert rebound.seen(host(world), of(world, VF)).state is None


def test_a_new_netdev_is_made_as_the_old_one(world: World) -> None:
    link = link_of(world)
    link.mtu, link.is_up, link.altnames, link.modes, link.txqueuelen = 1400, True, ["other"], 0x100, 77
    world.kernel.rename(world.kernel.host, world.kernel.netlink.ifindex("enp1s0f0v0"), "mine")
    kept, before = rebound.seen(host(world), of(world, VF)), link.snapshot()
    anew(world)
    assert link_of(world).snapshot() != before

    assert rebound.settle(host(world), of(world, VF), kept) == []

    assert link_of(world).snapshot() == before
    effects = len(world.kernel.effects)
    assert rebound.settle(host(world), of(world, VF), kept) == []
    assert world.kernel.effects[effects:] in ([], [f"set link {world.kernel.netlink.ifindex('mine')} up"])


def test_what_is_refused_is_told_and_the_rest_is_done(world: World) -> None:
    link = link_of(world)
    link.mtu, link.is_up = 1400, True
    kept = rebound.seen(host(world), of(world, VF))
    anew(world)

    def refuse(*_: object) -> None:
        raise KernelRefused("set link address", EOPNOTSUPP)

    world.kernel.before("set_mac", refuse)

    assert rebound.settle(host(world), of(world, VF), kept) == ["set link address: Operation not supported"]
    assert (link_of(world).mtu, link_of(world).is_up) == (1400, True)


@pytest.mark.parametrize("name_is_taken", [True, False])
def test_a_name_that_somebody_else_has_now(world: World, name_is_taken: bool) -> None:
    kept = rebound.seen(host(world), of(world, VF))
    vf = world.kernel.pfs[0].vfs[0]
    world.kernel.set_driver(vf, "")
    if name_is_taken:
        world.kernel.add_link(world.kernel.host, "enp1s0f0v0")
        world.kernel.pfs[0].link.home_name = "eth"  # and so are the names of its VFs
    world.kernel.set_driver(vf, "igbvf")

    notes = rebound.settle(host(world), of(world, VF), kept)

    assert notes == (["its name is ethv0, and was enp1s0f0v0"] if name_is_taken else [])


def test_no_netdev_comes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebound, "NAMED_S", 0.0)
    kept = rebound.seen(host(world), of(world, VF))
    world.kernel.tree.add_driver("uio_pci_generic")
    world.kernel.set_driver(world.kernel.pfs[0].vfs[0], "uio_pci_generic")

    assert rebound.settle(host(world), of(world, VF), kept) == [
        "driver uio_pci_generic made no netdev; dmesg may say why"
    ]
