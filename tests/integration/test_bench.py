"""`make bench` measures what it says, and leaves nothing: a round of each part, with our own bundle as PEER_SRIOV."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from tests import bundle
from tests.bench import contenders, leases, measure, report
from tests.integration.rig import BUNDLE, Rig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.root, pytest.mark.bundle]
FEW = 3
REFUSES = '#!/bin/sh\necho \'{"code": 7, "msg": "no such VF"}\'\n[ $CNI_COMMAND = DEL ]\n'


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    assert BUNDLE.exists(), "no bundle: run `make build`"
    with Rig(vfs=FEW) as rig:
        for index in range(FEW):
            rig.add_pod(f"pod{index}")
        yield rig


@pytest.fixture(autouse=True)
def _all_is_given_back(rig: Rig) -> Iterator[None]:
    before = rig.links()
    yield
    assert rig.links() == before


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=report.WIDTH, highlight=False)


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_peer_that_works_here_is_measured_and_split(rig: Rig, console: Console) -> None:
    peer = str(bundle.sriov())

    assert contenders.why_not(rig, peer) == ""
    samples = measure.rounds(1, contenders.alone(peer), lambda step: rig.inside(measure.one, step), 1)
    report.show_alone(console, "title", samples)

    found = report.splits(samples)
    assert list(found) == [f"{who} {verb}" for who in ("ours", "go", "peer") for verb in ("ADD", "DEL")]
    for verb in ("ADD", "DEL"):
        assert sum(found[f"ours {verb}"].values()) == pytest.approx(
            samples[f"ours timed/{verb}"][0].wall, abs=0.5
        )
        assert sum(found[f"peer {verb}"].values()) == pytest.approx(samples[f"peer/{verb}"][0].wall)
    assert "ADD / PEER_SRIOV" in text(console)
    assert rig.leftovers() == []


def test_a_peer_that_fails_here_is_not_measured_and_why(rig: Rig, tmp_path: Path) -> None:
    peer = tmp_path / "sriov"
    peer.write_text(REFUSES)
    peer.chmod(0o755)

    assert contenders.why_not(rig, str(peer)) == "its ADD fails here: no such VF"
    assert contenders.why_not(rig, "") == "PEER_SRIOV is not given"


def test_a_burst_tells_how_long_each_lock_was_held(rig: Rig, console: Console) -> None:
    one = measure.rounds(1, contenders.alone(""), lambda step: rig.inside(measure.one, step), 1)
    many = measure.rounds(1, contenders.together(FEW), lambda step: rig.inside(measure.burst, step), 1)

    report.show_bursts(console, FEW, many)
    report.show_locks(console, FEW, one, many)

    calls = report.calls_of(many["ours timed/ADD"][0].sheets)
    assert len(calls) == FEW
    assert all(set(call.held) == {"node", "ipam", "attachment"} for call in calls)
    rows = [line.split() for line in text(console).splitlines()]
    node = next(row for row in rows if row and row[0] == "node,")
    add, _, p99 = (float(cell) for cell in node[-6:-3])
    assert 0 < add < one["ours timed/ADD"][0].wall
    assert p99 < many["ours timed/ADD"][0].makespan
    assert rig.leftovers() == []


def test_the_pf_with_many_vfs_gives_its_last_one(console: Console) -> None:
    """VF 129 is the first on the next bus."""
    with Rig(vfs=130) as rig:
        rig.add_pod("pod0")
        tasks = contenders.among(130)
        samples = measure.rounds(1, tasks, lambda step: rig.inside(measure.one, step), 1)

        assert sorted(samples) == [
            f"{who} 130/{verb} 130" for who in ("given", "picks") for verb in ("ADD", "DEL")
        ]
        assert rig.leftovers() == []


def test_leases_are_filled_in_as_the_plugin_finds_them() -> None:
    with Rig(vfs=1) as rig:
        rig.add_pod("pod0")
        rig.inside(leases.fill, FEW)
        samples = measure.rounds(1, leases.steps((FEW,)), lambda step: rig.inside(measure.one, step), 1)

        assert sorted(samples) == [f"ours {FEW}/ADD", f"ours {FEW}/DEL"]
        assert len([path for path in rig.leftovers() if "/owners/" in path]) == FEW
