"""One change under the node's lock: whatever a killed process left of it is taken back by whoever comes next."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni_sriov.leases.directory import Directory
from cni_sriov.leases.journal import Journal
from cni_sriov.leases.node import Node
from cni_sriov.leases.transaction import Transaction
from cni_sriov.words.domain import Attachment
from cni_sriov.words.errors import AttachedAlready
from cni_sriov.words.inet import parse_prefix
from cni_sriov.words.lease import Choice
from tests.unit.leases.kept import BOOT, a_holding, a_lease, a_node, begin, take

POOL, FIRST, SECOND = parse_prefix("10.10.0.0/16"), "10.10.0.0/24", "10.10.1.0/24"


class Killed(BaseException):
    """Nothing of ours catches it, and nothing of it is undone: as SIGKILL."""


def test_what_was_taken_is_held_until_it_is_released(tmp_path: Path) -> None:
    node = a_node(tmp_path)
    with begin(tmp_path, node) as there:
        take(there, "c1", FIRST)
        assert there.first_free(POOL, 24, POOL.value) == parse_prefix(SECOND).value
    with begin(tmp_path, node) as there:
        assert there.conflict(parse_prefix(FIRST))
        with pytest.raises(AttachedAlready):
            there.refuse_second(Attachment("c1", "net1"), None)
        assert [lease.subnet for lease in there.release("c1@net1")] == [FIRST]
        assert not there.conflict(POOL)


@pytest.mark.parametrize("step", ["add", "mark", "end"])
def test_a_killed_change_is_undone_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    node = a_node(tmp_path)
    with begin(tmp_path, node) as there:
        take(there, "c1", FIRST)

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, begin(tmp_path, node) as there:
        patch.setattr({"add": Directory, "mark": Transaction, "end": Journal}[step], step, killed)
        patch.setattr(Transaction, "finish", killed)  # dead processes undo nothing
        with pytest.raises(Killed):
            take(there, "c2", SECOND)

    with begin(tmp_path, node) as there:
        assert (there.boot.has_owner("c2@net1"), there.conflict(parse_prefix(SECOND))) == (False, False)
        assert (there.boot.has_owner("c1@net1"), there.conflict(parse_prefix(FIRST))) == (True, True)
        assert there.journal.pending is None
    assert "finishing what a killed process began" in (tmp_path / "log").read_text()


def test_the_files_beat_an_index_that_says_free(tmp_path: Path) -> None:
    """Whatever else it says wrongly is right by then as well."""
    with begin(tmp_path, a_node(tmp_path)) as there:
        for container, subnet in (("c1", FIRST), ("c3", SECOND)):
            take(there, container, subnet)
            there.indexes[4].mark(parse_prefix(subnet), leased=False)

        assert not there.take(a_holding("c2"), Choice([a_lease(FIRST)], {})), "choose again"

        assert [there.conflict(parse_prefix(subnet)) for subnet in (FIRST, SECOND)] == [True, True]
        assert there.boot.holder("10.10.0.0_24") == a_holding("c1", FIRST)


def test_another_boots_leases_are_gone_at_its_first_use(tmp_path: Path) -> None:
    with begin(tmp_path, a_node(tmp_path)) as there:
        take(there, "c1", FIRST)
    later = Node(str(tmp_path / "later"), BOOT.replace("1", "9"))

    with begin(tmp_path, later) as there:
        assert not there.conflict(POOL)

    assert not (tmp_path / "data/default" / BOOT).exists()
    assert "leases of an earlier boot dropped" in (tmp_path / "log").read_text()
