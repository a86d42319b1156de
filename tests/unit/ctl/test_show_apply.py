"""What `apply` says: a line a step for a log, a bar for who watches, nothing beside a document, and the verdict."""

from __future__ import annotations

import io

from cni_sriov.ctl import show_apply
from cni_sriov.decide.wanted import Step
from cni_sriov.words.errors import PfUnusable
from tests.unit.ctl.applied import OTHER, PORT, run
from tests.unit.ctl.tool import Screen, attach
from tests.world import World

STEPS = [Step("numvfs", "give x 7 VFs", 7), Step("driver", "bind vf 0-1 of x", vfs=(0, 1))]


def reported(err: io.StringIO, as_json: bool = False) -> str:
    with show_apply.reporter(err, as_json) as reporter:
        reporter.waits(["pfs[0] matches no PF yet"], 30)
        for step in STEPS:
            reporter.begin(step)
            for _ in step.vfs:
                reporter.tick()
            reporter.end(None)
        reporter.begin(STEPS[1])
        reporter.end(PfUnusable("it went"))
    return err.getvalue()


def test_a_log_has_a_line_a_step() -> None:
    assert reported(io.StringIO()) == (
        "waiting 30 s at most: pfs[0] matches no PF yet\n"
        "give x 7 VFs\nbind vf 0-1 of x\nfailed: bind vf 0-1 of x\n"
    )


def test_who_watches_has_bars() -> None:
    text = reported(Screen())

    assert all(step.say in text for step in STEPS)
    assert "pfs[0] matches no PF yet; waiting 30 s at most" in text
    assert "\x1b[" in text


def test_beside_a_document_nothing_is_said() -> None:
    assert reported(Screen(), as_json=True) == reported(io.StringIO(), as_json=True) == ""


def shown(world: World, *entries: dict[str, object], dry_run: bool = False) -> list[str]:
    out = io.StringIO()
    show_apply.applied(out, run(world, *entries, dry_run=dry_run))
    return out.getvalue().splitlines()


def test_the_verdict_of_each_pf(empty: World) -> None:
    entries = {"pf": PORT, "numvfs": 2}, {"pf": OTHER, "up": False}

    assert shown(empty, *entries, dry_run=True) == [
        "enp1s0f0 (0000:01:00.0): 1 to do",
        "  would give enp1s0f0 2 VFs (has none)",
        "enp1s0f1 (0000:01:00.1): as the file says",
    ]
    assert shown(empty, *entries)[:2] == [
        "enp1s0f0 (0000:01:00.0): 1 done",
        "  give enp1s0f0 2 VFs (has none)",
    ]
    assert shown(empty, *entries)[0] == "enp1s0f0 (0000:01:00.0): as the file says"
    assert shown(empty) == ["host.json asks for nothing that this node has"]


def test_what_was_done_what_failed_and_what_was_not_done(empty: World) -> None:
    empty.kernel.fail_effect(1, "before")
    ranges = [{"range": "0", "trust": "on"}, {"range": "1", "driver": "auto"}]

    lines = shown(empty, {"pf": PORT, "numvfs": 2, "vfs": ranges})

    assert lines[:2] == [
        "enp1s0f0 (0000:01:00.0): stopped after 1 steps",
        "  give enp1s0f0 2 VFs (has none)",
    ]
    assert lines[2].startswith("  set trust on enp1s0f0 vf 0: driver igb refused")
    assert lines[-1] == "  not done: bind vf 1 of enp1s0f0 to vfio-pci"


def test_what_is_refused_left_and_missing(world: World) -> None:
    attach(world)
    world.kernel.add_pf("enp1s0f1", "0000:01:00.1")

    refused = shown(world, {"pf": PORT, "numvfs": 2}, {"pf": {"names": ["gone"]}})
    left = shown(world, {"pf": PORT, "vfs": [{"range": "0", "trust": "on"}]})

    assert refused[0] == "enp1s0f0 (0000:01:00.0): nothing is done to it"
    assert "    vf 0 (0000:01:10.0): attached to c1/net1 (/run/netns/pod1)" in refused
    assert "plan pfs[1]: no PF of this node matches it" in refused
    assert left == [
        "enp1s0f0 (0000:01:00.0): as the file says",
        "  left: vf 0 of enp1s0f0 is not set to trust on: attached to c1/net1 (/run/netns/pod1)",
    ]
