"""The page of the node's lock: what a change began and did not end, whoever looks next."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from cni_sriov.leases.journal import Change
from cni_sriov.words.errors import InputOutput
from cni_sriov.words.inet import parse_prefix
from cni_sriov.words.lease import LeaseDir
from tests.unit.leases.kept import a_dir, a_node, begin, take


def test_a_change_that_did_not_end_is_there_for_the_next(tmp_path: Path) -> None:
    node = a_node(tmp_path)
    change = Change(a_dir(tmp_path), "c1@net1", "fast@pod@net1", ["10.10.1.0_24", "fd00::_64"])
    with node.journal("ADD") as journal:
        assert journal.pending is None
        journal.begin(change)

    with node.journal("GC") as journal:
        assert journal.pending == change
        journal.end()

    with node.journal("DEL") as journal:
        assert journal.pending is None


def test_the_page_is_one_and_says_who_holds_it(tmp_path: Path) -> None:
    """Earlier versions read it while pods run: the holder up to 512, then a length in 4 bytes, then five lines."""
    node = a_node(tmp_path)
    with node.journal("ADD") as journal:
        journal.begin(Change(LeaseDir("/data", "default"), "c1@net1", "", ["10.10.1.0_24"]))
        page = Path(node.path, "lock").read_bytes()

    assert len(page) == 4096
    assert str(os.getpid()) in page[:512].decode()
    assert "ADD" in page[:512].decode()
    (length,) = struct.unpack_from("<I", page, 512)
    assert page[516 : 516 + length].split(b"\n") == [b"/data", b"default", b"c1@net1", b"", b"10.10.1.0_24"]


@pytest.mark.parametrize(
    "text", [b"x", b"\n\n\n\n", b"data\ndefault\nc1@net1\n\n", b"/data\n../x\nc1@net1\n\n", b"/data\ndefault\na/b\n\n",
             b"/data\ndefault\nc1@net1\n\nx/y", b"/data\ndefault\nc1\0\n\n", b"\xff" * 80]
)  # fmt: skip
def test_what_we_never_wrote_is_no_change(tmp_path: Path, text: bytes) -> None:
    node = a_node(tmp_path)
    Path(node.path, "lock").write_bytes(bytes(512) + struct.pack("<I", len(text)) + text)

    with node.journal("ADD") as journal:
        assert (journal.pending, journal.is_garbled) == (None, True)
        journal.end()
    with node.journal("ADD") as journal:
        assert not journal.is_garbled


def test_a_later_version_may_say_more(tmp_path: Path) -> None:
    node = a_node(tmp_path)
    text = b"/data\ndefault\nc1@net1\n\n10.10.1.0_24\nby 0.9.0\n"
    Path(node.path, "lock").write_bytes(bytes(512) + struct.pack("<I", len(text)) + text)

    with node.journal("ADD") as journal:
        assert journal.pending == Change(LeaseDir("/data", "default"), "c1@net1", "", ["10.10.1.0_24"])


def test_after_a_change_that_cannot_be_read_the_files_are_believed(tmp_path: Path) -> None:
    """A killed reserve had made its file, and not told the index."""
    node = a_node(tmp_path)
    with begin(tmp_path, node) as there:
        take(there, "c1", "10.10.1.0/24")
    with begin(tmp_path, node) as there:
        there._index(4).mark(parse_prefix("10.10.1.0/24"), leased=False)  # noqa: SLF001 # no caller can do this
        assert not there.conflict(parse_prefix("10.10.1.0/24"))
    with Path(node.path, "lock").open("r+b") as page:
        page.seek(512)
        page.write(struct.pack("<I", 9) + b"format: 2")

    with begin(tmp_path, node) as there:
        assert there.conflict(parse_prefix("10.10.1.0/24"))
    assert "cannot be read" in (tmp_path / "log").read_text()


def test_a_change_that_has_no_room_is_refused_before_it_begins(tmp_path: Path) -> None:
    with a_node(tmp_path).journal("ADD") as journal, pytest.raises(InputOutput, match="too many"):
        journal.begin(Change(a_dir(tmp_path), "c1@net1", "", ["10.10.1.0_24"] * 400))

    with a_node(tmp_path).journal("ADD") as journal:
        assert journal.pending is None
