"""`sriovctl apply`: from nothing to what the file says, nothing at the second time, and no VF from a container."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest

from cni_sriov.decide.wanted import Step
from tests.fakes.effects import Crash
from tests.pages import table_rows
from tests.unit.ctl.applied import OTHER, PORT, Heard, run, said, states
from tests.unit.ctl.tool import attach, sriovctl
from tests.world import World

RANGES: list[dict[str, Any]] = [
    {"range": "0-3", "trust": "on", "spoofchk": "off", "driver": "kernel", "mtu": 9000},
    {"range": "4-6", "driver": "auto", "trust": "off"},
]
ENTRY: dict[str, Any] = {"pf": PORT, "numvfs": 7, "mtu": 9000, "vfs": RANGES}
SECOND: dict[str, Any] = {"pf": OTHER, "numvfs": 4}
WANTED = [("igbvf", True, False)] * 4 + [("vfio-pci", False, True)] * 3


def mtus(world: World, number: int = 0) -> list[int]:
    return [vf.link.mtu for vf in world.kernel.pfs[number].vfs if vf.link is not None]


def test_a_bare_card_becomes_what_the_file_says(empty: World) -> None:
    applied = run(empty, ENTRY, SECOND)

    assert applied.is_good, applied.to_json()
    assert (states(empty), mtus(empty)) == (WANTED, [9000] * 4)
    assert [empty.kernel.pfs[0].link.mtu, len(empty.kernel.pfs[1].vfs), empty.kernel.pfs[1].link.is_up] == [
        *(9000, 4, True),
    ]
    assert said(applied) == [
        "set the MTU of enp1s0f0 to 9000 (is 1500)",
        "give enp1s0f0 7 VFs (has none)",
        "set vf 0-3 of enp1s0f0 to trust on, spoofchk off, mtu 9000",
        "bind vf 4-6 of enp1s0f0 to vfio-pci",
    ]


def test_the_second_time_nothing_is_changed(empty: World) -> None:
    run(empty, ENTRY, SECOND)
    effects, golden = list(empty.kernel.effects), golden_of(empty)

    again = run(empty, ENTRY, SECOND)

    assert again.is_good
    assert (again.to_json()["changed"], said(again), said(again, 1)) == (False, [], [])
    assert (empty.kernel.effects, golden_of(empty)) == (effects, golden)


def golden_of(world: World) -> dict[str, Any]:
    return {path.name: json.loads(path.read_text()) for path in sorted((world.run_dir / "golden").glob("*"))}


def test_a_dry_run_says_it_and_changes_nothing(empty: World) -> None:
    before = copy.deepcopy(empty.snapshot())

    planned = run(empty, ENTRY, SECOND, dry_run=True)

    assert (empty.snapshot(), empty.kernel.effects) == (before, [])
    assert not empty.run_dir.exists()
    assert [step["say"] for step in planned.to_json()["pfs"][0]["plan"]] == [
        "set the MTU of enp1s0f0 to 9000 (is 1500)",
        "give enp1s0f0 7 VFs (has none)",
        "set vf 0-3 of enp1s0f0 to trust on, spoofchk off, mtu 9000",
        "bind vf 4-6 of enp1s0f0 to vfio-pci",
        "set vf 4-6 of enp1s0f0 to trust off",
    ]


def test_what_happens_is_told_while_it_does(empty: World) -> None:
    heard = Heard()

    run(empty, {"pf": PORT, "numvfs": 2, "vfs": [{"range": "0-1", "trust": "on"}]}, heard=heard)

    assert heard.lines == [
        *("give enp1s0f0 2 VFs (has none)", "done", "set vf 0-1 of enp1s0f0 to trust on", ".", ".", "done"),
    ]


def test_the_document_is_the_pages(empty: World) -> None:
    rows = [cell for row in table_rows("docs/provisioning.md") for cell in row[:1]]
    told = {name for cell in rows for name in re.findall(r"`([^`]+)`", cell)}

    document = run(empty, ENTRY).to_json()

    assert {f"{key}[]" if isinstance(value, list) else key for key, value in document.items()} <= told
    assert {f"pfs[].{key}" for key in document["pfs"][0]} <= told
    assert [set(step) for step in document["pfs"][0]["plan"]] == [{"kind", "say", "vfs"}] * 5


# whoever has a VF -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("numvfs", [0, 3, 6])
def test_a_container_keeps_its_vf_and_is_named(world: World, numvfs: int) -> None:
    attach(world, vlan=100)
    before, effects = copy.deepcopy(world.snapshot()), list(world.kernel.effects)

    applied = run(world, {"pf": PORT, "numvfs": numvfs, "vfs": []})

    assert not applied.is_good
    assert (world.snapshot(), world.kernel.effects) == (before, effects)
    (why,) = applied.to_json()["pfs"][0]["refused"]
    assert why["code"] == 101
    assert "vf 0 (0000:01:10.0): attached to c1/net1 (/run/netns/pod1)" in why["details"]


def test_a_refused_pf_does_not_keep_another_one_back(world: World) -> None:
    attach(world)
    world.kernel.add_pf("enp1s0f1", "0000:01:00.1")

    applied = run(world, {"pf": PORT, "numvfs": 3}, SECOND)

    assert [pf.is_good for pf in applied.pfs] == [False, True]
    assert [len(pf.vfs) for pf in world.kernel.pfs] == [7, 4]


def test_defaults_of_an_attached_vf_are_left_and_told(world: World) -> None:
    attach(world)

    applied = run(world, {"pf": PORT, "vfs": [{"range": "0-1", "trust": "on"}]})

    assert applied.is_good
    assert applied.pfs[0].plan.left == [
        "vf 0 of enp1s0f0 is not set to trust on: attached to c1/net1 (/run/netns/pod1)",
    ]
    assert [trust for _, trust, _ in states(world)[:3]] == [False, True, False]


class Meanwhile(Heard):
    """An ADD comes when that step begins."""

    def __init__(self, world: World, begins: str) -> None:
        super().__init__()
        self._world, self._begins = world, begins

    def begin(self, step: Step) -> None:
        super().begin(step)
        if step.say.startswith(self._begins):
            attach(self._world)


@pytest.mark.parametrize(("entry", "begins", "words"), [
    ({"vfs": [{"range": "0-5", "trust": "on"}, {"range": "6", "trust": "on"}]}, "set vf 0-5", "vf 0 is in use by now"),
    ({"numvfs": 3}, "give", "1 of them in use"),
    ({"mtu": 9000}, "set the MTU", "1 of its VFs are in use by now"),
])  # fmt: skip
def test_who_took_a_vf_since_the_plan_keeps_it(
    world: World, entry: dict[str, Any], begins: str, words: str
) -> None:
    applied = run(world, {"pf": PORT} | entry, heard=Meanwhile(world, begins))

    failed = applied.pfs[0].failed
    assert failed is not None
    assert words in failed.msg
    assert "attached to c1/net1" in str(failed)
    assert (states(world)[0], len(states(world)), world.kernel.pfs[0].link.mtu) == (
        ("igbvf", False, True),
        7,
        1500,
    )
    assert applied.pfs[0].done == []
    assert len(applied.pfs[0].undone) == len(entry.get("vfs", [1]))


# the golden baseline --------------------------------------------------------------------------------------------------


def test_del_brings_back_the_operators_default(world: World) -> None:
    ranges = [{"range": "0", "trust": "on", "spoofchk": "off", "mtu": 1400}]
    run(world, {"pf": PORT, "vfs": ranges})

    attach(world, trust="off", spoofchk="on", mtu=9000)
    assert world.call("DEL", world.conf(ipam=world.ipam())).code == 0

    vf = world.kernel.pfs[0].vfs[0]
    assert vf.link is not None
    assert (vf.state.trust, vf.state.spoofchk, vf.link.mtu) == (True, False, 1400)
    assert "put right" not in world.log_file.read_text()


def test_a_default_after_a_container_replaces_what_was_golden(world: World) -> None:
    attach(world, vlan=100)
    assert world.call("DEL", world.conf(ipam=world.ipam())).code == 0
    before = golden_of(world)["0000:01:10.0"]
    world.kernel.pfs[0].vfs[0].state.vlan = 7  # by hand, and in no file: no default of anybody

    run(world, {"pf": PORT, "vfs": [{"range": "0", "trust": "on"}]})

    after = golden_of(world)["0000:01:10.0"]
    assert (before["state"]["trust"], after["state"]["trust"]) == (False, True)
    assert after["state"] | {"trust": False} == before["state"]
    assert after["traits"] == before["traits"]
    attach(world)
    assert [line for line in world.log_file.read_text().splitlines() if "trust" in line] == []
    assert world.kernel.pfs[0].vfs[0].state.vlan == 0


def test_what_somebody_set_by_hand_is_put_right_with_its_golden_one(world: World) -> None:
    ranges = [{"range": "0", "trust": "on"}]
    run(world, {"pf": PORT, "vfs": ranges})
    world.kernel.pfs[0].vfs[0].state.trust = False

    assert said(run(world, {"pf": PORT, "vfs": ranges})) == ["set vf 0 of enp1s0f0 to trust on"]
    assert states(world)[0][1] is True


def test_new_vfs_have_new_golden_ones(world: World) -> None:
    ranges = [{"range": "0-2", "trust": "on"}]
    run(world, {"pf": PORT, "vfs": ranges})
    first = golden_of(world)

    run(world, {"pf": PORT, "numvfs": 3, "vfs": ranges})

    assert [trust for _, trust, _ in states(world)] == [True] * 3
    for vf in ("0000:01:10.0", "0000:01:10.2", "0000:01:10.4"):
        assert golden_of(world)[vf]["inode"] != first[vf]["inode"]


# trouble --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_step_that_fails_ends_its_pf_alone(empty: World, when: str) -> None:
    """Effects: MTU, 7 VFs, then the first VF's trust, ..."""
    empty.kernel.fail_effect(2, when)
    heard = Heard()

    applied = run(empty, ENTRY, SECOND, heard=heard)

    first, second = applied.pfs
    assert (first.is_good, second.is_good, len(empty.kernel.pfs[1].vfs)) == (False, True, 4)
    assert first.failed is not None
    assert "enp1s0f0 vf 0: driver igb refused" in first.failed.msg
    assert [step.kind for step in first.done] == ["mtu", "numvfs"]
    assert [step.kind for step in first.undone] == ["defaults", "driver"]
    assert heard.lines[4:6] == [
        "set vf 0-3 of enp1s0f0 to trust on, spoofchk off, mtu 9000",
        f"failed: {first.failed.msg}",
    ]
    assert run(empty, ENTRY, SECOND).is_good
    assert states(empty) == WANTED


