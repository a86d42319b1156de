"""Blocks of shared pools, against a model that lists all of them by the stdlib's ipaddress."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from functools import partial
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cni_sriov.decide import blocks
from cni_sriov.decide.blocks import Draws
from cni_sriov.words.cluster import Definition, Holder, NodeRecord
from cni_sriov.words.errors import BadConfig
from cni_sriov.words.inet import Prefix, parse_prefix
from tests.unit.networks import overlaps

MINE, OTHER = "1" * 32, "2" * 32
POOL = parse_prefix("10.10.0.0/16")


def draws(
    *pools: str, length: int = 20, own: list[str] | None = None, draw: blocks.Draw | None = None
) -> Draws:
    return Draws(
        [*map(parse_prefix, pools)], length, map(parse_prefix, own or []), draw or random.Random(1).randrange
    )


def all_of(pools: list[str], length: int) -> list[str]:
    """The model's blocks."""
    return [str(block) for pool in pools for block in ip_network(pool).subnets(new_prefix=length)]


def heard(found: Draws, taken: list[str]) -> Draws:
    found.hear({*map(parse_prefix, taken)})
    return found


# which block ----------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    st.data(),
    st.sampled_from([["10.10.0.0/16"], ["10.1.0.0/19", "10.9.0.0/18"], ["fd00:10::/44", "10.1.0.0/18"]]),
    st.integers(0, 1 << 30),
)
def test_what_is_drawn_is_free_until_all_are_taken(data: st.DataObject, pools: list[str], seed: int) -> None:
    versions = {ip_network(pool).version for pool in pools}
    pools = [pool for pool in pools if len(versions) == 1 or ip_network(pool).version == 6]
    length = 48 if 6 in versions else 21
    every = all_of(pools, length)
    taken = set(data.draw(st.lists(st.sampled_from(every), max_size=len(every), unique=True)))
    own = set(data.draw(st.lists(st.sampled_from(every), max_size=3, unique=True)))
    found = heard(
        draws(*pools, length=length, own=sorted(own), draw=random.Random(seed).randrange), sorted(taken)
    )

    got = []
    while (block := found.next()) is not None:
        got.append(str(block))
        found.refused(block)

    assert sorted(got) == sorted(set(every) - taken - own), "each free one once, and none that is not"


@settings(deadline=None)
@given(st.lists(st.sampled_from(all_of(["10.10.0.0/16"], 20)), min_size=1, max_size=15, unique=True))
def test_the_last_draw_reaches_each_free_block(taken: list[str]) -> None:
    """Where all quick draws met one that is taken, the next number names one of the free, each another one."""
    every = all_of(["10.10.0.0/16"], 20)
    reached = []
    for number in range(len(every) - len(taken)):
        numbers = iter([every.index(taken[0])] * 64 + [number])
        found = heard(draws("10.10.0.0/16", draw=partial(_next_of, numbers)), taken)
        reached.append(str(found.next()))
    assert reached == [block for block in every if block not in taken]


def _next_of(numbers: Iterator[int], _: int) -> int:
    return next(numbers)


def test_each_block_is_as_likely_as_another() -> None:
    draw = random.Random(7).randrange
    counts = Counter(
        str(heard(draws("10.10.0.0/16", draw=draw), all_of(["10.10.0.0/17"], 20)).next()) for _ in range(8000)
    )
    assert sorted(counts) == all_of(["10.10.128.0/17"], 20)
    assert min(counts.values()) > 850  # of 1000; a deviation of five sigma


def test_the_first_draws_are_blind_and_then_the_list_is_wanted() -> None:
    found = draws("10.10.0.0/16")
    for _ in range(blocks.BLIND):
        assert not found.wants_list
        assert found.next() is not None
    assert found.wants_list
    found.hear(set())
    for _ in range(3):
        assert not found.wants_list
        assert found.next() is not None


