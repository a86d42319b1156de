"""The nouns: what is asked of a link, and an attachment's name among files."""

from __future__ import annotations

import pytest

from cni_sriov.words.domain import Attachment, Link

# linux/if.h: IFF_UP, IFF_RUNNING, IFF_PROMISC, IFF_ALLMULTI
UP, RUNNING, PROMISC, ALLMULTI = 1 << 0, 1 << 6, 1 << 8, 1 << 9


@pytest.mark.parametrize("flags", [0, UP, RUNNING, PROMISC, UP | ALLMULTI, UP | RUNNING | PROMISC | ALLMULTI])
def test_flags_are_the_kernels(flags: int) -> None:
    link = Link(7, "eth0", flags)

    assert link.is_up == (flags % 2 == 1)
    assert link.modes == flags & ~(UP | RUNNING)


@pytest.mark.parametrize(
    ("flags", "promiscuity", "held"),
    [(0, 0, False), (PROMISC, 1, False), (PROMISC, 2, True), (0, 1, True), (ALLMULTI, 0, False)],
)
def test_its_own_flag_is_one_of_those_who_want_it_promiscuous(
    flags: int, promiscuity: int, held: bool
) -> None:
    """net/core/dev.c, __dev_change_flags: the flag itself counts once in dev->promiscuity."""
    assert Link(7, "eth0", flags, promiscuity=promiscuity).is_held == held


def test_an_attachments_file_tells_its_halves_apart() -> None:
    """A container ID has no "@" (SPEC 1.1.0, "Parameters"), so the first one ends it, whatever the interface is called."""
    pairs = [("a", "b@c"), ("a-b", "c"), ("a", "b-c"), ("a.b", "c")]

    names = [Attachment(*pair).filename for pair in pairs]

    assert [tuple(name.split("@", 1)) for name in names] == pairs
    assert str(Attachment("a", "net1")) == "a/net1"
    assert Attachment.from_json({"container_id": "a", "ifname": "net1"}) == Attachment("a", "net1")
