"""What `apply` looks at before it plans: the PFs with their IDs, what VFs are and were at first, and what a boot still
has to bring.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from cni_sriov.conf import hostfile
from cni_sriov.ctl import apply_look
from cni_sriov.ctl.apply_look import NodeDrivers
from cni_sriov.decide.planner import Plan
from cni_sriov.decide.wanted import PfFacts
from cni_sriov.kernel.replies import Address
from cni_sriov.vf import golden
from cni_sriov.words.errors import PfUnusable
from cni_sriov.words.record import VfState
from tests.unit.ctl.applied import OTHER, PORT, Heard, document, run, site
from tests.unit.ctl.tool import attach, files, host
from tests.world import World


def look(world: World, **entry: Any) -> PfFacts:
    (parsed,) = hostfile.parse(document({"pf": PORT} | entry)).pfs
    pf = next(pf for pf in apply_look.pfs(host(world)) if pf.ifname == "enp1s0f0")
    return apply_look.pf_facts(site(world), parsed, pf)


def test_pfs_come_with_their_pci_ids(empty: World) -> None:
    found = apply_look.pfs(host(empty))

    assert [(pf.ifname, pf.vendor, pf.device) for pf in found] == [
        *(("enp1s0f0", 0x8086, 0x10C9), ("enp1s0f1", 0x8086, 0x10C9)),
    ]


def test_a_vf_is_told_as_it_is_and_as_it_was_at_first(world: World) -> None:
    node = host(world)
    kept = golden.Golden(
        node.sysfs.inode("0000:01:10.2"), VfState(trust=True, spoofchk=False, own_mac="x", mtu=1400)
    )
    golden.keep(node, "0000:01:10.2", kept)
    world.kernel.pfs[0].vfs[0].state.trust = True

    found = look(world, vfs=[{"range": "0-1", "mtu": 1500, "driver": "auto"}])

    assert [(vf.index, vf.pci, vf.now, vf.first) for vf in found.vfs[:3]] == [
        (0, "0000:01:10.0", {"trust": True, "spoofchk": True, "mtu": 1500}, None),
        (
            *(1, "0000:01:10.2", {"trust": False, "spoofchk": True, "mtu": 1500}),
            {"trust": True, "spoofchk": False, "mtu": 1400},
        ),
        (2, "0000:01:10.4", {}, None),
    ]
    assert [vf.driver_plan is not None for vf in found.vfs[:3]] == [True, True, False]


def test_the_golden_baseline_of_another_instance_is_none(world: World) -> None:
    golden.keep(host(world), "0000:01:10.0", golden.Golden(999, VfState(trust=True)))

    assert look(world, vfs=[{"range": "0", "trust": "on"}]).vfs[0].first is None


def test_one_that_cannot_be_read_is_told_with_its_remedy(world: World) -> None:
    golden.keep(host(world), "0000:01:10.0", golden.Golden(1, VfState()))
    (world.run_dir / "golden/0000:01:10.0").write_text("{")

    found = look(world, vfs=[{"range": "0", "trust": "on"}])

    assert "sriovctl baseline --take 0000:01:10.0" in found.vfs[0].unclear


def test_who_has_a_vf_is_named_whoever_it_is(world: World) -> None:
    attach(world)
    kernel = world.kernel
    pod = kernel.add_pod("/run/netns/other")
    kernel.move(kernel.host, kernel.netlink.ifindex("enp1s0f0v2"), pod, "eth0")
    links = {link.name: link for link in kernel.host.links.values()}
    kernel.add_upper(links["enp1s0f0v3"], "br0")
    links["enp1s0f0v4"].addresses.append(Address("192.0.2.1/24", 0, 0))
    (world.run_dir / "claims/0000:01:00.0+0000:01:11.2").write_text("{")

    assert [vf.use for vf in look(world).vfs] == [
        "attached to c1/net1 (/run/netns/pod1)",
        "",
        "its netdev is in another network namespace",
        "enp1s0f0v3 is a port of br0",
        "enp1s0f0v4 has the address 192.0.2.1/24",
        "taken, by a claim that cannot be read",
        "",
    ]


@pytest.mark.parametrize(("numvfs", "asks"), [(None, False), (7, False), (3, True), ("max", True)])
def test_the_oracle_and_the_drivers_of_new_vfs_are_asked_where_numvfs_changes(
    world: World, numvfs: int | str | None, asks: bool
) -> None:
    ranges = [{"range": "0", "driver": "auto"}, {"range": "1", "driver": "kernel"}]

    found = look(world, vfs=ranges, **({} if numvfs is None else {"numvfs": numvfs}))

    assert (list(found.fresh), bool(found.capacity.limits)) == (["auto"] if asks else [], asks)
    assert found.capacity.count == 7


# drivers of VFs that are not made yet --------------------------------------------------------------------------------


def fresh(world: World, wanted: str) -> Plan:
    node = host(world)
    return NodeDrivers(node, files(world)).fresh(apply_look.pfs(node)[0], wanted)


def test_a_vf_that_is_to_come_is_judged_like_one_that_is_there(empty: World) -> None:
    """Not like its PF, which is never bound away without --force, and whose group may have others in it."""
    empty.kernel.tree.add_iommu()
    empty.kernel.tree.add_driver("vfio-pci")

    for wanted in ("auto", "vfio-pci"):
        found = fresh(empty, wanted)
        assert (found.driver, found.is_change) == ("vfio-pci", True)


def test_where_a_vf_could_not_be_bound_one_that_is_to_come_cannot_either(empty: World) -> None:
    with pytest.raises(PfUnusable, match="IOMMU"):
        fresh(empty, "auto")
    empty.kernel.tree.add_iommu()
    with pytest.raises(PfUnusable, match="has no module for it"):
        fresh(empty, "igb_uio")


# the boot -------------------------------------------------------------------------------------------------------------


def waited_for(world: World, *entries: dict[str, Any]) -> list[str]:
    return apply_look.not_there_yet(site(world), hostfile.parse(document(*entries)))


def udev(world: World, *, busy: bool, named: list[str]) -> None:
    """As its directories in /run tell: Sysfs and the node's files have different ones in this fake."""
    for root in (world.kernel.root / "run/udev", world.root / "run/udev"):
        (root / "data").mkdir(parents=True, exist_ok=True)
        (root / "control").touch()
        (root / "queue").unlink(missing_ok=True)
        if busy:
            (root / "queue").touch()
        for name in named:
            (root / "data" / f"n{world.kernel.netlink.ifindex(name)}").touch()


