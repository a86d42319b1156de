"""A VF whose netdev no move brings home: its driver is taken off and given again. While that fails too, the addresses
that the container may still use are nobody else's.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from typing import Any

import pytest

from cni_sriov.words.errors import KernelRefused
from tests import fakes
from tests.fakes import Namespace
from tests.unit.ctl.tool import sriovctl
from tests.unit.ipam.test_delegate import HostLocal
from tests.unit.one_port import MINE, OTHERS, link_of, vf_of
from tests.unit.verbs.calls import NEW
from tests.world import World

NESTED = "/run/netns/nested"
ONE_SUBNET = [{"subnet": "10.10.0.0/24", "prefixLength": 24}]
VF = "0000:01:10.0"


def conf_of(world: World) -> dict[str, Any]:
    return world.conf(vlan=100, ipam=world.ipam(pools=ONE_SUBNET))


def hide(world: World, where: str = NESTED) -> Namespace:
    """The pod moves its VF into a netns of its own, under a name of its own, and puts the address on it again."""
    pod = world.kernel.pods[MINE]
    found = pod.find("net1")
    assert found is not None
    ifindex, link = found
    held = list(link.addresses)
    nested = world.kernel.pods.get(where) or world.kernel.add_pod(where)
    world.kernel.move(pod, ifindex, nested, "mine")
    link.addresses += held
    return nested


def keep_driver_off(*_: Any) -> None:
    raise KernelRefused("bind igbvf", errno.EIO)


def keep_driver_on(*_: Any) -> None:
    raise KernelRefused("unbind", errno.EIO)


def leases(world: World) -> list[str]:
    return [name for name in world.files() if "/leases/" in name]


def delete(world: World) -> None:
    reply = world.call("DEL", conf_of(world))
    assert reply.code == 0, reply.text


def delete_without_netns(world: World) -> None:
    reply = world.call("DEL", conf_of(world), netns="")
    assert reply.code == 0, reply.text


def collect(world: World) -> None:
    listed: dict[str, Any] = NEW | {"cni.dev/valid-attachments": []}
    reply = world.call("GC", conf_of(world) | listed, "", "", "")
    assert reply.code == 0, reply.text


@pytest.mark.parametrize("back", [delete, delete_without_netns, collect])
def test_out_of_a_netns_inside_the_pod_it_comes_home_with_its_driver(
    one_vf: World, back: Callable[[World], None]
) -> None:
    before = one_vf.settled()
    assert one_vf.call("ADD", conf_of(one_vf)).code == 0
    nested = hide(one_vf)

    back(one_vf)

    assert nested.find("mine") is None, "the container has it no more"
    del one_vf.kernel.pods[NESTED]
    assert one_vf.settled() == before


def test_a_netns_that_a_process_holds_is_no_place_to_keep_a_vf(one_vf: World) -> None:
    """No path leads there, and it does not die."""
    before = one_vf.settled()
    assert one_vf.call("ADD", conf_of(one_vf)).code == 0
    kept = one_vf.kernel.pods.pop(MINE)

    delete_without_netns(one_vf)

    one_vf.kernel.pods[MINE] = kept
    assert (link_of(one_vf).name, leases(one_vf)) == ("enp1s0f0v0", [])
    assert one_vf.settled()["kernel"]["host"] == before["kernel"]["host"]


@pytest.mark.parametrize("when", ["before the driver is off", "after"])
def test_while_it_is_out_its_addresses_are_nobody_elses(
    one_vf: World, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """With the driver off the container has no VF any more, and its lease is free; else both stay with it."""
    before = one_vf.settled()
    assert one_vf.call("ADD", conf_of(one_vf)).code == 0
    nested = hide(one_vf)
    other = one_vf.conf(master=None, deviceID=VF, ipam=one_vf.ipam(pools=ONE_SUBNET))
    stays = when != "after"

    with monkeypatch.context() as patch:
        verb, refusal = ("unbind", keep_driver_on) if stays else ("bind", keep_driver_off)
        patch.setattr(fakes.FakeSysfs, verb, refusal)
        delete(one_vf)
        delete(one_vf)
        (record,) = one_vf.state_dir.iterdir()
        told = json.loads(record.read_text())
        assert told["status"] == "released"
        assert (len(leases(one_vf)), len(told["leases"]), len(told["addresses"])) == (stays,) * 3
        assert (nested.find("mine") is not None) == stays
        assert vf_of(one_vf).state.vlan == (100 if stays else 0), "who has it is in his VLAN, and no other"
        refused = one_vf.call("ADD", other, "c2", OTHERS)
        assert (refused.code, len(leases(one_vf))) == (11, stays), refused.text
        told = sriovctl(one_vf, "gc").out
        assert ("does not let go" if stays else "makes no netdev") in told
        assert len(leases(one_vf)) == stays

    delete(one_vf)
    one_vf.kernel.pods.pop(NESTED)
    assert one_vf.settled() == before


def test_what_a_delete_could_not_bring_home_another_add_does(
    one_vf: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its runtime was told success and does not come again; DEL was the word that the container is gone."""
    assert one_vf.call("ADD", conf_of(one_vf)).code == 0
    hide(one_vf)
    with monkeypatch.context() as patch:
        patch.setattr(fakes.FakeSysfs, "unbind", keep_driver_on)
        delete(one_vf)

    added = one_vf.call("ADD", conf_of(one_vf), "c2", OTHERS)

    assert added.code == 0, added.text


def test_a_living_pods_vf_is_left_alone_where_it_hides(one_vf: World) -> None:
    assert one_vf.call("ADD", conf_of(one_vf)).code == 0
    nested = hide(one_vf)

    refused = one_vf.call("ADD", conf_of(one_vf), "c2", OTHERS)
    assert refused.code == 11
    assert one_vf.call("GC", conf_of(one_vf) | NEW, "", "", "").code == 0
    sriovctl(one_vf, "gc")

    assert nested.find("mine") is not None
    assert len(leases(one_vf)) == 1


