"""What is now, and what the host's file wants: the steps, their order, and what is refused before the first of them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cni_sriov.conf.hostfile import HostFile, PfEntry, VfRange
from cni_sriov.conf.netconf import PfSelector
from cni_sriov.decide import provision
from cni_sriov.decide.oracle import Capacity, Limit
from cni_sriov.decide.wanted import PfPlan
from cni_sriov.words.domain import PF
from cni_sriov.words.errors import BadConfig
from tests.unit.decide.port_model import ModelVf, Port, entry

C1 = "attached to c1/net1 (/run/netns/pod1)"


def plan(port: Port, wanted: PfEntry) -> PfPlan:
    return provision.plan(wanted, port.facts_for(wanted))


def said(port: Port, wanted: PfEntry) -> list[str]:
    made = plan(port, wanted)
    assert made.refused == []
    return [step.say for step in made.steps]


def refusals(port: Port, wanted: PfEntry) -> list[str]:
    made = plan(port, wanted)
    assert made.steps == []
    return [f"{error.msg} | {error.details}" for error in made.refused]


def vf_range(first: int, last: int, **keys: Any) -> VfRange:
    return VfRange([(first, last)], **keys)


# the steps ------------------------------------------------------------------------------------------------------------


def test_from_nothing_all_comes_in_the_order_in_which_it_works() -> None:
    some = [vf_range(0, 3, trust=False, spoofchk=True), vf_range(4, 6, trust=True, driver="vfio-pci")]
    wanted = entry(numvfs=7, mtu=9000, vfs=some)

    assert said(Port(up=False), wanted) == [
        "set the MTU of enp1s0f0 to 9000 (is 1500)",
        "set enp1s0f0 up",
        "give enp1s0f0 7 VFs (has none)",
        "set vf 0-3 of enp1s0f0 to trust off, spoofchk on",
        "bind vf 4-6 of enp1s0f0 to vfio-pci",
        "set vf 4-6 of enp1s0f0 to trust on",
    ]


def test_what_is_so_has_no_step() -> None:
    port = Port(mtu=9000, vfs=[ModelVf(trust=True, golden={"trust": True}), ModelVf(driver="vfio-pci")])
    some = [
        vf_range(0, 0, trust=True, driver="kernel"),
        vf_range(1, 1, spoofchk=True, driver="auto", mtu=9000),
    ]

    assert said(port, entry(numvfs=2, mtu=9000, vfs=some)) == []
    assert said(Port(), entry(up=False)) == said(Port(), entry()) == []


@pytest.mark.parametrize(("has", "wanted", "say"), [
    (0, 1, ["give enp1s0f0 1 VF (has none)"]),
    (3, 4, ["give enp1s0f0 4 VFs (has 3, which go)"]),
    (4, 0, ["remove the 4 VFs of enp1s0f0"]),
    (0, 0, []),
    (7, 7, []),
    (0, "max", ["give enp1s0f0 5 VFs (has none)"]),
    (2, "max", ["give enp1s0f0 5 VFs (has 2, which go)"]),
    (5, "max", []),
    (6, "max", []),
    (3, None, []),
])  # fmt: skip
def test_how_many(has: int, wanted: int | str | None, say: list[str]) -> None:
    """The slot has room for five, says the oracle; it is wrong where there are six already."""
    port = Port(room=5, vfs=[ModelVf() for _ in range(has)])

    assert said(port, entry(numvfs=wanted)) == say


def test_only_what_differs_is_set_and_vfs_of_one_kind_are_one_step() -> None:
    vfs = [ModelVf(), ModelVf(trust=True), ModelVf(), ModelVf(trust=True, spoofchk=False), ModelVf()]

    assert said(Port(vfs=vfs), entry(vfs=[vf_range(0, 4, trust=True, spoofchk=True)])) == [
        "set vf 0,2,4 of enp1s0f0 to trust on",
        "set vf 3 of enp1s0f0 to spoofchk on",
    ]


def test_what_del_would_bring_back_counts_as_well() -> None:
    by_hand = ModelVf(trust=True, golden={"trust": False, "spoofchk": True})

    assert said(Port(vfs=[by_hand]), entry(vfs=[vf_range(0, 0, trust=True)])) == [
        "set vf 0 of enp1s0f0 to trust on",
    ]


def test_what_a_driver_does_not_tell_is_not_judged() -> None:
    wanted = entry(vfs=[vf_range(0, 0, trust=True, mtu=9000)])
    facts = Port(vfs=[ModelVf()]).facts_for(wanted)
    facts.vfs[0].now = {}

    assert provision.plan(wanted, facts).steps == []


def test_new_vfs_of_a_kernel_that_binds_none_are_bound() -> None:
    wanted = entry(numvfs=2, vfs=[vf_range(0, 1, driver="kernel")])
    facts = Port().facts_for(wanted)
    facts.probes = False

    assert [step.say for step in provision.plan(wanted, facts).steps] == [
        "give enp1s0f0 2 VFs (has none)",
        "bind vf 0-1 of enp1s0f0 to its kernel driver",
    ]


# what is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_container_keeps_its_vf_and_is_named(count: int) -> None:
    port = Port(up=False, vfs=[ModelVf(), ModelVf(), ModelVf(use=C1)])

    (why,) = refusals(port, entry(numvfs=count, mtu=1500))

    assert f"change enp1s0f0 from 3 to {count} VFs: 1 of them in use, and all would go" in why
    assert f"vf 2 (0000:01:10.2): {C1}" in why
    assert "sriovctl gc" in why


def test_a_port_is_not_reset_under_a_container() -> None:
    (why,) = refusals(Port(vfs=[ModelVf(use=C1)]), entry(mtu=9000))

    assert "set the MTU of enp1s0f0 to 9000: 1 of its VFs in use" in why
    assert C1 in why


def test_a_containers_driver_is_not_changed_and_nothing_else_is_done() -> None:
    port = Port(up=False, vfs=[ModelVf(), ModelVf(use=C1)])

    (why,) = refusals(port, entry(vfs=[vf_range(0, 1, driver="vfio-pci", trust=True)]))

    assert f"bind vf 1 of enp1s0f0 to vfio-pci: it is in use, {C1}" in why


def test_defaults_of_a_vf_in_use_are_left_and_told() -> None:
    port = Port(vfs=[ModelVf(use=C1, trust=True, golden={"trust": False}), ModelVf()])

    made = plan(port, entry(vfs=[vf_range(0, 1, trust=True)]))

    assert [step.say for step in made.steps] == ["set vf 1 of enp1s0f0 to trust on"]
    assert made.left == [f"vf 0 of enp1s0f0 is not set to trust on: {C1}"]


def test_what_a_container_asked_for_itself_is_no_difference() -> None:
    port = Port(vfs=[ModelVf(use=C1, trust=True, golden={"trust": False})])

    made = plan(port, entry(vfs=[vf_range(0, 0, trust=False)]))

    assert (made.steps, made.left) == ([], [])


def test_a_golden_baseline_that_cannot_be_read_is_left() -> None:
    wanted = entry(vfs=[vf_range(0, 0, trust=True)])
    facts = Port(vfs=[ModelVf()]).facts_for(wanted)
    facts.vfs[0].unclear = "read /run/x: it is no JSON"

    made = provision.plan(wanted, facts)

    assert (made.steps, made.left) == (
        [],
        ["vf 0 of enp1s0f0 is not set to trust on: read /run/x: it is no JSON"],
    )


def test_what_the_slot_cannot_carry_is_refused_with_the_reason() -> None:
    assert (
        "give enp1s0f0 6 VFs: bus 02 is out of reach: 5 VFs at most | another slot"
        in refusals(Port(room=5), entry(numvfs=6))[0]
    )
    assert "give enp1s0f0 8 VFs: it can have at most 7" in refusals(Port(room=8), entry(numvfs=8))[0]
    assert "give enp1s0f0 VFs: bus 02 is out of reach" in refusals(Port(room=0), entry(numvfs="max"))[0]


def test_what_the_slot_may_not_carry_is_tried_and_told() -> None:
    wanted, port = entry(numvfs=7), Port()
    facts = port.facts_for(wanted)
    facts.capacity = Capacity(5, [Limit(5, "the window may be too small", "window", is_certain=False)])

    made = provision.plan(wanted, facts)

    assert ([step.value for step in made.steps], made.refused) == ([7], [])
    assert made.notes == ["the kernel may refuse to give enp1s0f0 7 VFs: the window may be too small"]


@pytest.mark.parametrize("mtu", [67, 9217])
def test_an_mtu_that_the_port_does_not_take(mtu: int) -> None:
    assert f"set the MTU of enp1s0f0 to {mtu}: it takes 68-9216" in refusals(Port(), entry(mtu=mtu))[0]


@pytest.mark.parametrize("has", [0, 2])
def test_a_driver_that_cannot_be_is_refused_before_anything_is_done(has: int) -> None:
    port = Port(has_iommu=False, up=False, vfs=[ModelVf() for _ in range(has)])

    found = refusals(port, entry(numvfs=2, vfs=[vf_range(0, 1, driver="auto")]))

    assert found
    assert all("to auto: no IOMMU | switch it on" in why for why in found)


@pytest.mark.parametrize("keys", [{"mtu": 9000}, {}, {"up": False, "vfs": [vf_range(0, 0, trust=True)]}])
def test_a_pf_without_netdev(keys: dict[str, Any]) -> None:
    wanted = entry(**keys)
    facts = Port(vfs=[ModelVf()]).facts_for(wanted)
    facts.link, facts.pf.driver = None, "vfio-pci"

    made = provision.plan(wanted, facts)

    assert made.steps == []
    assert all("it has no network interface on the host" in error.msg for error in made.refused)
    assert "sriovctl bind 0000:01:00.0 kernel" in made.refused[0].details


# which PFs ------------------------------------------------------------------------------------------------------------

PFS = [
    PF("0000:01:00.0", "enp1s0f0", 5, "igb", 0, 7, 0x8086, 0x10C9),
    PF("0000:01:00.1", "enp1s0f1", 6, "igb", 0, 7, 0x8086, 0x10C9),
    PF("0000:41:00.0", "enp65s0", 7, "mlx5_core", 0, 8, 0x15B3, 0x1019),
]


def selected(*selectors: dict[str, Any]) -> tuple[list[tuple[str, str]], list[str]]:
    keys = ("names", "pci_addresses", "vendors", "devices", "drivers", "vfs")
    entries = [
        entry(f"pfs[{n}]", selector=PfSelector(**(dict.fromkeys(keys) | one)))
        for n, one in enumerate(selectors)
    ]
    chosen, missing = provision.select(HostFile(entries), PFS, _ifindex)
    return [(one.where, pf.ifname) for one, pf in chosen], [one.where for one in missing]


def _ifindex(name: str) -> int:
    return {"enp1s0f0": 5, "alt": 6, "enp65s0": 7}.get(name, 0)


def test_all_that_is_given_must_match() -> None:
    assert selected({"vendors": [0x8086]}, {"drivers": ["mlx5_core"]}) == (
        [("pfs[0]", "enp1s0f0"), ("pfs[0]", "enp1s0f1"), ("pfs[1]", "enp65s0")],
        [],
    )
    assert selected({"vendors": [0x8086], "names": ["alt"]}) == ([("pfs[0]", "enp1s0f1")], [])
    assert selected({"names": ["enp65s0"], "vendors": [0x8086]}) == ([], ["pfs[0]"])
    assert selected({"names": ["gone"]}, {"pci_addresses": ["0000:01:00.0"]}) == (
        [("pfs[1]", "enp1s0f0")],
        ["pfs[0]"],
    )
    assert selected() == ([], [])


def test_two_entries_for_one_pf_are_both_named() -> None:
    with pytest.raises(BadConfig, match=r"plan enp1s0f1: pfs\[0\] and pfs\[2\] both match it"):
        selected({"vendors": [0x8086]}, {"names": ["enp65s0"]}, {"names": ["alt"]})


# any ------------------------------------------------------------------------------------------------------------------

MAYBE = st.sampled_from([None, True, False])
DRIVERS = st.sampled_from(["", "kernel", "auto", "vfio-pci", "uio_pci_generic"])
GOLDEN = st.none() | st.fixed_dictionaries(
    {"trust": st.booleans(), "spoofchk": st.booleans(), "mtu": st.sampled_from([1500, 9000])}
)
VFS = st.builds(
    ModelVf,
    st.sampled_from(["igbvf", "vfio-pci", ""]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([1500, 9000]),
    GOLDEN,
    st.sampled_from(["", "", "", C1]),
)
FRESH = st.builds(ModelVf, st.just("igbvf"), st.booleans(), st.booleans(), st.sampled_from([1500, 2000]))
PORTS = st.builds(
    Port,
    room=st.integers(0, 8),
    mtu=st.sampled_from([1500, 9000]),
    up=st.booleans(),
    has_iommu=st.booleans(),
    fresh=FRESH,
    vfs=st.lists(VFS, max_size=7),
)


@st.composite
def entries(draw: st.DrawFn) -> PfEntry:
    cut = draw(st.integers(0, 7))
    some = [
        VfRange([ends], draw(MAYBE), draw(MAYBE), draw(st.sampled_from([None, 1500, 9000])), draw(DRIVERS))
        for ends in ((0, cut - 1), (cut, 7))
        if ends[0] <= ends[1] and draw(st.booleans())
    ]
    numvfs = draw(st.sampled_from([None, "max", *range(9)]))
    return entry(
        numvfs=numvfs, mtu=draw(st.sampled_from([None, 1500, 9000])), up=draw(st.booleans()), vfs=some
    )


@settings(max_examples=600, deadline=None, derandomize=True)
@given(PORTS, entries())
def test_a_plan_that_was_carried_out_brings_what_is_wanted_and_leaves_an_empty_one(
    port: Port, wanted: PfEntry
) -> None:
    before = copy.deepcopy(port)
    made = plan(port, wanted)
    if made.refused:
        assert made.steps == []
        return

    for step in made.steps:
        port.act(step)

    assert port.wrong(wanted, before) == []
    again = plan(port, wanted)
    assert ([step.say for step in again.steps], again.refused) == ([], [])
    assert again.left == made.left


@settings(max_examples=300, deadline=None, derandomize=True)
@given(PORTS, entries(), st.integers(0, 8))
def test_killed_between_any_two_steps_the_next_plan_finishes_it(
    port: Port, wanted: PfEntry, killed_after: int
) -> None:
    before = copy.deepcopy(port)
    made = plan(port, wanted)
    for step in made.steps[:killed_after]:
        port.act(step)

    again = plan(port, wanted)
    for step in again.steps:
        port.act(step)

    assert bool(again.refused) == bool(made.refused)
    if not made.refused:
        assert port.wrong(wanted, before) == []
        assert plan(port, wanted).steps == []
