"""A clock that jumped: what was written before it, here and in etcd, is of tomorrow, of long ago, or of 1970.

The machine's own clock is not touched: all that has a time is given that of the clock as it was. Times are shown; what is
asked is how long ago the last contact and the last failure were, and no answer may stop a machine, or free what is in use.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import racks
from tests.etcd import Etcd
from tests.integration.conftest import Rack
from tests.racks import KEPT, RUN, Machine, Shared, until

pytestmark = [pytest.mark.root, pytest.mark.bundle]

SHARED = Shared("10.73.0.0/22", 27, 25)  # eight blocks of four
DAY = 86400
CLOCKS: dict[str, Callable[[], int]] = {
    "a day ahead": lambda: int(time.time()) + DAY,
    "ten years ahead": lambda: int(time.time()) + 3650 * DAY,
    "a day behind": lambda: int(time.time()) - DAY,
    "1970": lambda: 0,
}
TIMES = {"at", "since", "contact"}  # docs/state.md, and the values in etcd
LEASES = "/var/lib/cni/host-subnet"


def as_of(found: Any, at: int) -> Any:
    """The document, written at that time."""
    if isinstance(found, list):
        return [as_of(one, at) for one in found]
    if not isinstance(found, dict):
        return found
    return {
        key: at if key in TIMES and isinstance(value, int) else as_of(value, at)
        for key, value in found.items()
    }


def jump(node: Machine, at: int) -> int:
    """All that this machine ever wrote is of that time, in what it says and by the file's own; how many times it said."""
    changed = 0
    for top in (KEPT, RUN, LEASES):
        for path in sorted(node.path(top).rglob("*"), reverse=True):
            if path.is_file() and path.read_bytes().startswith(b"{"):
                changed += _rewrite(path, at)
            os.utime(path, (at, at))
    mine = node.fingerprint()
    for key, value in node.etcd.stored(node.prefix).items():
        if mine in f"{key}{value}":
            node.etcd.put(key, json.dumps(as_of(json.loads(value), at)))
    return changed


def _rewrite(path: Path, at: int) -> bool:
    before = json.loads(path.read_text())
    after = as_of(before, at)
    path.write_text(json.dumps(after))
    return bool(before != after)


def leave_an_intent(node: Machine) -> Any:
    """As a process does that was killed before it asked."""
    free = max(SHARED.blocks - set(racks.claimed(node.etcd, node.prefix)))
    block = min(node.blocks())
    known = node.path(f"{KEPT}/blocks/{racks.name_of(block)}").read_text()
    node.path(f"{KEPT}/claiming/{racks.name_of(free)}").write_text(known.replace(f"{block}", f"{free}"))
    return free


def leave_a_failure(node: Machine, etcd: Etcd) -> None:
    etcd.kill()
    try:
        assert node.refill(SHARED, "--deadline", "1")["error"]["code"] == 11
    finally:
        etcd.start()


def contacted_s_ago(node: Machine) -> float:
    """By this machine's clock; what is of tomorrow is no contact."""
    return time.time() - node.path(f"{RUN}/contacted").stat().st_mtime


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_clock_that_jumped_stops_nothing_and_frees_nothing(rack: Rack, etcd: Etcd, clock: str) -> None:
    node, other = rack("n1", "n2")
    had = {f"c{number}": node.add(f"c{number}", SHARED) for number in range(2)}
    theirs = other.add("one", SHARED)
    for machine in (node, other):
        machine.settle()
    kept = node.blocks()
    claimed = leave_an_intent(node)
    leave_a_failure(node, etcd)
    assert jump(node, CLOCKS[clock]()) >= 4, "a block, an intent, the contact and the failure have a time"

    code, answer = node.answer(node.host_subnet("STATUS", "", SHARED))
    assert (code, answer) == (0, None)
    shown = node.pool("--json")
    (told,) = json.loads(shown.stdout)["clusters"]
    assert (shown.returncode, {it["block"] for it in told["blocks"]}) == (
        0,
        {f"{it}" for it in kept | {claimed}},
    )
    assert node.pool().returncode == 0
    assert set(node.leases()) == set(had.values())

    had["beside"] = node.add("beside", SHARED)
    until(
        lambda: node.refills() or 0 <= contacted_s_ago(node) < 60
    )  # who knows how long ago the engine was asked
    for pid in node.refills():  # it may wait a minute for its turn
        racks.kill(pid)
    assert "error" not in node.refill(SHARED, "--more-than", "0")
    assert node.blocks() == kept | {claimed}, "the intent is settled, and nothing went"
    assert 0 <= contacted_s_ago(node) < 60
    assert node.failure() is None
    had["after"] = node.add("after", SHARED)
    assert node.refills() == [], "within the hour it is not asked again"

    for number in range(100):  # until an ADD looks for whatever can be reclaimed anywhere
        given = node.add(f"more{number}", SHARED)
        if isinstance(given, dict):
            break
        had[f"more{number}"] = given
    assert given["code"] == 11, given
    assert set(node.leases()) == set(had.values())
    assert other.leases() == [theirs]
    assert len(had) == len(SHARED.subnets) - SHARED.per_block * len(other.blocks())
    assert "error" not in other.refill(SHARED, "--more-than", "0")
    (told,) = json.loads(other.pool("--json").stdout)["clusters"]
    assert {it["node"]: it["leased"] for it in told["nodes"]}.keys() == {"n1", "n2"}
    until(lambda: not node.refills())
    other.settle()
    assert racks.faults([node, other], SHARED, node.prefix) == []
