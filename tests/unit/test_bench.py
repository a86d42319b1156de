"""The arithmetic of `make bench`: goals, splits from outside, addresses of many VFs. No test asserts a time."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import bundle
from tests.bench import contenders, goals, measure, report
from tests.bench.goals import Goal
from tests.bench.measure import Sample
from tests.integration.rig import vf_pci


@pytest.fixture(autouse=True)
def _nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """These compare calls, and make none: a checkout without a bundle will do."""
    monkeypatch.setattr(bundle, "sriov", lambda: Path("/built/sriov"))


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(0.9, ("0.90x", "met")), (1.004, ("1.00x", "met")), (1.01, ("1.01x", "not met"))],
)
def test_a_goal_is_met_up_to_its_limit(value: float, verdict: tuple[str, str]) -> None:
    assert goals.judge(Goal("what", 1.0, "x", lambda found: found["value"]), {"value": value}) == verdict


def test_what_was_not_measured_is_said_to_be_so() -> None:
    judged = {goal.what: goals.judge(goal, {"alone": {}}) for goal in goals.GOALS}

    assert set(judged.values()) == {("-", "not measured")}


def walls(*values: float) -> list[Sample]:
    return [Sample(value, value * 2) for value in values]


def test_each_goal_finds_its_number() -> None:
    burst = measure.Burst(makespan=64, p50=1, p99=1, cpu=1)
    found: dict[str, Any] = {
        "alone": {
            "ours/ADD": walls(30, 20),
            "ours/DEL": walls(22, 22),
            "ours version/VERSION": walls(12, 12),
            "go/ADD": walls(30, 40),  # ratios 1.0 and 0.5
            "go/DEL": walls(20, 20),
            "ours status/STATUS": walls(18, 18),
            "go version/VERSION": walls(4, 4),
        },
        "bursts": {
            "ours/ADD": [burst],
            "go/ADD": [burst._replace(makespan=80)],
            "ours/DEL": [burst],
            "go/DEL": [burst],
        },
        "leases": {
            "store": {"10": [0.1], "100000": [0.15, 0.25, 0.9]},
            "samples": {"ours 10/ADD": walls(20), "ours 100000/ADD": walls(24)},
        },
        "sizes": {"ours ADD": 11.5, "plugin": 10.1},
        "shared": {"shared pool/ADD": walls(20.4, 20.4), "own pool/ADD": walls(20, 20)},
    }

    assert [goals.judge(goal, found) for goal in goals.GOALS] == [
        ("0.75x", "met"),
        ("1.10x", "not met"),
        ("0.75x", "not met"),
        ("1.10x", "not met"),
        ("0.80x", "met"),
        ("1.00x", "not met"),
        ("3.00x", "not met"),
        ("1.50x", "met"),
        ("1.20x", "met"),
        ("0.25 ms", "not met"),
        ("1.02x", "met"),
        ("1.02x", "met"),
        ("11.50 MB", "not met"),
        ("10.10 MB", "met"),
        *[("-", "not measured")] * 5,
    ]


def test_a_peer_that_runs_on_the_card_alone_is_compared_there() -> None:
    """A PF of the rig tells nothing of its VFs, and sriov-cni insists on it."""
    on_card = {"ours/ADD": walls(300, 300), "peer/ADD": walls(1000, 600)}
    found = {"alone": {"ours/ADD": walls(30)}, "card": {"samples": on_card}}

    judged = {goal.what: goals.judge(goal, found) for goal in goals.GOALS}

    assert judged["ADD / PEER_SRIOV"] == ("0.40x", "met")
    assert judged["DEL / PEER_SRIOV"] == ("-", "not measured")


def test_a_plugin_that_tells_nothing_is_split_by_what_it_does_without() -> None:
    samples = {
        "go version/VERSION": walls(4, 5, 6),
        "go no ipam/ADD": walls(25, 26, 27),
        "go/ADD": walls(30, 31, 90),
    }

    assert report.parts_from_outside(samples, "go", "ADD") == {
        "start-up": 5,
        "decide and kernel": 21,
        "IPAM": 5,
    }


def test_our_parts_are_those_that_the_plugin_told() -> None:
    said = {
        "cniSriovTimes": 1,
        "entry": 3_000_000,
        "end": 8_000_000,
        "parts": {"kernel": 5_000_000},
        "acts": {},
        "held": {"node": 1_000_000},
    }
    sheet = {"spawned": 1_000_000, "reaped": 9_000_000, "stderr": f"a log line\n{json.dumps(said)}\n"}
    samples = {"ours timed/ADD": [Sample(8, 8, sheet), Sample(8, 8, sheet | {"stderr": "told nothing"})]}

    assert report.own_parts(samples, "ADD") == {
        "start-up": 2,
        "decide": 0,
        "wait": 0,
        "kernel": 5,
        "IPAM": 0,
        "exit": 1,
    }


def test_the_vfs_of_a_large_card_have_an_address_each() -> None:
    """PCI: 8 functions of 32 devices on a bus; sriov_offset 0x80 and stride 1 lead from bus 01 to bus 02."""
    addresses = [vf_pci(index) for index in range(256)]

    assert len(set(addresses)) == 256
    assert (addresses[0], addresses[127], addresses[128], addresses[255]) == (
        "0000:01:10.0",
        "0000:01:1f.7",
        "0000:02:00.0",
        "0000:02:0f.7",
    )


def test_without_peer_sriov_nothing_of_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PEER_SRIOV", raising=False)

    assert contenders.peer_path() == ""
    assert not any(task.startswith("peer") for task in contenders.alone(""))


def test_a_peer_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEER_SRIOV", "/nowhere/sriov")

    with pytest.raises(measure.BenchError, match="PEER_SRIOV=/nowhere/sriov: it is not there"):
        contenders.peer_path()


def test_the_peer_gets_our_conf_with_host_local() -> None:
    theirs, mine = contenders.peer("/x/sriov", "ADD", 3), contenders.ours("ADD", 3)
    asked, ours = json.loads(theirs.stdin), json.loads(mine.stdin)

    assert (theirs.argv, mine.argv) == (("/x/sriov",), ("/built/sriov",))
    assert {key: asked[key] for key in ("type", "deviceID", "cniVersion")} == {
        key: ours[key] for key in ("type", "deviceID", "cniVersion")
    }
    assert (asked["ipam"]["type"], ours["ipam"]["type"]) == ("host-local", "host-subnet")
    assert theirs.env["CNI_NETNS"] == mine.env["CNI_NETNS"]


def test_the_guest_runs_what_measures_by_itself(tmp_path: Path) -> None:
    """It has no checkout: the file is put there alone (tests/bench/card.py)."""
    shutil.copy(str(measure.__file__), tmp_path)

    done = subprocess.run(
        [
            "/usr/bin/python3",
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import measure",
        ],
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stderr) == (0, "")