def effects_of_all(world: World) -> int:
    run(world, ENTRY, SECOND)
    return len(world.kernel.effects)


def test_killed_anywhere_the_next_call_finishes_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    count = effects_of_all(bare(tmp_path_factory))
    assert (
        count == 2 + 4 * 3 + 3 + 2
    )  # MTU and numvfs; trust, spoofchk, mtu; drivers; the other port's UP and numvfs
    for k in range(count):
        for when in ("before", "after"):
            world = bare(tmp_path_factory)
            world.kernel.crash_at(k, when)
            with pytest.raises(Crash):
                run(world, ENTRY, SECOND)
            world.kernel.restart()

            applied = run(world, ENTRY, SECOND)

            assert applied.is_good, (k, when, applied.to_json())
            assert (states(world), mtus(world), len(world.kernel.pfs[1].vfs)) == (WANTED, [9000] * 4, 4)
            assert said(run(world, ENTRY, SECOND)) == []


def bare(factory: pytest.TempPathFactory) -> World:
    world = World(factory.mktemp("bare"))
    world.kernel.add_pf("enp1s0f0", "0000:01:00.0")
    world.kernel.add_pf("enp1s0f1", "0000:01:00.1", up=False)
    return world


def test_a_driver_that_takes_it_without_effect_is_told(world: World) -> None:
    """Somebody sets it back each time."""

    def set_back(*_: object) -> None:
        world.kernel.pfs[0].vfs[0].state.trust = False

    world.kernel.before("vf_states", set_back, always=True)

    applied = run(world, {"pf": PORT, "vfs": [{"range": "0", "trust": "on"}]})

    failed = applied.pfs[0].failed
    assert failed is not None
    assert "set trust on on enp1s0f0 vf 0: afterwards it is trust off" in failed.msg
    assert not (world.run_dir / "golden").exists()


