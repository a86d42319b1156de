"""What others do while a VF goes back, and what a DEL may not take for done."""

from __future__ import annotations

import errno
import json
from typing import TYPE_CHECKING, Any

import pytest

from cni_sriov.doors import cni
from cni_sriov.kernel.netns import OWN
from cni_sriov.kernel.replies import Address
from cni_sriov.state.ledger import Ledger
from cni_sriov.verbs import add
from cni_sriov.words.errors import CniError, KernelRefused
from tests import fakes

if TYPE_CHECKING:
    from tests.fakes import FakeLink
    from tests.world import World

VF, MAC = "0000:01:10.0", "02:00:00:00:aa:01"


def vf_of(world: World) -> FakeLink:
    return next(link for link in world.kernel.host.links.values() if link.pci_address == VF)


def pull_cable(world: World, out: bool = True) -> None:
    world.kernel.pfs[0].link.carrier = not out


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
    assert vf_of(world).name == "enp1s0f0v0"


def test_a_pf_that_does_not_answer_stops_no_other_inverse(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = world.conf(mtu=1400)
    assert world.call("ADD", conf).code == 0

    def fail(*_: Any, **__: Any) -> None:
        raise KernelRefused("look up the VFs of link 2", errno.EIO)

    with monkeypatch.context() as patch:
        patch.setattr(fakes.FakeNetlink, "vf_states", fail)
        assert world.call("DEL", conf).code == 11
    assert vf_of(world).mtu == 1500
    assert world.call("DEL", conf).code == 0


def test_a_netdev_that_is_there_but_was_not_seen_is_not_taken_for_restored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """udev renames it again and again while DEL looks for it: nothing of it was set back, and nothing was seen to differ."""
    conf, link = world.conf(mtu=1400), fakes.FakeNetlink.link
    missed: list[str] = []
    assert world.call("ADD", conf).code == 0

    def renamed(netlink: fakes.FakeNetlink, name: str) -> Any:
        found = link(netlink, name)
        if found is None or found.parent_dev != VF or len(missed) == 2:
            return found
        missed.append(name)
        return None

    monkeypatch.setattr(fakes.FakeNetlink, "link", renamed)

    assert world.call("DEL", conf).code == 11
    assert len(missed) == 2
    assert world.call("DEL", conf).code == 0
    assert vf_of(world).mtu == 1500


def test_a_driver_that_applies_later_is_waited_for_on_both_ways(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """i40e and iavf do; what is read back at once is what was there before."""
    netlink: Any = fakes.FakeNetlink
    set_vlan, states = netlink.set_vf_vlan, netlink.vf_states
    late: list[str] = []

    def set_later(*args: Any) -> None:
        set_vlan(*args)
        late.extend(["once", "and again"])

    def not_yet(*args: Any) -> Any:
        found = states(*args)
        if late:
            late.pop()
            found[0].vlan = 4000
        return found

    monkeypatch.setattr(netlink, "set_vf_vlan", set_later)
    monkeypatch.setattr(netlink, "vf_states", not_yet)

    conf = world.conf(vlan=100, verifyTimeout=5000)
    assert world.call("ADD", conf).code == 0
    assert late == []
    assert world.call("DEL", conf).code == 0
    assert late == []


def rename(world: World) -> None:
    index = next(i for i, link in world.kernel.host.links.items() if link.pci_address == VF)
    world.kernel.rename(world.kernel.host, index, "ens1v0")


def set_up(world: World) -> None:
    vf_of(world).is_up = True


@pytest.mark.parametrize(
    ("meanwhile", "dies"), [(rename, False), (set_up, True)], ids=["udev", "NetworkManager"]
)
def test_what_udev_and_networkmanager_do_between_our_steps(
    world: World, monkeypatch: pytest.MonkeyPatch, meanwhile: Any, dies: bool
) -> None:
    """While the MAC goes back: a new name; or UP, which makes a rename EBUSY before Linux 6.2."""
    set_mac = fakes.FakeNetlink.set_mac
    seen: list[str] = []
    assert world.call("ADD", world.conf(mac=MAC)).code == 0
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
    assert vf_of(world).name == "enp1s0f0v0"


def test_an_undo_that_must_wait_is_not_told_as_done(world: World) -> None:
    def fail(*_: object) -> None:
        pull_cable(world)
        raise CniError("move it: the test said no", code=5)

    world.kernel.before("move", fail)

    assert world.call("ADD", world.conf(max_tx_rate=100)).code == 5

    assert "undone" not in world.log_file.read_text()


def test_an_address_given_while_add_waits_for_the_lock_keeps_the_vf(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = Ledger.node_lock

    def waited(ledger: Ledger, verb: str) -> Any:
        if verb == "ADD" and not vf_of(world).addresses:
            vf_of(world).addresses.append(Address("192.0.2.1/24", 0, 0x80))
        return lock(ledger, verb)

    monkeypatch.setattr(Ledger, "node_lock", waited)

    assert world.call("ADD", world.conf()).code == 0

    assert [link.addresses for link in world.kernel.host.links.values() if link.pci_address == VF] != []
    assert f"0000:01:00.0+{VF}" not in [claim.name for claim in (world.run_dir / "claims").iterdir()]


# a container in the host's own netns ---------------------------------------------------------------------------------


def call_in_own(world: World, verb: str, conf: dict[str, Any], netns: str = OWN) -> int:
    env = {"CNI_COMMAND": verb, "CNI_CONTAINERID": "own", "CNI_IFNAME": "net1", "CNI_PATH": "/x"}
    env |= {"CNI_NETNS": netns, "CNI_NETNS_OVERRIDE": "1"}
    return cni.main(env, lambda: json.dumps(conf), lambda *_: None, world._host)  # noqa: SLF001


def test_what_is_stacked_on_it_in_our_own_netns_is_deleted(world: World) -> None:
    conf = world.conf(master=None, deviceID=VF)
    assert call_in_own(world, "ADD", conf) == 0
    world.kernel.stack(world.kernel.host, vf_of(world), "v5", "vlan")
    world.kernel.add_upper(vf_of(world), "v5")

    assert call_in_own(world, "DEL", conf) == 0

    assert not world.kernel.host.has("v5")


def test_the_loopback_of_the_host_is_left_alone(world: World) -> None:
    """An operator who disabled IPv6 there: DEL could not put it back."""
    key = ("net", "ipv6", "conf", "lo", "disable_ipv6")
    world.kernel.host.sysctls[key] = "1"
    pools = [{"subnet": "fd00:10::/48", "prefixLength": 64}]
    conf = world.conf(master=None, deviceID=VF, ipam=world.ipam(pools=pools))

    assert call_in_own(world, "ADD", conf) == 0

    assert world.kernel.host.sysctls[key] == "1"


def test_a_port_in_our_own_netns_is_taken_off(world: World) -> None:
    conf = world.conf(master=None, deviceID=VF)
    assert call_in_own(world, "ADD", conf) == 0
    vf = vf_of(world)
    world.kernel.enslave(world.kernel.host, vf, "bond0")
    world.kernel.add_upper(vf, "bond0")

    assert call_in_own(world, "DEL", conf) == 0

    assert vf.master is None


def test_what_waits_for_its_pf_in_our_own_netns_is_taken_back_too(world: World) -> None:
    conf = world.conf(master=None, deviceID=VF)
    assert call_in_own(world, "ADD", conf | {"max_tx_rate": 100}) == 0
    pull_cable(world)
    assert call_in_own(world, "DEL", conf, "") == 0
    assert world.call("ADD", conf, "c2").code == 11
    pull_cable(world, out=False)

    assert world.call("ADD", conf, "c2").code == 0


def test_a_vf_taken_back_from_our_own_netns_can_be_had_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had an address in the host when this ADD first looked."""
    conf = world.conf(master=None, deviceID=VF)

    def die(*_: object) -> None:
        raise fakes.Crash("killed")

    with monkeypatch.context() as patch:
        patch.setattr(add, "_note_done", die)
        patch.setattr(add, "_undo", lambda *_: None)
        with pytest.raises(fakes.Crash):
            call_in_own(world, "ADD", conf | {"ipam": world.ipam()})

    assert world.call("ADD", conf, "c2").code == 0
