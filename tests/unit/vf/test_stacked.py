"""What a container stacks on its VF sends through it no longer when the VF is somebody else's."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from cni_sriov.vf import card
from cni_sriov.words.errors import KernelRefused
from tests import fakes
from tests.fakes import Crash, FakeLink
from tests.unit.ctl.tool import sriovctl
from tests.world import World

VF, POD, NESTED = "0000:01:10.0", "/run/netns/pod1", "/run/netns/nested"
KINDS = ["vlan", "macvlan", "macvtap", "ipvlan"]


@pytest.fixture
def conf(world: World) -> dict[str, Any]:
    world.kernel.add_pod(NESTED)
    return world.conf(master=None, deviceID=VF, vlan=100)


def vf_of(world: World) -> FakeLink:
    link = world.kernel.pfs[0].vfs[0].link
    assert link is not None
    return link


def stack(world: World, where: str = POD, kind: str = "macvlan", up: bool = True) -> FakeLink:
    upper = world.kernel.stack(world.kernel.pods[where], vf_of(world), f"{kind}0", kind)
    if up:
        world.kernel.set_up(upper)
    return upper


def keep_changing(world: World, where: str) -> None:
    """Links there come and go, so that they cannot be listed (NLM_F_DUMP_INTR)."""

    def busy(netlink: fakes.FakeNetlink) -> None:
        if netlink.namespace is world.kernel.pods[where]:
            raise KernelRefused("list links", errno.EINTR)

    world.kernel.before("links", busy, always=True)


def names(world: World, where: str) -> list[str]:
    return sorted(link.name for link in world.kernel.pods[where].links.values())


def rebinds(world: World) -> int:
    return len([what for what in world.kernel.effects if what.startswith("bind ")])


@pytest.mark.parametrize("up", [True, False], ids=["up", "down"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_stacked_on_it_in_the_pod_is_deleted(
    world: World, conf: dict[str, Any], kind: str, up: bool
) -> None:
    before = world.settled()
    assert world.call("ADD", conf).code == 0
    stack(world, kind=kind, up=up)

    assert world.call("DEL", conf).code == 0

    assert (world.settled(), rebinds(world)) == (before, 0)


def test_what_the_pod_has_besides_stays(world: World, conf: dict[str, Any]) -> None:
    world.kernel.add_link(world.kernel.pods[POD], "eth0")
    eth0 = world.kernel.pods[POD].find("eth0")
    assert eth0 is not None
    world.kernel.stack(world.kernel.pods[POD], eth0[1], "v5", "vlan")
    assert world.call("ADD", conf).code == 0
    stack(world)

    assert world.call("DEL", conf).code == 0

    assert names(world, POD) == ["eth0", "lo", "v5"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_stacked_on_it_elsewhere_ends_with_its_netdev(
    world: World, conf: dict[str, Any], kind: str
) -> None:
    before = world.settled()
    assert world.call("ADD", conf).code == 0
    stack(world, NESTED, kind)

    assert world.call("DEL", conf).code == 0

    assert (world.settled(), rebinds(world)) == (before, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_vf_that_came_home_by_itself_is_looked_after(world: World, conf: dict[str, Any], kind: str) -> None:
    """The pod's netns died, the one inside lives: no sign at the VF is left (the kernel flushed its lists)."""
    before = world.settled()
    assert world.call("ADD", conf).code == 0
    stack(world, NESTED, kind)
    stack(world, POD)
    world.kernel.kill_netns(POD)

    assert world.call("DEL", conf, netns="").code == 0

    world.kernel.add_pod(POD)
    assert (world.settled()["kernel"]["host"], rebinds(world)) == (before["kernel"]["host"], 1)
    assert names(world, NESTED) == ["lo"]


def test_another_ones_reclaim_does_the_same(world: World, conf: dict[str, Any]) -> None:
    assert world.call("ADD", conf).code == 0
    stack(world, NESTED)
    world.kernel.kill_netns(POD)
    world.kernel.add_pod("/run/netns/pod2")

    assert world.call("ADD", conf, "c2", "/run/netns/pod2").code == 0

    assert names(world, NESTED) == ["lo"]


