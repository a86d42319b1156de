"""Who a node is to the others, and what is leased on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni_sriov.ctl.cluster import member
from cni_sriov.kernel.files import Files
from cni_sriov.words.cluster import Holder
from cni_sriov.words.errors import InputOutput
from tests.unit.ctl.cluster.rack import POOL, Rack, rack

__all__ = ["rack"]  # a fixture
MACHINE_ID = "0123456789abcdef0123456789abcdef"


def test_the_machine_is_told_by_a_hash_that_says_nothing_of_its_id(tmp_path: Path) -> None:
    """As `sha256sum` has it, of the salt, a NUL and the ID."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/machine-id").write_text(f"{MACHINE_ID}\n")
    assert member.machine_of(Files(str(tmp_path))) == (
        "fb94db15296ecf0428f27049b91459e29ab683dc644915ac6fc5a8443f10e7b6"
    )


@pytest.mark.parametrize("text", [None, "", "uninitialized\n", MACHINE_ID[1:], MACHINE_ID.upper()])
def test_a_machine_without_an_id_is_told_from_none(tmp_path: Path, text: str | None) -> None:
    """machine-id(5): "uninitialized" while the first boot goes on."""
    if text is not None:
        (tmp_path / "etc").mkdir()
        (tmp_path / "etc/machine-id").write_text(text)
    assert member.machine_of(Files(str(tmp_path))) == ""


def test_random_numbers_are_below_and_reach_all() -> None:
    assert {member.random_below(3) for _ in range(200)} == {0, 1, 2}
    assert member.random_below(1) == 0
    assert any(member.random_below(1 << 64) >> 60 for _ in range(50))


def test_leases_are_told_by_scope_and_together(rack: Rack) -> None:
    a = rack.node("a1")
    assert a.member().leased() == []
    a.lease("10.10.1.0/24")
    a.lease("10.10.2.0/24", data_dir=str(a.root / "elsewhere"))
    a.lease("10.10.1.0/24", "c2", scope="blue")
    by_scope = member.leased_by_scope(a.host, a.data_dir)
    assert {scope: [*map(str, found)] for scope, found in by_scope.items()} == {
        "default": ["10.10.1.0/24", "10.10.2.0/24"],
        "blue": ["10.10.1.0/24"],
    }
    assert sorted(map(str, a.member().leased())) == ["10.10.1.0/24", "10.10.2.0/24"]


def test_a_data_dir_that_is_none_is_told(rack: Rack) -> None:
    a = rack.node("a1")
    a.root.mkdir()
    (a.root / "data").write_text("")
    with pytest.raises(InputOutput, match="list leases in"):
        a.member().leased()


def test_every_block_that_it_has_to_do_with(rack: Rack) -> None:
    a = rack.node("a1")
    assert member.every_block(a.files) == {}
    blocks = [a.refill(POOL).claimed[0] for _ in range(2)]
    a.files.begin_release(blocks[0])
    assert set(member.every_block(a.files)) == set(blocks)


def test_who_has_a_block_is_told_as_far_as_it_is_known() -> None:
    assert member.told_holder(Holder("1", "b1", "", 0)) == "node b1"
    assert "cannot be read" in member.told_holder(Holder("", "", "", 0, "a fault"))