def test_what_matches_nothing_is_an_error_unless_it_may(empty: World) -> None:
    gone = {"pf": {"names": ["enp9s0"]}, "numvfs": 7}

    applied = run(empty, gone, SECOND)

    assert (applied.is_good, len(empty.kernel.pfs[1].vfs)) == (False, 4)
    assert [error.msg for error in applied.troubles] == ["plan pfs[0]: no PF of this node matches it"]
    assert run(empty, gone | {"optional": True}, SECOND).is_good


def test_a_pf_that_cannot_be_seen_keeps_no_other_back(empty: World) -> None:
    def refuse(face: object, ifindex: int) -> None:
        if ifindex == empty.kernel.netlink.ifindex("enp1s0f0"):
            raise OSError(5, "Input/output error", "enp1s0f0")

    empty.kernel.before("link_by_index", refuse, always=True)

    applied = run(empty, ENTRY, SECOND)

    assert [pf.plan.name for pf in applied.pfs] == ["enp1s0f1"]
    assert [error.code for error in applied.troubles] == [5]
    assert "plan enp1s0f0: " in applied.troubles[0].msg
    assert len(empty.kernel.pfs[1].vfs) == 4


def test_a_driver_that_cannot_be_stops_before_the_first_change(empty: World) -> None:
    entry = {"pf": PORT, "numvfs": 7, "vfs": [{"range": "0", "driver": "auto"}]}

    applied = run(empty, entry, has_iommu=False)

    assert ([pf.is_good for pf in applied.pfs], empty.kernel.effects) == ([False], [])


