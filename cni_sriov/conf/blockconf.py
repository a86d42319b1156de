"""The key `blocks` of a pool -> Blocks: which cluster the pool is shared in, and how long its blocks are. Pure."""

from __future__ import annotations

from typing import Any

from ..words.errors import BadConfig
from ..words.inet import Prefix
from . import values
from .pools import Blocks
from .values import Table

# `cluster` is the name of its file in /etc/cni-sriov/clusters, without .json
BLOCKS = Table({"cluster": values.name, "length": values.whole})


def parse(raw: dict[str, Any], prefixes: list[Prefix], lease_length: int, where: str) -> Blocks:
    """Each block lies in one of the pool's prefixes, and has room for a lease at least."""
    told = BLOCKS.read(raw, f"{where}.")
    shortest = max(prefix.length for prefix in prefixes)
    for key, what in (("cluster", "the name of a file in /etc/cni-sriov/clusters"), ("length", "like 20")):
        if key not in told:
            raise BadConfig(f"{where}.{key}: is needed", what)
    if not shortest <= told["length"] <= lease_length:
        raise BadConfig(
            f"{where}.length {told['length']}: must be {shortest}-{lease_length}, from the pool's own to prefixLength"
        )
    return Blocks(told["cluster"], told["length"])
