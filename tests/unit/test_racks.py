"""The judge of shared pools sees what it is there for (tests/racks.py)."""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import Any

import pytest

from tests import racks
from tests.racks import Shared


class Files:
    """A machine by what its files say."""

    def __init__(self, name: str, leases: str, blocks: str, claiming: str = "") -> None:
        self.name = name
        self._leases = [ip_network(it) for it in leases.split()]
        self._blocks = {"blocks": blocks.split(), "claiming": claiming.split()}

    def leases(self) -> list[Any]:
        return self._leases

    def blocks(self, kind: str = "blocks") -> set[Any]:
        return {ip_network(it) for it in self._blocks.get(kind, [])}

    def fingerprint(self) -> str:
        return f"of {self.name}"


class Told:
    """etcd by what it says."""

    def __init__(self, **holders: str) -> None:
        self._holders = holders

    def stored(self, prefix: str) -> dict[str, str]:
        """n1="10.0.1.0/24 ...": what etcd has under keys like /x/blocks/10.0.1.0_24."""
        return {
            f"{prefix}/{block.replace('/', '_')}": json.dumps({"fingerprint": f"of {name}"})
            for name, blocks in self._holders.items()
            for block in blocks.split()
        }


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ("", "", 0),
        ("10.0.0.0/26", "10.0.0.64/26", 0),
        ("10.0.0.0/26", "10.0.0.0/26", 1),
        ("10.0.0.0/24", "10.0.0.128/26", 1),
        ("10.0.0.0/24 10.0.1.0/24", "10.0.1.255/32", 1),
        ("10.0.0.0/16 10.0.0.0/28", "", 1),
        ("10.0.0.0/16 10.0.1.0/24", "10.0.2.0/24", 2),
        ("::/64", "0.0.0.0/0 ::1:0:0:0:0/64", 0),
        ("fd00::/48", "fd00:0:0:ffff::/64", 1),
    ],
)
def test_every_overlap_is_seen(first: str, second: str, found: int) -> None:
    nodes: Any = [Files("n1", first, ""), Files("n2", second, "")]
    assert len(racks.overlaps(nodes)) == found, racks.overlaps(nodes)


def test_a_lease_is_in_a_block_of_its_own_machine() -> None:
    nodes: Any = [Files("n1", "10.0.0.0/26 10.0.1.0/26", "10.0.0.0/24"), Files("n2", "", "10.0.1.0/24")]
    assert racks.outside(nodes, Shared("10.0.0.0/16")) == ["10.0.1.0/26 of n1 is in none of its blocks"]
    assert racks.outside(nodes, Shared("10.9.0.0/16")) == [], "of another pool"
    nodes = [Files("n1", "10.0.0.0/26 fd00::/64 fd00:0:0:1::/64", "10.0.0.0/24 fd00::/64")]
    assert racks.outside(nodes, Shared("10.0.0.0/16")) == []
    assert racks.outside(nodes, Shared("fd00::/48")) == ["fd00:0:0:1::/64 of n1 is in none of its blocks"]


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({"n1": "10.0.0.0/24", "n2": "10.0.1.0/24"}, 0),
        ({"n1": "10.0.0.0/24"}, 1),
        ({"n1": "10.0.0.0/24 10.0.1.0/24"}, 1),
        ({"n1": "10.0.0.0/24", "n2": "10.0.1.0/24", "n3": "10.0.2.0/24"}, 1),
    ],
)
def test_files_and_engine_say_the_same(told: dict[str, str], found: int) -> None:
    nodes: Any = [Files("n1", "", "10.0.0.0/24"), Files("n2", "", "10.0.1.0/24")]
    etcd: Any = Told(**told)
    assert len(racks.unequal(nodes, etcd)) == found


def test_what_is_half_done_and_what_two_have_is_seen() -> None:
    nodes: Any = [Files("n1", "", "10.0.0.0/24", "10.0.7.0/24"), Files("n2", "", "10.0.0.0/24")]
    etcd: Any = Told(n1="10.0.0.0/24")
    assert len(racks.unequal(nodes, etcd)) == 3