# the front door -------------------------------------------------------------------------------------------------------


def write(world: World, document: dict[str, Any] | str) -> None:
    path = world.root / "etc/cni-sriov/host.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))


def test_the_default_file_is_taken_and_the_verdict_is_the_status(empty: World) -> None:
    write(empty, {"pfs": [{"pf": PORT, "numvfs": 3}, {"pf": OTHER, "numvfs": "max"}]})

    dry = sriovctl(empty, "apply", "--dry-run")
    run = sriovctl(empty, "apply")
    again = sriovctl(empty, "apply", "/etc/cni-sriov/host.json", "--json")

    assert (dry.status, dry.out.splitlines()[:2]) == (
        0,
        ["enp1s0f0 (0000:01:00.0): 1 to do", "  would give enp1s0f0 3 VFs (has none)"],
    )
    assert (run.status, [len(pf.vfs) for pf in empty.kernel.pfs]) == (0, [3, 7]), run.err
    assert "give enp1s0f0 3 VFs (has none)\n" in run.err
    assert "enp1s0f1 (0000:01:00.1): 2 done" in run.out
    assert (again.status, again.document["changed"], again.document["dryRun"], again.err) == (
        0,
        False,
        False,
        "",
    )
    assert [pf["done"] for pf in again.document["pfs"]] == [[], []]


def test_a_refusal_is_status_1_and_the_container_is_named(world: World) -> None:
    attach(world)
    write(world, {"pfs": [{"pf": PORT, "numvfs": 3}]})

    run = sriovctl(world, "apply")

    assert (run.status, len(world.kernel.pfs[0].vfs)) == (1, 7)
    assert "enp1s0f0 (0000:01:00.0): nothing is done to it" in run.out
    assert "attached to c1/net1 (/run/netns/pod1)" in run.out


def test_drivers_are_bound_as_bind_does_it(world: World) -> None:
    """And back: what it was before is kept by `bind`, so `restore` knows it."""
    world.kernel.tree.add_iommu()
    world.kernel.tree.add_driver("vfio-pci")
    write(world, {"pfs": [{"pf": PORT, "vfs": [{"range": "4-6", "driver": "auto"}]}]})

    run, again = sriovctl(world, "apply"), sriovctl(world, "apply", "--json")
    restored = sriovctl(world, "restore", "0000:01:11.4")

    assert (run.status, again.status, again.document["changed"], restored.status) == (0, 0, False, 0), run.out
    assert [driver for driver, *_ in states(world)] == ["igbvf"] * 4 + ["vfio-pci"] * 2 + ["igbvf"]


def test_without_an_iommu_auto_is_refused_as_bind_refuses_it(world: World) -> None:
    world.kernel.tree.add_driver("vfio-pci")
    write(world, {"pfs": [{"pf": PORT, "numvfs": 3, "vfs": [{"range": "2", "driver": "auto"}]}]})

    run = sriovctl(world, "apply")

    assert (run.status, len(world.kernel.pfs[0].vfs), world.kernel.effects) == (1, 7, [])
    assert "bind VFs of enp1s0f0 to auto: " in run.out
    assert "IOMMU" in run.out


@pytest.mark.parametrize(("text", "words"), [
    (None, "read /etc/cni-sriov/host.json: no such file"),
    ("{", "parse JSON"),
    ({"pfs": [{"pf": PORT, "numvf": 7}]}, 'read pfs[0]."numvf": unknown key'),
    ({"pfs": [{"pf": PORT}, {"pf": {"vendors": ["8086"]}}]}, "plan enp1s0f0: pfs[0] and pfs[1] both match it"),
])  # fmt: skip
def test_a_file_that_is_wrong_changes_nothing(empty: World, text: Any, words: str) -> None:
    if text is not None:
        write(empty, text)

    run = sriovctl(empty, "apply")

    assert (run.status, run.out, empty.kernel.effects) == (1, "", [])
    assert words in run.err


def test_it_is_roots(empty: World) -> None:
    assert sriovctl(empty, "apply", euid=1000).status == 77