@pytest.mark.parametrize("own", [["10.10.0.0/20"], ["10.10.0.0/16"], ["0.0.0.0/0"]])
def test_what_is_all_ours_needs_no_list(own: list[str]) -> None:
    assert draws("10.10.0.0/20", own=own).next() is None


def test_a_block_of_another_length_bars_what_it_overlaps() -> None:
    """Which cannot be, but the engine's content is anybody's."""
    found = heard(draws("10.10.0.0/16"), ["10.10.0.0/17", "10.10.128.7/32", "10.10.224.0/19"])
    got = set()
    while (block := found.next()) is not None:
        got.add(str(block))
        found.refused(block)
    assert sorted(got) == [f"10.10.{third}.0/20" for third in (144, 160, 176, 192, 208)]


def test_a_pool_of_very_many_blocks_costs_nothing() -> None:
    found = draws("fd00::/8", length=64)
    block = found.next()
    assert found.number == 1 << 56
    assert block is not None
    assert (block.length, ip_network("fd00::/8").overlaps(ip_network(str(block)))) == (64, True)


def test_a_used_up_pool_says_who_has_most() -> None:
    of = [("10.10.0.0/20", "a"), ("10.10.16.0/20", "b"), ("10.10.32.0/20", "b"), ("10.99.0.0/20", "z")]
    holders = {parse_prefix(block): Holder(OTHER, node, "", 0) for block, node in of}

    error = blocks.exhausted([POOL], 20, 16, holders)

    assert (error.code, error.msg) == (
        11,
        "claim a block of 10.10.0.0/16: all 16 blocks of /20 are taken",
    )
    assert error.details.startswith("node b has 2, node a has 1; `sriovctl pool`")
    assert "its one block of /16 is taken" in blocks.exhausted([POOL], 16, 1, {}).msg


# what a pool is -------------------------------------------------------------------------------------------------------


def definition(subnet: str, length: int = 20, node: str = "b1") -> Definition:
    return Definition(parse_prefix(subnet), length, node, 7)


def test_a_pool_that_is_new_is_added_and_what_is_there_stays() -> None:
    there, new = definition("10.10.0.0/16"), definition("10.20.0.0/16", 24, "a1")
    assert blocks.agreed("rack", [], [new]) == [new]
    assert blocks.agreed("rack", [there], [new]) == [there, new]
    assert blocks.agreed("rack", [there, new], [definition("10.10.0.0/16", node="a1"), new]) is None


@pytest.mark.parametrize("subnet", ["10.10.0.0/15", "10.10.128.0/17", "10.0.0.0/8", "10.10.0.0/16"])
def test_a_pool_that_others_have_in_another_way_names_both(subnet: str) -> None:
    ours = definition(subnet, 21, "a1")
    with pytest.raises(BadConfig) as caught:
        blocks.agreed("rack", [definition("10.10.0.0/16"), definition("10.9.0.0/16")], [ours])
    told = caught.value.msg
    assert all(word in told for word in ("a1", "b1", str(ours.subnet), "10.10.0.0/16", "rack"))
    assert caught.value.code == 7


def test_two_pools_of_one_call_that_overlap_are_refused_too() -> None:
    ours = [definition("10.10.0.0/16"), definition("10.10.0.0/17")]
    with pytest.raises(BadConfig):
        blocks.agreed("rack", [], ours)


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(3, 6), st.integers(6, 8)), max_size=6))
def test_whatever_is_agreed_is_apart(asked: list[tuple[int, int, int]]) -> None:
    """Small pools, so that many meet: 0-7 at a length of 3-6."""
    known: list[Definition] = []
    for value, length, block_length in asked:
        one = Definition(Prefix(4, value << 29 >> 32 - length << 32 - length, length), block_length, "n", 0)
        try:
            known = blocks.agreed("rack", known, [one]) or known
        except BadConfig:
            clash = [
                other
                for other in known
                if overlaps(ip_network(str(other.subnet)), ip_network(str(one.subnet)))
                and (other.subnet, other.length) != (one.subnet, one.length)
            ]
            assert clash
    nets = [ip_network(str(one.subnet)) for one in known]
    assert all(not overlaps(a, b) for n, a in enumerate(nets) for b in nets[n + 1 :])