def test_a_second_tenant_is_refused_while_a_vlan_comes_up_with_his_vf(
    world: World, conf: dict[str, Any]
) -> None:
    """It was DOWN when the first one left, so nothing told of it."""
    before = world.settled()
    assert world.call("ADD", conf).code == 0
    stack(world, NESTED, "vlan", up=False)
    assert world.call("DEL", conf).code == 0
    assert names(world, NESTED) == ["lo", "vlan0"]

    refused = world.call("ADD", conf)

    assert (refused.code, "another network namespace" in refused.text) == (11, True), refused.text
    assert world.settled() == before
    assert world.call("ADD", conf).code == 0


def test_a_vf_that_somebody_holds_is_made_anew_before_it_is_used(world: World, conf: dict[str, Any]) -> None:
    """Promiscuity that no flag accounts for: a macvlan in passthru mode, in a netns that is nobody's any more."""
    before = world.settled()
    vf = vf_of(world)
    vf.sockets = 1
    mac = vf.mac

    added = world.call("ADD", conf)

    assert (added.code, added.document["interfaces"][0]["mac"]) == (0, mac), added.text
    assert rebinds(world) == 1
    assert world.call("CHECK", conf).code == 0
    assert (world.call("DEL", conf).code, world.settled()) == (0, before)


def test_its_own_promiscuous_flag_is_no_sign(world: World, conf: dict[str, Any]) -> None:
    vf_of(world).modes = 0x100

    assert world.call("ADD", conf).code == 0

    assert rebinds(world) == 0


def test_groups_with_the_same_mac_are_no_sign(world: World, conf: dict[str, Any]) -> None:
    """239.0.0.1 and 224.0.0.1 are one Ethernet address."""
    assert world.call("ADD", conf).code == 0
    vf_of(world).groups = 2
    stack(world)

    assert world.call("CHECK", conf).code == 0
    assert world.call("DEL", conf).code == 0
    assert rebinds(world) == 0


def test_check_names_what_is_elsewhere_and_logs_what_is_in_the_pod(
    world: World, conf: dict[str, Any]
) -> None:
    assert world.call("ADD", conf).code == 0
    stack(world, kind="vlan")
    assert world.call("CHECK", conf).code == 0
    assert "vlan0" in world.log_file.read_text()
    stack(world, NESTED)

    drifted = world.call("CHECK", conf)

    assert (drifted.code, "another network namespace is stacked on net1" in drifted.text) == (107, True)


def test_a_pod_that_changes_its_links_all_the_time_hinders_no_delete(
    world: World, conf: dict[str, Any]
) -> None:
    """Then its links cannot be listed (NLM_F_DUMP_INTR), and what is stacked on the VF is not known."""
    before = world.settled()
    assert world.call("ADD", conf).code == 0
    stack(world)
    keep_changing(world, POD)

    assert world.call("DEL", conf).code == 0

    assert (world.settled(), rebinds(world)) == (before, 1)


def test_a_netns_that_cannot_be_looked_at_may_have_something(world: World, conf: dict[str, Any]) -> None:
    """The VF came home by itself: a look that fails is no proof that nothing is stacked on it."""
    before = world.settled()["kernel"]["host"]
    assert world.call("ADD", conf).code == 0
    world.kernel.kill_netns(POD)

    def no_memory(netlink: fakes.FakeNetlink) -> None:
        if netlink.namespace is world.kernel.pods[NESTED]:
            raise KernelRefused("list links", errno.ENOMEM)

    world.kernel.before("links", no_memory, always=True)

    assert world.call("DEL", conf, netns="").code == 0

    assert (world.settled()["kernel"]["host"], rebinds(world)) == (before, 1)


def test_what_is_made_while_del_looks_goes_as_well(world: World, conf: dict[str, Any]) -> None:
    before = world.settled()
    assert world.call("ADD", conf).code == 0
    stack(world)
    world.kernel.before("set_down", lambda *_: stack(world, kind="vlan", up=False))

    assert world.call("DEL", conf).code == 0

    assert world.settled() == before


def test_hundreds_of_them_go_with_the_netdev(world: World, conf: dict[str, Any]) -> None:
    """One at a time they would take seconds, and a DEL is waited for."""
    before = world.settled()
    assert world.call("ADD", conf).code == 0
    for number in range(300):
        world.kernel.stack(world.kernel.pods[POD], vf_of(world), f"mv{number}")

    assert world.call("DEL", conf).code == 0

    assert (world.settled(), rebinds(world)) == (before, 1)


