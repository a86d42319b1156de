"""A VF on its way home: what its container, udev and NetworkManager did to it or to its name meanwhile."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from cni_sriov.words.errors import KernelRefused, Unheard
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


def test_where_no_move_helps_and_the_driver_stays_bound_del_says_so_without_a_carrier_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pod lives on, with the VF and its address: they are nobody else's."""
    conf = world.conf(ipam=world.ipam())
    assert world.call("ADD", conf).code == 0
    pull_cable(world)

    def busy(*_: object) -> None:
        raise KernelRefused("move or unbind", errno.EBUSY)

    with monkeypatch.context() as patch:
        patch.setattr(fakes.FakeNetlink, "move", busy)
        patch.setattr(fakes.FakeSysfs, "unbind", busy)
        assert world.call("DEL", conf).code == 0
        assert "is not back yet" in world.log_file.read_text()
        assert [name for name in world.files() if "/leases/" in name] != []

    assert world.call("DEL", conf).code == 0
    assert at_home(world).name == "enp1s0f0v0"
    assert [name for name in world.files() if "/leases/" in name] == []


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


# names ---------------------------------------------------------------------------------------------------------------


def seen_in_host(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The name of each link that appears in the host from now on, as an event would tell it."""
    seen: list[str] = []
    publish = world.kernel.tree.publish

    def told(link: fakes.FakeLink, ifindex: int) -> None:
        seen.extend([link.name, *link.altnames])
        publish(link, ifindex)

    monkeypatch.setattr(world.kernel.tree, "publish", told)
    return seen


@pytest.mark.parametrize("mine", ["net1", "eth0", "docker0"])
@pytest.mark.parametrize("netns", [MINE, ""], ids=["in the pod", "in a netns of the pod"])
def test_no_name_that_a_container_gave_is_seen_in_the_host(
    one_vf: World, monkeypatch: pytest.MonkeyPatch, mine: str, netns: str
) -> None:
    before = one_vf.settled()
    assert one_vf.call("ADD", one_vf.conf()).code == 0
    pod = one_vf.kernel.pods[MINE]
    one_vf.kernel.rename(pod, next(i for i, link in pod.links.items() if link is link_of(one_vf)), mine)
    link_of(one_vf).altnames += ["evil", "a-name-of-more-than-fifteen-bytes"]
    link_of(one_vf).is_up = True
    if not netns:
        nested = one_vf.kernel.add_pod("/run/netns/nested")
        one_vf.kernel.move(pod, next(i for i, link in pod.links.items() if link.name == mine), nested, mine)
    seen = seen_in_host(one_vf, monkeypatch)

    assert one_vf.call("DEL", one_vf.conf()).code == 0

    assert set(seen) == {"enp1s0f0v0"}
    one_vf.kernel.pods.pop("/run/netns/nested", None)
    assert one_vf.settled() == before


@pytest.mark.parametrize("taken", ["enp1s0f0v0", "vf000001100"])
def test_a_name_that_the_pod_has_taken_keeps_no_vf(
    one_vf: World, monkeypatch: pytest.MonkeyPatch, taken: str
) -> None:
    """The one that the VF is to have, and then the one that it would wait under."""
    before = one_vf.snapshot()
    assert one_vf.call("ADD", one_vf.conf()).code == 0
    pod = one_vf.kernel.pods[MINE]
    for name in {"enp1s0f0v0", taken}:
        one_vf.kernel.add_link(pod, name)
    seen = seen_in_host(one_vf, monkeypatch)

    assert one_vf.call("DEL", one_vf.conf()).code == 0

    assert "net1" not in seen
    one_vf.kernel.pods[MINE].links = {i: link for i, link in pod.links.items() if link.name == "lo"}
    assert one_vf.settled()["kernel"]["host"]["links"][1]["name"] == "enp1s0f0v0"
    assert one_vf.files() == before["files"]


@pytest.mark.parametrize("dies", [False, True], ids=["in the pod", "home with them"])
def test_altnames_by_the_thousand_cost_no_delete_its_time(one_vf: World, dies: bool) -> None:
    assert one_vf.call("ADD", one_vf.conf()).code == 0
    link_of(one_vf).altnames += [f"a{number}" for number in range(1000)]
    if dies:
        one_vf.kernel.kill_netns(MINE)
    before = len(one_vf.kernel.effects)

    assert one_vf.call("DEL", one_vf.conf(), netns="" if dies else MINE).code == 0

    assert len(one_vf.kernel.effects) - before < 100
    assert (at_home(one_vf).name, at_home(one_vf).altnames) == ("enp1s0f0v0", [])


def test_an_altname_that_two_pods_gave_hinders_neither(world: World) -> None:
    """Longer than 15 bytes; the first pod died, and the kernel took it home with it."""
    long = "a-name-of-more-than-fifteen-bytes"
    world.kernel.add_pod("/run/netns/pod2")
    assert world.call("ADD", world.conf()).code == 0
    assert world.call("ADD", world.conf(), "c2", "/run/netns/pod2").code == 0
    for pod in (MINE, "/run/netns/pod2"):
        world.pod_link(pod).altnames.append(long)
    world.kernel.kill_netns(MINE)

    assert world.call("DEL", world.conf(), "c2", "/run/netns/pod2").code == 0
    assert world.call("DEL", world.conf(), netns="").code == 0

    assert not world.kernel.host.has(long)


def test_altnames_of_the_baseline_come_back(one_vf: World, monkeypatch: pytest.MonkeyPatch) -> None:
    link_of(one_vf).altnames += ["lan0", "a-long-altname-of-the-host"]
    before = one_vf.snapshot()
    assert one_vf.call("ADD", one_vf.conf()).code == 0
    assert one_vf.call("DEL", one_vf.conf()).code == 0
    assert one_vf.snapshot() == before


@pytest.mark.parametrize(
    "refused",
    [KernelRefused("move", errno.ENOMEM), KernelRefused("move", errno.ENOBUFS), Unheard("move", errno.EIO)],
)
def test_a_move_that_failed_for_a_moments_trouble_is_done_by_the_next_del_and_nothing_is_made_anew(
    world: World, refused: KernelRefused
) -> None:
    before, conf = world.settled(), world.conf(vlan=100)
    assert world.call("ADD", conf).code == 0

    def fail(*_: object) -> None:
        raise refused

    world.kernel.before("move", fail)

    assert world.call("DEL", conf).code == 11
    assert "made anew" not in world.log_file.read_text()
    assert (world.call("DEL", conf).code, world.settled()) == (0, before)
