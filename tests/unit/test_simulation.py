"""The simulation of many nodes on one pool, in small: it is the same each time, it keeps what the product promises, and what it
finds is what can be reckoned.
"""

from __future__ import annotations

import math
import re
from ipaddress import ip_network
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from cni_sriov.words.inet import BITS, parse_prefix
from tests.bench import simulation
from tests.bench.events import TIMED_OUT, Ask, Costs, Latch, Loop, Process, Wait
from tests.bench.nodes import Found, Plan, Simulation
from tests.pages import table_rows
from tests.unit.ctl.cluster.rack import POOL, Rack

SMALL = Plan(nodes=300, interfaces=30_000, pool="10.0.0.0/13", block=24, spread=20.0)
PAGE = "docs/cluster.md"


def told(found: Found) -> tuple[object, ...]:
    return found.claims, found.conflicts, found.filled_at, found.requests, found.waits


def test_a_seed_gives_one_result() -> None:
    first, again, other = (simulation.fill(SMALL._replace(seed=seed)) for seed in (1, 1, 2))

    assert told(first) == told(again) != told(other)
    assert (first.leased, first.refused, first.failed) == (30_000, 0, 0)


@pytest.mark.parametrize("block", [23, 24, 26])
def test_conflicts_are_as_many_as_even_draws_meet(block: int) -> None:
    """Where a share x of all blocks is taken, x of the draws are in vain: 1/(1-x) draws for a claim, and on the way from 0 to
    f that is -ln(1-f)/f of them.
    """
    found = simulation.fill(SMALL._replace(block=block))
    share = found.claims / (1 << block - 13)

    assert found.lists == 0
    assert found.conflicts / found.claims == pytest.approx(-math.log(1 - share) / share - 1, rel=0.2)


def test_a_pool_is_used_to_its_last_subnet() -> None:
    """Four nodes want 100 more than there are: 256 blocks of 8."""
    plan = Plan(nodes=4, interfaces=2148, pool="10.0.0.0/16", length=27, block=24, pace=0.01)
    found = simulation.fill(plan)

    assert (found.leased, found.claims, found.leased + found.refused) == (2048, 256, 2148)
    assert found.lists > 0


@pytest.mark.parametrize("block", [22, 24, 26])
def test_what_is_counted_is_what_the_product_chooses(block: int) -> None:
    """Both ways: the same claims at the same times. Of the real one all subnets are looked at: none overlaps another."""
    plan = Plan(nodes=40, interfaces=4000, pool="10.0.0.0/16", block=block, spread=5.0)
    made = Simulation(plan._replace(real=True))
    for _ in range(plan.interfaces):
        made.nodes[made.chance.randrange(plan.nodes)].wanted += 1
    real, counted = simulation.finish(made), simulation.fill(plan)
    all_of_them = sorted(
        ip_network(str(subnet)) for node in made.nodes if node.leases for subnet in node.leases.all
    )

    assert told(real) == told(counted)
    assert len(all_of_them) == 4000
    assert not any(a.overlaps(b) for a, b in pairwise(all_of_them))


def test_who_waits_in_vain_loses_nothing() -> None:
    """An engine that is slow for so many: ADDs fail, contacts are late, and every block is somebody's in the end."""
    found = simulation.fill(SMALL._replace(spread=0.0, costs=Costs(connect=0.018)))

    assert found.failed > 0
    assert found.late > 0
    assert found.leased == 30_000


def test_what_does_not_settle_is_given_up() -> None:
    """Each tries again before all are served: nobody gets through."""
    found = simulation.fill(SMALL._replace(spread=0.0, costs=Costs(connect=0.1), until=60.0))

    assert (found.leased, found.claims) == (0, 0)
    assert found.failed > 300


def test_all_boot_at_once_and_jitter_keeps_them_in_time() -> None:
    storm = SMALL._replace(nodes=2000, spread=0.0, pace=1.0, costs=Costs(connect=0.02))
    alone, spread = simulation.restart(storm), simulation.restart(storm._replace(jitter=90.0))

    assert alone.late > 0
    assert (spread.late, len(spread.contacted_at), spread.claims) == (0, 2000, 0)


