"""A VF on its way home: what its container, udev and NetworkManager did to it or to its name meanwhile."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from cni_sriov.words.errors import KernelRefused
from tests import fakes
from tests.unit.one_port import MINE, at_home, link_of, pull_cable
from tests.world import World


def test_altnames_that_a_pod_gave_do_not_keep_the_vf_from_coming_home(one_vf: World) -> None:
    """A move takes altnames along, and is refused while the host has one of them: every DEL would fail."""
    before = one_vf.snapshot()
    assert one_vf.call("ADD", one_vf.conf()).code == 0
    link_of(one_vf).altnames += ["enp1s0f0", "mine"]

    reply = one_vf.call("DEL", one_vf.conf())

    assert (reply.code, one_vf.snapshot()) == (0, before), reply.text


def test_udev_may_give_the_altname_between_our_look_and_our_rename(one_vf: World) -> None:
    before = one_vf.snapshot()
    assert one_vf.call("ADD", one_vf.conf()).code == 0
    one_vf.kernel.kill_netns(MINE)
    one_vf.kernel.add_pod(MINE)
    one_vf.kernel.before("set_name", lambda _netlink, _ifindex, name: link_of(one_vf).altnames.append(name))

    reply = one_vf.call("DEL", one_vf.conf())

    assert (reply.code, one_vf.snapshot()) == (0, before), one_vf.log_file.read_text()


def test_a_vf_that_was_up_is_up_again_even_if_somebody_set_it_up_under_the_pods_name(one_vf: World) -> None:
    """NetworkManager sets UP what it finds; the rename then sets it down."""
    netlink = one_vf.kernel.netlink
    netlink.set_up(netlink.ifindex("enp1s0f0v0"))
    before = one_vf.snapshot()
    assert one_vf.call("ADD", one_vf.conf()).code == 0
    one_vf.kernel.kill_netns(MINE)
    one_vf.kernel.add_pod(MINE)
    netlink.set_up(netlink.ifindex("net1"))

    reply = one_vf.call("DEL", one_vf.conf())

    assert (reply.code, one_vf.snapshot()) == (0, before)


def test_a_move_that_fails_is_repeated_without_a_carrier_too(world: World) -> None:
    """The pod lives on, with the VF and its address: DEL must not say that all is done."""
    conf = world.conf(ipam=world.ipam())
    assert world.call("ADD", conf).code == 0
    pull_cable(world)

    def busy(*_: object) -> None:
        raise KernelRefused("move", errno.EBUSY)

    world.kernel.before("move", busy)

    assert world.call("DEL", conf).code == 11
    assert world.call("DEL", conf).code == 0
    assert at_home(world).name == "enp1s0f0v0"


def rename(world: World) -> None:
    index = next(i for i, link in world.kernel.host.links.items() if link.pci_address == "0000:01:10.0")
    world.kernel.rename(world.kernel.host, index, "ens1v0")


def set_up(world: World) -> None:
    at_home(world).is_up = True


@pytest.mark.parametrize(
    ("meanwhile", "dies"), [(rename, False), (set_up, True)], ids=["udev", "NetworkManager"]
)
def test_what_udev_and_networkmanager_do_between_our_steps(
    world: World, monkeypatch: pytest.MonkeyPatch, meanwhile: Any, dies: bool
) -> None:
    """While the MAC goes back: a new name; or UP, which makes a rename EBUSY before Linux 6.2."""
    set_mac = fakes.FakeNetlink.set_mac
    seen: list[str] = []
    assert world.call("ADD", world.conf(mac="02:00:00:00:aa:01")).code == 0
    if dies:
        world.kernel.kill_netns("/run/netns/pod1")

    def interrupted(netlink: fakes.FakeNetlink, ifindex: int, mac: str) -> None:
        set_mac(netlink, ifindex, mac)
        if not seen:
            seen.append(mac)
            meanwhile(world)

    monkeypatch.setattr(fakes.FakeNetlink, "set_mac", interrupted)

    deleted = world.call("DEL", world.conf(), netns="" if dies else "/run/netns/pod1")

    assert (deleted.code, seen != []) == (0, True), deleted.text
    assert at_home(world).name == "enp1s0f0v0"
