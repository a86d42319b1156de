"""A question or an answer that is lost between a machine and etcd, at the one moment where it matters: whether it was done
nobody here knows then, and no block may be lost by it, or held by two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests import racks
from tests.etcd import Etcd
from tests.integration.conftest import Rack
from tests.racks import Machine, Shared, name_of
from tests.relay import Change, Relay

pytestmark = [pytest.mark.root, pytest.mark.bundle]

SHARED = Shared("10.72.0.0/22", 26, 24)  # four blocks of four
BLOCK = max(SHARED.blocks)
PUT, DELETE = "requestPut", "requestDeleteRange"
SOON = ("--deadline", "2")

Behind = Callable[[Machine], list[Relay]]


@pytest.fixture
def behind(etcd: Etcd) -> Iterator[Behind]:
    """The machine speaks to the first two members, and what it says can be lost."""
    with ExitStack() as stack:

        def found(node: Machine) -> list[Relay]:
            relays = [stack.enter_context(Relay(node, member)) for member in etcd.members[:2]]
            node.configure(endpoints=[relay.endpoint for relay in relays])
            assert "error" not in node.refill(SHARED, "--more-than", "0", "--block", f"{min(SHARED.blocks)}")
            return relays

        yield found


def of_block(kind: str) -> Callable[[Change], bool]:
    return lambda change: change.kind == kind and change.key.endswith(f"/blocks/{name_of(BLOCK)}")


def silence(relays: list[Relay]) -> Callable[[], None]:
    """From the loss on nothing passes, here or there."""

    def act() -> None:
        for relay in relays:
            relay.is_silent = True

    return act


def claim(node: Machine) -> Any:
    return node.refill(SHARED, "--block", f"{BLOCK}", *SOON)


def lost(relays: list[Relay]) -> int:
    return sum(len(relay.lost) for relay in relays)


def test_a_claim_whose_answer_is_lost_is_asked_for_again_and_is_its_own(
    rack: Rack, etcd: Etcd, behind: Behind
) -> None:
    (node,) = rack("n1")
    first, second = relays = behind(node)
    first.lose_answer = second.lose_answer = lambda change: of_block(PUT)(change) and not lost(relays)
    assert claim(node)["claimed"] == [f"{BLOCK}"]
    assert lost(relays) == 1
    assert BLOCK in node.blocks()
    assert racks.faults([node], SHARED, node.prefix) == []


def test_a_claim_that_nobody_answers_is_settled_by_the_next_contact(
    rack: Rack, etcd: Etcd, behind: Behind
) -> None:
    (node,) = rack("n1")
    relays = behind(node)
    for relay in relays:
        relay.lose_answer, relay.then = of_block(PUT), silence(relays)
    error = claim(node)["error"]
    assert (error["code"], lost(relays)) == (11, 1), error
    assert BLOCK in racks.claimed(etcd, node.prefix), "it was done"
    assert (BLOCK in node.blocks(), node.blocks("claiming")) == (False, {BLOCK}), "and nobody here heard it"
    for relay in relays:
        relay.lose_answer, relay.is_silent = lambda _: False, False
    assert node.refill(SHARED)["claimed"] == [f"{BLOCK}"], "what was claimed already is enough"
    assert racks.faults([node], SHARED, node.prefix) == []


def test_a_claim_that_never_arrived_is_no_claim(rack: Rack, etcd: Etcd, behind: Behind) -> None:
    first, second = rack("n1", "n2")
    relays = behind(first)
    for relay in relays:
        relay.lose_question, relay.then = of_block(PUT), silence(relays)
    assert claim(first)["error"]["code"] == 11
    assert claim(second)["claimed"] == [f"{BLOCK}"]
    theirs = {second.add(f"c{number}", SHARED) for number in range(SHARED.per_block)}
    assert all(it.subnet_of(BLOCK) for it in theirs)
    own = [first.add(f"c{number}", SHARED) for number in range(SHARED.per_block + 1)]
    assert own.pop()["code"] == 11, "its one block is full, and nobody answers"
    for relay in relays:
        relay.lose_question, relay.is_silent = lambda _: False, False
    first.settle()
    assert claim(first)["error"]["code"] == 104
    for node in (first, second):
        node.settle()
    assert racks.faults([first, second], SHARED, first.prefix) == []


def test_who_is_killed_before_he_hears_that_it_is_his_finds_it_again(
    rack: Rack, etcd: Etcd, behind: Behind
) -> None:
    (node,) = rack("n1")
    relays = behind(node)
    for relay in relays:
        relay.lose_answer, relay.then = of_block(PUT), lambda: list(map(racks.kill, node.refills()))
    done = node.pool(*node.refill_words(SHARED, "--block", f"{BLOCK}"))
    assert (done.returncode, lost(relays)) == (-9, 1), done
    assert BLOCK in racks.claimed(etcd, node.prefix)
    assert node.blocks("claiming") == {BLOCK}, "nobody here knows of it any more"
    for relay in relays:
        relay.lose_answer = lambda _: False
    assert node.refill(SHARED)["claimed"] == [f"{BLOCK}"]
    assert racks.faults([node], SHARED, node.prefix) == []


def test_what_was_given_back_unheard_is_not_taken_from_who_has_it_since(
    rack: Rack, etcd: Etcd, behind: Behind
) -> None:
    first, second = rack("n1", "n2")
    relays = behind(first)
    assert claim(first)["claimed"] == [f"{BLOCK}"]
    for relay in relays:
        relay.lose_answer, relay.then = of_block(DELETE), silence(relays)
    done = first.pool("release", f"{BLOCK}", *SOON)
    assert (done.returncode, lost(relays)) == (1, 1), done
    assert BLOCK not in racks.claimed(etcd, first.prefix), "it was done"
    assert (BLOCK in first.blocks(), first.blocks("releasing")) == (False, {BLOCK}), (
        "and nobody here heard it"
    )
    assert claim(second)["claimed"] == [f"{BLOCK}"]
    theirs = second.add("one", SHARED)
    assert theirs.subnet_of(BLOCK)
    for relay in relays:
        relay.lose_answer, relay.is_silent = lambda _: False, False
    assert "error" not in first.refill(SHARED)
    assert racks.claimed(etcd, first.prefix).get(BLOCK) == second.fingerprint()
    assert first.blocks("releasing") == set()
    second.settle()
    assert racks.faults([first, second], SHARED, first.prefix) == []