def test_a_move_that_the_kernel_refuses_is_no_reason_to_leave_it(one_vf: World) -> None:
    before = one_vf.settled()
    assert one_vf.call("ADD", conf_of(one_vf)).code == 0

    def busy(*_: object) -> None:
        raise KernelRefused("move", errno.EBUSY)

    one_vf.kernel.before("move", busy, always=True)
    delete(one_vf)

    assert one_vf.settled() == before


def test_a_pod_that_hides_its_vf_hinders_no_other(world: World) -> None:
    """Its own DEL, GC for the others, another one's ADD."""
    world.kernel.add_pod(OTHERS)
    assert world.call("ADD", world.conf()).code == 0
    assert world.call("ADD", world.conf(), "c2", OTHERS).code == 0
    hide(world)

    collected = world.call("GC", world.conf(**NEW) | {"cni.dev/valid-attachments": []}, "", "", "")

    assert collected.code == 0, collected.text
    assert list((world.run_dir / "claims").iterdir()) == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_point_of_it_the_next_delete_goes_on(one_vf: World, when: str) -> None:
    before = one_vf.settled()
    step = 0
    while True:
        assert one_vf.call("ADD", conf_of(one_vf)).code == 0
        hide(one_vf)
        one_vf.kernel.crash_at(step, when)
        try:
            delete(one_vf)
        except fakes.Crash:
            one_vf.kernel.restart()
            delete(one_vf)
        else:
            break
        one_vf.kernel.pods.pop(NESTED)
        assert one_vf.settled() == before, step
        step += 1
    assert step >= 5


def test_a_lease_goes_after_its_vf(one_vf: World) -> None:
    """Whoever looks in between sees a VF without a container and its lease, never the other way round."""
    assert one_vf.call("ADD", conf_of(one_vf)).code == 0
    seen = []
    one_vf.kernel.before("move", lambda *_: seen.append(len(leases(one_vf))))

    delete(one_vf)

    assert (seen, leases(one_vf)) == ([1], [])


# an IPAM that is not ours --------------------------------------------------------------------------------------------


def foreign(world: World) -> dict[str, Any]:
    return world.conf(ipam={"type": "host-local", "subnet": "10.1.0.0/16"})


def test_another_plugin_is_told_while_it_can_say_goodbye(world: World, host_local: HostLocal) -> None:
    """dhcp's DHCPRELEASE goes through the interface (releaseLease of containernetworking/plugins, dhcp/lease.go)."""
    assert world.call("ADD", foreign(world)).code == 0

    assert world.call("DEL", foreign(world)).code == 0

    assert (host_local.verbs, host_local.calls[-1]["up"], host_local.held) == (["ADD", "DEL"], True, set())


def test_another_plugin_keeps_the_address_while_the_vf_is_out(
    world: World, host_local: HostLocal, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = world.settled()
    assert world.call("ADD", foreign(world)).code == 0
    hide(world)
    with monkeypatch.context() as patch:
        patch.setattr(fakes.FakeSysfs, "unbind", keep_driver_on)
        assert world.call("DEL", foreign(world)).code == 0
        assert host_local.verbs == ["ADD"]

    assert world.call("DEL", foreign(world)).code == 0

    assert (host_local.verbs, host_local.held) == (["ADD", "DEL"], set())
    world.kernel.pods.pop(NESTED)
    assert world.settled() == before


def test_another_plugin_that_fails_keeps_no_vf_in_the_pod(world: World, host_local: HostLocal) -> None:
    before = world.settled()["kernel"]
    assert world.call("ADD", foreign(world)).code == 0
    host_local.fails["DEL"] = "no"

    assert world.call("DEL", foreign(world)).code == 5
    assert host_local.verbs == ["ADD", "DEL"]
    assert world.settled()["kernel"] == before
    del host_local.fails["DEL"]

    assert world.call("DEL", foreign(world), netns="").code == 0
    assert (host_local.held, list((world.run_dir / "claims").iterdir())) == (set(), [])


def test_leases_that_were_imported_since_stay_with_the_vf_too(
    world: World, host_local: HostLocal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network went to host-subnet while the pod ran, and the Record still names the other plugin."""
    assert world.call("ADD", foreign(world)).code == 0
    now = world.conf(ipam=world.ipam(pools=ONE_SUBNET))
    assert world.call("ADD", now | {"type": "bridge"}, door="host-subnet").code == 0
    hide(world)
    with monkeypatch.context() as patch:
        patch.setattr(fakes.FakeSysfs, "unbind", keep_driver_on)
        assert world.call("DEL", now).code == 0
        assert (len(leases(world)), host_local.held) == (1, {"c1/net1"})

    assert world.call("DEL", now).code == 0

    assert (leases(world), host_local.held) == ([], set())


def test_a_pod_that_could_not_be_entered_keeps_its_vf_as_it_is(one_vf: World) -> None:
    """It goes on with it until the next DEL: in its own VLAN, with its own address."""
    before = one_vf.settled()
    assert one_vf.call("ADD", conf_of(one_vf)).code == 0

    def no_memory(netlink: fakes.FakeNetlink) -> None:
        if netlink.namespace is one_vf.kernel.pods[MINE]:
            raise KernelRefused("list links", errno.ENOMEM)

    one_vf.kernel.before("links", no_memory)

    assert one_vf.call("DEL", conf_of(one_vf)).code == 11
    assert (vf_of(one_vf).state.vlan, len(leases(one_vf))) == (100, 1)

    delete(one_vf)
    assert one_vf.settled() == before
