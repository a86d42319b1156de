"""Whether the huge pages that a conf asks for are there, near the VF. Pure.

A look and no reservation: pages are whoever's maps them first.
"""

from __future__ import annotations

from dataclasses import replace

from ..words.errors import BadConfig, CniError, TryAgain
from ..words.hugepages import HugePages, spelled


def near(node: int, of_nodes: list[HugePages], of_machine: list[HugePages]) -> list[HugePages]:
    """What is there for a device of that NUMA node; of the whole machine where the node is not known, or has no memory.

    The kernel counts promised pages for the whole machine alone, and takes them from any node.
    """
    left = {one.size: one.to_be_had for one in of_machine}
    found = [one for one in of_nodes if one.node == node >= 0]
    return [
        replace(one, promised=one.free - min(one.free, left.get(one.size, one.free))) for one in found
    ] or of_machine


def refusal(asked: dict[int, int], places: list[list[HugePages]]) -> CniError | None:
    """None if one of the `places`, each what `near` found for a VF, has all that is asked: pages by size in KiB. Else
    what is free at each: TryAgain (11) if waiting can help, BadConfig (7) where only the operator can.
    """
    lacks = [_lacking(asked, found) for found in places]
    if not all(lacks):
        return None
    lasts = all(any(one is None or one.total < asked[size] for size, one in lack) for lack in lacks)
    told = "; ".join(dict.fromkeys(_free(size, one) for lack in lacks for size, one in lack))
    wanted = " and ".join(f"{count} of {spelled(size)}" for size, count in asked.items())
    return (BadConfig if lasts else TryAgain)(
        f"find huge pages: {wanted} are asked, and {told}", _remedy(asked, lacks, places)
    )


_Lacking = list[
    tuple[int, HugePages | None]
]  # size, and what there is of it, None = the kernel has no such pages


def _lacking(asked: dict[int, int], found: list[HugePages]) -> _Lacking:
    by_size = {one.size: one for one in found}
    return [
        (size, one)
        for size, count in asked.items()
        if (one := by_size.get(size)) is None or one.to_be_had < count
    ]


def _free(size: int, one: HugePages | None) -> str:
    if one is None:
        return f"this kernel has no pages of {spelled(size)}"
    where = f"NUMA node {one.node}" if one.node >= 0 else "the machine"
    promised = f", of which {one.promised} are promised to others" if one.promised else ""
    return f"{where} has {one.free} of {one.total} of {spelled(size)} free{promised}"


def _remedy(asked: dict[int, int], lacks: list[_Lacking], places: list[list[HugePages]]) -> str:
    """For the first place where there can be more."""
    for lack in lacks:
        more = [
            f"echo {one.total + asked[size] - one.to_be_had} > {one.where}/nr_hugepages"
            for size, one in lack
            if one is not None
        ]
        if len(more) == len(lack):
            return f"end what uses them, or make more: {'; '.join(more)}"
    there = ", ".join(spelled(one.size) for one in places[0]) or "none"
    return f"ask for sizes that there are: {there}"