def test_what_must_be_there_is_waited_for(empty: World) -> None:
    gone = {"pf": {"names": ["enp9s0"]}}

    assert waited_for(empty, {"pf": PORT}, gone) == ["pfs[1] matches no PF yet"]
    assert waited_for(empty, {"pf": PORT}, gone | {"optional": True}) == []


def test_while_udev_has_work_so_is_what_may_be_there(empty: World) -> None:
    gone = {"pf": {"names": ["enp9s0"]}, "optional": True}
    names = ["enp1s0f0", "enp1s0f1"]
    udev(empty, busy=True, named=names)

    assert waited_for(empty, {"pf": PORT}, gone) == ["pfs[1] matches no PF yet"]
    udev(empty, busy=False, named=names)
    assert waited_for(empty, {"pf": PORT}, gone) == []


def test_a_name_that_udev_has_not_given_is_waited_for(empty: World) -> None:
    udev(empty, busy=False, named=["enp1s0f0"])

    assert waited_for(empty, {"pf": PORT}, {"pf": OTHER}) == ["enp1s0f1 is not named by udev yet"]


def test_a_pf_without_netdev_is_waited_for_while_udev_has_work(empty: World) -> None:
    entry = {"pf": {"pciAddresses": ["0000:01:00.0"]}}
    empty.kernel.destroy(empty.kernel.pfs[0].link)
    udev(empty, busy=True, named=[])

    assert waited_for(empty, entry) == ["0000:01:00.0 has no network interface yet"]
    udev(empty, busy=False, named=[])
    assert waited_for(empty, entry) == []


def test_a_card_that_comes_late_is_taken(empty: World) -> None:
    looks = []

    def comes(*_: object) -> None:
        looks.append(1)
        if len(looks) == 3:
            empty.kernel.add_pf("enp9s0", "0000:09:00.0")

    empty.kernel.before("ifindex", comes, always=True)

    heard = Heard()

    applied = run(empty, {"pf": {"names": ["enp9s0"]}, "numvfs": 2}, wait_s=20, heard=heard)

    assert applied.is_good, json.dumps(applied.to_json())
    assert len(empty.kernel.pfs[2].vfs) == 2
    assert heard.lines[0] == "pfs[0] matches no PF yet"
