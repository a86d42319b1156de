"""How much is left of a shared pool, against a model that knows nothing but the stdlib's ipaddress."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cni_sriov.conf.pools import Blocks, Pool
from cni_sriov.decide import shared
from cni_sriov.words.domain import HostUse
from cni_sriov.words.inet import parse_prefix
from tests.unit.decide.test_subnets import View
from tests.unit.networks import Network, overlaps

LEASE, BLOCK = 26, 21  # 32 leases in a block
WHOLE = ip_network("10.10.0.0/18")
SUBNETS: list[Network] = [*WHOLE.subnets(new_prefix=LEASE)]


@settings(max_examples=300, deadline=None)
@given(
    st.sets(st.integers(0, 7), max_size=3),
    st.sets(st.integers(0, len(SUBNETS) - 1)),
    st.lists(st.tuples(st.integers(0, 2**14), st.integers(0, 700)), max_size=3),
    st.lists(st.integers(20, 30), max_size=1),
    st.booleans(),
)
def test_it_is_low_below_a_quarter_of_what_can_be_leased(
    blocks: set[int], leased: set[int], excluded: list[tuple[int, int]], host: list[int], dense: bool
) -> None:
    all_blocks: list[Network] = [*WHOLE.subnets(new_prefix=BLOCK)]
    ours = [all_blocks[n] for n in sorted(blocks)]
    base = int(WHOLE[0])
    never = [(base + first, base + first + size) for first, size in excluded]
    used = [ip_network(f"10.10.8.64/{length}", strict=False) for length in host]
    inside: list[Network] = [net for net in SUBNETS if any(overlaps(net, block) for block in ours)]
    taken = {SUBNETS[n] for n in leased} | set[Network](inside[: max(0, len(inside) - 9)] if dense else [])
    left = [net for net in inside if net not in taken and not hit(net, never, used)]

    view = View()
    for net in taken:
        view.mark(str(net), True)
    pool = Pool([parse_prefix(str(WHOLE))], LEASE, exclude=never, blocks=Blocks("rack", BLOCK))
    pool.bounds = [parse_prefix(str(block)) for block in ours]
    uses = [HostUse(parse_prefix(str(net)), "the host's") for net in used]

    assert shared.is_low(pool, view, uses) == (len(left) < 32 / 4)


def hit(net: Network, never: list[tuple[int, int]], used: list[Network]) -> bool:
    ends = int(net[0]), int(net[-1])
    return any(low <= ends[1] and ends[0] <= high for low, high in never) or any(
        overlaps(net, one) for one in used
    )


@pytest.mark.parametrize(("length", "times"), [(20, 1), (21, 2), (23, 8), (24, 16), (25, 16), (28, 16)])
def test_it_is_looked_at_sixteen_times_a_block_at_most(length: int, times: int) -> None:
    pool = Pool([parse_prefix("10.10.0.0/16")], length, blocks=Blocks("rack", 20))
    each = [str(net) for net in ip_network("10.10.32.0/20").subnets(new_prefix=length)]

    assert sum(shared.is_milestone(pool, parse_prefix(net)) for net in each) == times
    assert shared.is_milestone(pool, parse_prefix(each[0]))
    assert shared.capacity_of(pool) == len(each)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4095), st.integers(0, 2000)), max_size=5),
    st.lists(st.integers(0, 4095), max_size=3),
)
def test_what_is_barren_is_each_block_without_a_subnet_and_no_other(
    excluded: list[tuple[int, int]], host: list[int]
) -> None:
    base = int(ip_network("10.10.0.0/20").network_address)
    never = [(base + first, base + first + size) for first, size in excluded]
    pool = Pool([parse_prefix("10.10.0.0/20")], 26, exclude=never, blocks=Blocks("rack", 23))
    used = [HostUse(parse_prefix(f"{ip_address(base + at)}/32"), "eth0") for at in host]
    barred = {at for low, high in never for at in range(low, high + 1)} | {base + at for at in host}

    def is_barren(block: Network) -> bool:
        return all(barred & {*map(int, subnet)} for subnet in block.subnets(new_prefix=26))

    expected = [block for block in ip_network("10.10.0.0/20").subnets(new_prefix=23) if is_barren(block)]
    found = [ip_network(str(part)) for part in shared.barren(pool, used)]
    assert [block for part in found for block in part.subnets(new_prefix=23)] == expected


def test_blocks_of_ipv6() -> None:
    pool = Pool([parse_prefix("fd00:10::/48")], 64, blocks=Blocks("rack", 56))
    pool.bounds = [parse_prefix("fd00:10:0:4200::/56")]
    view = View()
    for n in range(192):
        assert not shared.is_low(pool, view, [])
        view.mark(f"{ip_address(int(ip_address('fd00:10:0:4200::')) + (n << 64))}/64", True)
    assert not shared.is_low(pool, view, [])
    view.mark("fd00:10:0:42ff::/64", True)
    assert shared.is_low(pool, view, [])