ROWS = [row for row in table_rows(PAGE) if re.match(r"[0-9a-f.:]+/\d+$", row[0])]


@pytest.mark.parametrize("row", ROWS, ids=["-".join((row[0], *row[2:5])) for row in ROWS])
def test_the_sizing_table_is_reckoned_and_simulated(row: list[str]) -> None:
    pool, (nodes, per_node, block, each, blocks) = parse_prefix(row[0]), map(int, row[2:7])
    length = int(row[1].removeprefix("/"))
    subnets, there = 1 << length - block, 1 << block - pool.length

    assert (each, row[7]) == (subnets, f"{nodes * blocks} of {there}")
    assert blocks == math.ceil(per_node / subnets + 0.25)
    few = max(1, min(nodes, there // blocks, 20))
    plan = Plan(few, few * per_node, row[0], length, block, pace=1.0, spread=1.0)
    assert simulation.evenly(plan).claims == few * blocks


def test_there_is_a_sizing_table() -> None:
    assert len(ROWS) >= 6


class TestLoop:
    """The clock itself: who comes first, and who waits too long."""

    COSTS = Costs(alone=((0.0, 0.01), (1.0, 0.01)))

    def test_requests_queue_and_an_answer_that_is_late_is_none(self) -> None:
        loop, heard = Loop(Random(1), self.COSTS), list[tuple[float, object]]()

        def one(deadline: float) -> Process:
            heard.append(((yield Ask("read", 1.0, lambda: "done", deadline)), loop.now))

        for deadline in (10.0, 1.5, 10.0):
            loop.start(one(deadline))
        loop.run()

        assert heard == [("done", 1.0), (TIMED_OUT, 1.5), ("done", 3.0)]
        assert (loop.asked["read"], loop.busy) == (3, 3.0)

    def test_alone_a_request_takes_what_was_measured(self) -> None:
        loop, heard = Loop(Random(1), self.COSTS), list[float]()

        def one() -> Process:
            yield Ask("read", 0.001, lambda: None, 10.0)
            heard.append(loop.now)

        loop.start(one())
        loop.run()

        assert heard == [pytest.approx(0.01)]

    def test_a_latch_lets_all_go_on_once(self) -> None:
        loop, latch, heard = Loop(Random(1), self.COSTS), Latch(), list[tuple[float, bool]]()

        def waits(deadline: float) -> Process:
            said = yield Wait(latch, deadline)
            heard.append((loop.now, said is TIMED_OUT))

        def opens() -> Process:
            yield 2.0
            loop.open(latch)

        for process in (waits(1.0), waits(5.0), opens()):
            loop.start(process)
        loop.run()

        assert heard == [(1.0, True), (2.0, False)]


def test_a_simulated_pool_has_the_bits_of_its_family() -> None:
    made = Simulation(SMALL._replace(pool="fd00:10::/40", length=64, block=56))

    assert BITS[made.pool.version] == 128
    assert simulation.evenly(made.plan).leased == 30_000


KINDS = {
    "node": "record",
    "put_node": "record",
    "definitions": "pools",
    "holders": "compare",
    "claim": "claim",
    "taken": "list",
}
FREE = {"uid"}  # with etcd nobody is asked


def test_a_contact_asks_what_the_products_own_asks(tmp_path: Path) -> None:
    """A node that has a block claims another one: request by request, by kind, in this order."""
    rack = Rack(tmp_path)
    node = rack.node("n1")
    node.refill(POOL)
    rack.cluster.calls.clear()
    node.refill(POOL)
    asked = dict[str, int]()
    for call, count in rack.cluster.calls.items():
        if call not in FREE:
            asked[KINDS[call]] = asked.get(KINDS[call], 0) + count

    made = Simulation(Plan(nodes=1, interfaces=0, pool=POOL, length=24, block=20))
    one = made.nodes[0]
    for _ in range(2):
        made.loop.asked.clear()
        made.loop.start(made.contact(one, 1e9))
        made.loop.run()
        one.left = 0

    assert (len(one.blocks), len(node.blocks)) == (2, 2)
    assert made.loop.asked.pop("connect") == 1
    assert (made.loop.asked, list(made.loop.asked)) == (asked, list(asked))
