"""What is node-global about subnets: which data directories are in use, the indexes, and where next-fit goes on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cni_sriov.leases.index import build, open_index
from cni_sriov.leases.node import read_cursor, write_cursor
from cni_sriov.words.inet import parse_prefix
from cni_sriov.words.lease import LeaseDir
from tests.unit.leases.kept import BOOT, a_node


def test_every_directory_in_use_is_known(tmp_path: Path) -> None:
    node = a_node(tmp_path)
    used = [LeaseDir("/var/lib/a", "default"), LeaseDir("/var/lib/a%2Fb", "default"), LeaseDir("/srv", "lab")]
    assert [node.is_registered(where) for where in used] == [False] * 3

    for where in used * 2:
        node.register(where)

    assert sorted(node.dirs(), key=str) == sorted(used, key=str)
    assert [node.is_registered(where) for where in used] == [True] * 3


def test_a_registration_that_is_no_link_is_known_by_its_name(tmp_path: Path) -> None:
    node = a_node(tmp_path)
    node.register(LeaseDir("/srv/a", "lab"))
    (link,) = Path(node.path, "dirs").iterdir()
    link.unlink()
    link.write_text("torn")

    assert [*node.dirs()] == [LeaseDir("/srv/a", "lab")]
    assert node.is_registered(LeaseDir("/srv/a", "lab"))


def test_a_new_directory_makes_the_scopes_index_be_built_anew(tmp_path: Path) -> None:
    node = a_node(tmp_path)
    for scope in ("default", "lab"):
        node.put_index(scope, build(4, [parse_prefix("10.10.1.0/24")]))

    node.register(LeaseDir("/srv", "default"))

    assert not Path(node.index_path("default", 4)).exists()
    assert open_index(node.index_path("lab", 4), 4, BOOT).conflict(parse_prefix("10.10.0.0/16"))


@pytest.mark.parametrize("address", [0, 1, 2**32 - 1, 2**128 - 1])
def test_a_cursor_is_what_was_written_last(tmp_path: Path, address: int) -> None:
    fd = a_node(tmp_path).open_cursor("default", "10.10.0.0_16+24")
    assert read_cursor(fd) is None
    for value in (2**128 - 1, address):
        write_cursor(fd, value)

    assert read_cursor(fd) == address
    os.close(fd)


@pytest.mark.parametrize("text", ["", " ", "x", "1 2", "0x10", "1.5"])
def test_a_cursor_that_is_no_number_is_none(tmp_path: Path, text: str) -> None:
    fd = a_node(tmp_path).open_cursor("default", "key")
    os.write(fd, text.encode())

    assert read_cursor(fd) is None
    os.close(fd)