def test_killed_at_any_point_of_it_the_next_delete_goes_on(world: World, conf: dict[str, Any]) -> None:
    before = world.settled()
    step = 0
    while True:
        assert world.call("ADD", conf).code == 0
        stack(world, NESTED, "vlan")
        stack(world)
        world.kernel.crash_at(step, "after")
        try:
            assert world.call("DEL", conf).code == 0
        except Crash:
            world.kernel.restart()
            assert world.call("DEL", conf, netns="").code == 0, step
            assert world.settled() == before, step
            step += 1
            continue
        assert step >= 8
        return


def test_a_driver_that_does_not_come_back_keeps_the_vf_and_ends_the_delete(
    world: World, conf: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = world.settled()
    assert world.call("ADD", conf).code == 0
    stack(world, NESTED)

    def refuse(*_: Any) -> None:
        raise KernelRefused("bind igbvf", errno.EIO)

    with monkeypatch.context() as patch:
        patch.setattr(fakes.FakeSysfs, "bind", refuse)
        assert world.call("DEL", conf).code == 0
        assert world.call("ADD", conf, "c2", NESTED).code == 11

    assert (world.call("DEL", conf).code, world.settled()) == (0, before)


def test_a_vf_that_came_home_after_its_add_was_killed_is_looked_after(
    world: World, conf: dict[str, Any]
) -> None:
    """It was in the pod by then, which its name tells: an ADD that dies before leaves it as it was."""
    for step in range(20):
        if world.kernel.pods[POD].has("net1"):
            break
        world.kernel.crash_at(step, "after")
        with pytest.raises(Crash):
            world.call("ADD", conf)
        world.kernel.restart()
    stack(world, NESTED, "vlan", up=False)
    world.kernel.kill_netns(POD)

    assert world.call("DEL", conf, netns="").code == 0

    assert (names(world, NESTED), rebinds(world)) == (["lo"], 1)


def refuse_bind(*_: Any) -> None:
    raise KernelRefused("bind igbvf", errno.EIO)


def test_a_driver_that_did_not_come_back_is_tried_again_by_whoever_wants_the_vf(
    world: World, conf: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its DEL has answered success, so no runtime repeats it."""
    assert world.call("ADD", conf).code == 0
    stack(world, NESTED)
    with monkeypatch.context() as patch:
        patch.setattr(fakes.FakeSysfs, "bind", refuse_bind)
        assert world.call("DEL", conf).code == 0
        assert "driver igbvf makes no netdev of it" in sriovctl(world, "gc").out

    added = world.call("ADD", conf, "c2", NESTED)

    assert added.code == 0, added.text


def test_a_driver_that_makes_no_netdev_is_waited_for_once(
    world: World, conf: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is bound, and says nothing (an adminq that does not answer): not every ADD may pay for that."""
    slept: list[float] = []
    assert world.call("ADD", conf).code == 0
    stack(world, NESTED)
    vf = world.kernel.pfs[0].vfs[0]

    def bind(*_: Any) -> None:
        vf.driver = "igbvf"
        world.kernel.tree.write_device(VF, "igbvf", {})
        (world.kernel.tree.device(VF) / "net").rmdir()

    monkeypatch.setattr(fakes.FakeSysfs, "bind", bind)

    def poll(missing: Any, timeout_s: float) -> Any:
        slept.append(timeout_s)
        return missing()

    monkeypatch.setattr(card, "poll", poll)

    assert world.call("DEL", conf).code == 0
    refused = [world.call("ADD", conf, "c2", NESTED).code for _ in range(3)]

    assert (refused, slept[0] >= 2, max(slept[1:]) <= 0.5) == ([11, 11, 11], True, True), slept
    monkeypatch.undo()
    assert world.call("ADD", conf, "c2", NESTED).code == 0


def test_a_delete_that_died_with_the_driver_off_is_finished_by_whoever_wants_the_vf(
    world: World, conf: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world.call("ADD", conf).code == 0
    stack(world, NESTED)
    with monkeypatch.context() as patch:
        patch.setattr(fakes.FakeSysfs, "bind", lambda *_: die())
        with pytest.raises(Crash):
            world.call("DEL", conf)
    world.kernel.restart()
    assert world.kernel.pfs[0].vfs[0].link is None

    added = world.call("ADD", conf, "c2", NESTED)

    assert added.code == 0, added.text


def die() -> None:
    raise Crash


def test_an_add_whose_vf_cannot_be_made_anew_says_so(
    world: World, conf: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    vf_of(world).sockets = 1
    with monkeypatch.context() as patch:
        patch.setattr(fakes.FakeSysfs, "bind", refuse_bind)
        refused = world.call("ADD", conf)

    assert (refused.code, "cannot be made anew: bind igbvf" in refused.text) == (11, True), refused.text
    assert world.call("ADD", conf).code == 0


@pytest.mark.parametrize("then", ["another ADD", "its ADD", "its DEL", "sriovctl gc"])
def test_an_add_that_died_while_it_made_the_vf_anew_leaves_it_as_it_was(
    world: World, conf: dict[str, Any], then: str
) -> None:
    world.kernel.add_pod("/run/netns/pod2")
    other = ("c2", "/run/netns/pod2")
    before = world.settled()
    for step in range(100):
        vf_of(world).sockets = 1
        world.kernel.crash_at(step, "after")
        try:
            assert world.call("ADD", conf).code == 0
        except Crash:
            world.kernel.restart()
            if then == "sriovctl gc":
                assert sriovctl(world, "gc").status == 0
            elif then != "its DEL":
                added = world.call("ADD", conf, *(other if then == "another ADD" else ()))
                assert added.code == 0, (step, added.text)
            assert world.call("DEL", conf, *(other if then == "another ADD" else ())).code == 0
            vf_of(world).sockets = 0  # where it died before it began, nobody has ended that
            assert world.settled() == before, step
            continue
        assert step >= 5
        return


@pytest.mark.parametrize("kind", ["bond", "bridge"])
def test_a_port_in_the_pod_is_no_sign(world: World, conf: dict[str, Any], kind: str) -> None:
    """bond-cni makes two VFs of a pod the ports of a bond, which wants multicasts of them."""
    before = world.settled()
    assert world.call("ADD", conf).code == 0
    world.kernel.enslave(world.kernel.pods[POD], vf_of(world), "bond0", kind)

    checked = world.call("CHECK", conf)
    assert checked.code == 0, checked.text
    assert world.call("DEL", conf).code == 0
    world.kernel.destroy(next(link for link in world.kernel.pods[POD].links.values() if link.name == "bond0"))
    assert (world.settled(), rebinds(world)) == (before, 0)


@pytest.mark.parametrize("cover", ["gre", "bond"])
def test_nothing_in_the_pod_hides_what_is_elsewhere(world: World, conf: dict[str, Any], cover: str) -> None:
    """A tunnel wants no multicasts of the VF. What is in the pod is taken off before the rest is counted."""
    assert world.call("ADD", conf).code == 0
    if cover == "gre":
        stack(world, kind="gre")
    else:
        world.kernel.set_down(world.kernel.enslave(world.kernel.pods[POD], vf_of(world), "bond0"))
    stack(world, NESTED)
    assert world.call("CHECK", conf).code == 107

    assert world.call("DEL", conf).code == 0

    assert (names(world, NESTED), rebinds(world)) == (["lo"], 1)


def test_a_bond_that_keeps_its_port_hinders_no_delete(world: World, conf: dict[str, Any]) -> None:
    assert world.call("ADD", conf).code == 0
    world.kernel.enslave(world.kernel.pods[POD], vf_of(world), "bond0")

    def refuse(*_: Any) -> None:
        raise KernelRefused("set link 5 master 0", errno.EBUSY)

    world.kernel.before("set_master", refuse, always=True)

    assert world.call("DEL", conf).code == 0
    assert rebinds(world) == 1


def test_a_netns_whose_links_cannot_be_listed_may_have_something(world: World, conf: dict[str, Any]) -> None:
    """It hides nothing by changing them all the time."""
    assert world.call("ADD", conf).code == 0
    stack(world, NESTED)
    world.kernel.kill_netns(POD)
    keep_changing(world, NESTED)

    assert world.call("DEL", conf, netns="").code == 0

    assert names(world, NESTED) == ["lo"]