# who we are -----------------------------------------------------------------------------------------------------------


def record(node: str = "a1", machine: str = "m", nonce: str = "") -> NodeRecord:
    return NodeRecord(MINE, node, machine, "", 0, 0, nonce)


def written(count: int) -> list[str]:
    """What that many contacts remember."""
    nonces: list[str] = []
    for _ in range(count):
        nonces = blocks.remembered(
            nonces, blocks.next_nonce(nonces, "", random.Random(len(nonces)).randrange)
        )
    return nonces


@pytest.mark.parametrize(
    ("there", "is_new", "expected"),
    [
        (None, True, "new"),
        (None, False, "gone"),
        (record(nonce="last"), False, "same"),
        (record(nonce="pending"), False, "same"),
        (record(nonce="first"), False, "older"),
        (record(nonce="f" * 32), False, "copied"),
        (record(nonce="f" * 32), True, "copied"),
        (record(node="b1", nonce="last"), False, "renamed"),
        (record(machine="other", nonce="last"), False, "moved"),
        (record(machine="", nonce="last"), False, "same"),
        (record(node="b1", machine="other", nonce="last"), False, "moved"),
    ],
)
def test_who_has_our_record(there: NodeRecord | None, is_new: bool, expected: str) -> None:
    nonces = [] if is_new else written(10)
    pending = blocks.next_nonce(nonces, "", lambda _: 0)
    names = {"first": nonces[0], "last": nonces[-1], "pending": pending} if nonces else {}
    if there is not None:
        there.nonce = names.get(there.nonce, there.nonce)
    assert blocks.standing(there, "a1", "m", nonces, "" if is_new else pending) == expected


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(1, 200))
def test_a_backup_of_any_age_is_told_from_a_copy(contacts: int, since_copy: int) -> None:
    """Ours is an older one, whether it is remembered or not. A copy that has been in contact since is none of ours."""
    history: list[list[str]] = [[]]
    for count in range(contacts):
        now = history[-1]
        history.append(blocks.remembered(now, blocks.next_nonce(now, "", random.Random(count).randrange)))
    ours = history[-1]
    assert len(ours) == min(contacts, 64)
    for nonces in history[1:-1]:
        assert blocks.standing(record(nonce=nonces[-1]), "a1", "m", ours, "") == "older"
    copy = ours
    for count in range(since_copy):
        copy = blocks.remembered(copy, blocks.next_nonce(copy, "", random.Random(-1 - count).randrange))
    assert blocks.standing(record(nonce=copy[-1]), "a1", "m", ours, "") == "copied"


def test_a_nonce_that_is_in_flight_is_ours_when_it_arrives() -> None:
    """The engine did not answer, the next contact began another, and the first came through after all."""
    nonces = written(3)
    lost = blocks.next_nonce(nonces, "", lambda _: 1)
    nonces = blocks.remembered(nonces, lost)
    again = blocks.next_nonce(nonces, lost, lambda _: 2)
    assert again > lost
    assert blocks.standing(record(nonce=lost), "a1", "m", nonces, again) == "same"


@pytest.mark.parametrize("nonce", ["", "z" * 32, "0" * 31, "0" * 33])
def test_a_nonce_that_is_none_is_nobodys(nonce: str) -> None:
    assert blocks.standing(record(nonce=nonce), "a1", "m", written(3), "") == "copied"
    assert blocks.standing(record(nonce=nonce), "a1", "m", written(100), "") == "copied"


# our blocks -----------------------------------------------------------------------------------------------------------


