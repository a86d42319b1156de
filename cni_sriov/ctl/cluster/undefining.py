"""A pool's definition goes from the engine, on an operator's word: the next node that uses the pool defines it anew.

    is a block of it claimed? -> the definition goes, if it is as it was read -> is one claimed now? then it comes back

Who claims a block looks at the definitions behind his claim (contact.ask_for), and we at the blocks behind our change. Each
wrote before he looked, so of a claim and us that meet, one sees the other at least: he gives the block back, or we put the
definition back. Killed in between, we leave a pool that is not defined and has blocks; nobody cuts it in another way then
(blocks.check_cut), and who has one defines it again at his next contact.
"""

from __future__ import annotations

from collections import Counter

from ...words.cluster import Definition
from ...words.errors import BadConfig
from ...words.inet import Prefix
from .engine import Engine
from .member import TRIES, Changing, told_holder


def undefine(engine: Engine, cluster: str, subnet: Prefix, is_only_asked: bool = False) -> Definition:
    """What it was. BadConfig if there is none, or a node has a block of it."""
    for _ in range(TRIES):
        known, version = engine.definitions()
        going = _the_one(known, cluster, subnet)
        _refuse_used(engine, cluster, going)
        if is_only_asked:
            return going
        if engine.define([one for one in known if one.subnet != subnet], version):
            break
    else:
        raise Changing.of("the pools", cluster)
    try:
        _refuse_used(engine, cluster, going)
    except BadConfig:
        _put_back(engine, cluster, going)
        raise
    return going


def _the_one(known: list[Definition], cluster: str, subnet: Prefix) -> Definition:
    found = next((one for one in known if one.subnet == subnet), None)
    if found is None:
        told = ", ".join(str(one.subnet) for one in known) or "none"
        raise BadConfig(
            f"undefine pool {subnet}: cluster {cluster} has none of that subnet", f"its pools: {told}"
        )
    return found


def _refuse_used(engine: Engine, cluster: str, definition: Definition) -> None:
    there = engine.blocks()
    holders = [told_holder(one) for block, one in there.items() if definition.subnet.overlaps(block)]
    if not holders:
        return
    told = ", ".join(f"{whose} has {count}" for whose, count in sorted(Counter(holders).items()))
    raise BadConfig(
        f"undefine pool {definition.subnet} of cluster {cluster}: blocks of it are claimed: {told}",
        "its containers there must end first; then `sriovctl pool release` on each of these, or, of a node that is no more,"
        f" `sriovctl pool forget --cluster {cluster} NODE`",
    )


def _put_back(engine: Engine, cluster: str, definition: Definition) -> None:
    """Unless somebody has defined it already; he saw that block, too."""
    for _ in range(TRIES):
        known, version = engine.definitions()
        if any(one.subnet.overlaps(definition.subnet) for one in known):
            return
        if engine.define([*known, definition], version):
            return
    raise Changing.of("the pools", cluster)
