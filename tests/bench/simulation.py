"""Ten thousand nodes on one pool, a million interfaces: `python -m tests.bench.simulation`; four minutes, `--quick` seconds.

The nodes are in tests/bench/nodes.py; the engine is one in memory that takes as long as an etcd took (tests/bench/events.py).
Not in it: a network that is slower than loopback, Raft between members (a write waits for a second disk), a node's own disk,
and what a runtime does between two ADDs. One seed gives one result.
"""

from __future__ import annotations

import argparse
import sys
from typing import NamedTuple

from rich.console import Console

from cni_sriov.words.inet import BITS, Prefix, parse_prefix
from tests.bench.events import Costs
from tests.bench.measure import quantile, write_json
from tests.bench.nodes import JITTER_S, Found, Plan, Simulation
from tests.bench.report import Rows, make_console


def fill(plan: Plan) -> Found:
    """From nothing: each interface falls on some node, and all nodes attach theirs."""
    made = Simulation(plan)
    for _ in range(plan.interfaces):
        made.nodes[made.chance.randrange(plan.nodes)].wanted += 1
    return finish(made)


def evenly(plan: Plan) -> Found:
    """As `fill`, and each node has as many."""
    made = Simulation(plan)
    for node in made.nodes:
        node.wanted = plan.interfaces // plan.nodes
    return finish(made)


def restart(plan: Plan) -> Found:
    """All nodes boot with the blocks they had: their first ADD contacts the engine."""
    made = Simulation(plan)
    free = made.chance.sample(range(1 << plan.block - made.pool.length), plan.nodes)
    for node, number in zip(made.nodes, free, strict=True):
        shift = BITS[made.pool.version] - plan.block
        block = Prefix(made.pool.version, made.pool.value + (number << shift), plan.block)
        made.owners[block] = node.name
        node.blocks, node.left, node.wanted = [block], plan.capacity, plan.capacity * 3 // 4
    return finish(made)


def finish(made: Simulation) -> Found:
    for node in made.nodes:
        made.loop.start(made.attach(node))
    made.loop.run(made.plan.until)
    check(made)
    found, loop = made.found, made.loop
    found.requests, found.busy = dict(loop.asked), loop.busy
    found.peak = max(loop.per_second.values(), default=0)
    return found


def check(made: Simulation) -> None:
    """By what the nodes have: no block is two nodes', none is lost (the engine's are some node's, or asked for by it), and
    none has more than it can hold.
    """
    all_of_them = [(block.value, block.length) for node in made.nodes for block in node.blocks]
    assert len(set(all_of_them)) == len(all_of_them)
    assert all(made.owners[block] == node.name for node in made.nodes for block in node.blocks)
    known = {block for node in made.nodes for block in (*node.blocks, *node.tried)}
    assert made.owners.keys() <= known
    for node in made.nodes:
        assert node.leased + node.left == len(node.blocks) * made.plan.capacity


# tables ----------------------------------------------------------------------------------------------------------


class Size(NamedTuple):
    """`pool` has two subnets for each interface, as 10.0.0.0/8 has for a million."""

    nodes: int
    interfaces: int
    pool: str


WHOLE = Size(10_000, 1_000_000, "10.0.0.0/8")
QUICK = Size(600, 60_000, "10.0.0.0/12")
LENGTHS = (22, 23, 24, 25, 26)
USUAL = 24
PASSWORD = 0.07  # etcd's time for one at its default --bcrypt-cost


def run(size: Size, seed: int) -> dict[str, list[Found]]:
    """Four questions; each answer names its plan."""
    base = Plan(nodes=size.nodes, interfaces=size.interfaces, pool=size.pool, block=USUAL, seed=seed)
    scale = size.nodes / WHOLE.nodes
    slowly, boots = base._replace(spread=600 * scale), base._replace(pace=1.0)
    rush, few = (
        base._replace(pace=3.0),
        base._replace(nodes=base.nodes // 10, interfaces=base.interfaces // 10),
    )
    return {
        "lengths": [fill(slowly._replace(block=length)) for length in LENGTHS],
        "rush": [fill(few), fill(rush._replace(spread=60 * scale)), fill(rush._replace(until=300.0))],
        "blind": [fill(slowly._replace(blind=2))],
        "boot": [
            restart(boots._replace(jitter=jitter, costs=Costs(password=password)))
            for jitter, password in ((0, 0), (JITTER_S, 0), (JITTER_S, PASSWORD))
        ],
    }


def show(console: Console, size: Size, found: dict[str, list[Found]]) -> None:
    title = f"{size.nodes:,} nodes, {size.interfaces:,} interfaces of /29 in {size.pool}, simulated"
    columns = ("blocks", "in use", "claims", "conflicts", "lists", "requests", "most", "engine")
    made = Rows(title, "nodes, started", "an ADD in", *columns, "ADDs wait", "p99", "failed", "full after")
    for one in [*found["lengths"], *found["rush"], *found["blind"]]:
        made.add_row(*_cells(one))
    made.show(console)
    console.print(
        "  conflicts: per claim. engine: share of the time that it is busy. ADDs wait: for a claim in line;"
    )
    console.print(
        "  p99 of these; failed: with 11, and tried again. The last row draws twice before it lists.\n"
    )
    made = Rows(
        "All nodes boot in one second, with the blocks they had",
        "jitter",
        "engine has",
        "late",
        "most",
        "all after",
    )
    for one in found["boot"]:
        password = " and a password" if one.plan.costs.password else ""
        last = max(one.contacted_at, default=0.0)
        made.add_row(
            f"0-{one.plan.jitter:g} s{password}",
            f"{one.busy:.0f} s of work",
            f"{one.late:,}",
            f"{one.peak:,} a second",
            f"{last:.0f} s" if len(one.contacted_at) == one.plan.nodes else f"{len(one.contacted_at):,} only",
        )
    made.show(console)
    console.print()


def _cells(one: Found) -> list[str]:
    plan, waits = one.plan, one.waits or [0.0]
    blocks = 1 << plan.block - parse_prefix(plan.pool).length
    return [
        f"{plan.nodes:,} in {plan.spread:g} s" if plan.spread else f"{plan.nodes:,} at once",
        f"{plan.pace:g} s",
        f"/{plan.block}",
        f"{one.claims / blocks:.0%}",
        f"{one.claims:,}",
        f"{one.conflicts / one.claims:.2f}" if one.claims else "-",
        f"{one.lists:,}",
        f"{sum(one.requests.values()):,}",
        f"{one.peak:,}",
        f"{one.busy / (one.filled_at or plan.until):.0%}",
        f"{len(one.waits):,}",
        f"{quantile(waits, 0.99):.1f} s",
        f"{one.failed:,}",
        f"{one.filled_at:,.0f} s" if one.leased == plan.interfaces else f"not in {plan.until:.0f} s",
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.simulation", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="600 nodes: seconds")
    parser.add_argument("--json", metavar="FILE", help="write all that was found there")
    parser.add_argument("--seed", type=int, default=1, help="one seed gives one result")
    asked = parser.parse_args()
    size = QUICK if asked.quick else WHOLE
    found = run(size, asked.seed)
    show(make_console(), size, found)
    if asked.json:
        write_json(asked.json, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