def test_what_the_engine_says_of_our_blocks() -> None:
    mine, other = Holder(MINE, "a1", "", 0), Holder(OTHER, "b1", "", 0)
    broken = Holder("", "", "", 0, "a fault")
    named = {n: parse_prefix(f"10.10.{16 * n}.0/20") for n in range(8)}

    told = blocks.compare(
        [named[n] for n in (0, 1, 2, 7)],
        [named[n] for n in (3, 4, 5)],
        {named[1]: mine, named[2]: other, named[3]: other, named[5]: mine, named[7]: broken},
        MINE,
    )

    assert told.missing == [named[0]]
    assert told.lost == {named[2]: other, named[7]: broken}
    assert (told.found, told.free) == ([named[5]], [named[4]])


SMALL = st.tuples(st.integers(0, 255), st.integers(2, 8)).map(
    lambda drawn: Prefix(4, drawn[0] >> 8 - drawn[1] << 32 - drawn[1], drawn[1])
)


@given(st.lists(SMALL, max_size=8), st.lists(SMALL, max_size=8))
def test_a_block_is_empty_if_nothing_in_it_or_around_it_is_leased(
    ours: list[Prefix], leased: list[Prefix]
) -> None:
    expected = {
        str(block)
        for block in ours
        if not any(overlaps(ip_network(str(block)), ip_network(str(lease))) for lease in leased)
    }
    got = blocks.empty(ours, leased)
    assert {str(block) for block in got} == expected
    assert got == sorted(got, key=blocks.by_address)


@given(st.integers(0, 1 << 16), st.lists(SMALL, max_size=8))
def test_what_is_covered_is_counted_once(chosen: int, leased: list[Prefix]) -> None:
    every = all_of(["0.0.0.0/0"], 4)
    ours = [block for n, block in enumerate(every) if chosen >> n & 1]
    subnets = [net for block in ours for net in ip_network(block).subnets(new_prefix=6)]
    expected = [net for net in subnets if any(net.overlaps(ip_network(str(lease))) for lease in leased)]
    parsed = [*map(parse_prefix, ours)]
    assert blocks.covered(parsed, 6, leased) == len(expected)
    assert blocks.capacity(parsed, 6) == len(subnets)


def test_a_lease_around_a_huge_block_costs_nothing() -> None:
    block = parse_prefix("fd00::/16")
    assert blocks.covered([block], 64, [parse_prefix("fc00::/7")]) == 1 << 48


@pytest.mark.parametrize(
    ("number", "used", "expected"),
    [(0, 0, True), (1, 12, False), (1, 13, True), (2, 28, False), (2, 29, True)],
)
def test_low_is_less_than_a_quarter_of_a_block(number: int, used: int, expected: bool) -> None:
    ours = [parse_prefix(block) for block in all_of(["10.10.0.0/16"], 20)[:number]]
    assert blocks.is_low(ours, 20, 24, used) == expected


@pytest.mark.parametrize(("used", "expected"), [(0, False), (1, True)])
def test_a_block_of_one_subnet_is_low_when_it_is_leased(used: int, expected: bool) -> None:
    assert blocks.is_low([POOL], 16, 16, used) == expected


# whom an operator means -----------------------------------------------------------------------------------------------


def test_a_node_is_meant_by_its_name_or_by_its_fingerprint() -> None:
    first, second = record(node="a1"), record(node="a1")
    second.fingerprint = OTHER
    third = NodeRecord("3" * 32, "1" * 8, "", "", 0, 0, "")
    every = [first, second, third]
    assert blocks.meant(every, "a1") == [first, second]
    assert blocks.meant(every, OTHER[:8]) == blocks.meant(every, OTHER) == [second]
    assert blocks.meant(every, "1" * 8) == [third], "a name goes first"
    assert blocks.meant(every, "1" * 9) == [first]
    assert blocks.meant(every, "2" * 7) == blocks.meant(every, "") == []
