"""Counters as pyroute2 writes them, and no bytes can break the decoder."""

from __future__ import annotations

import random
from typing import Any

import pytest

from cni_sriov.kernel import attributes, counters
from cni_sriov.kernel.counters import Counters
from tests.unit.kernel.oracle import link_oracle

OWN = {"rx_packets": 1, "tx_packets": 2, "rx_bytes": 3 << 33, "tx_bytes": 4 << 40, "rx_dropped": 9}
NAMES = ("RX_PACKETS", "TX_PACKETS", "RX_BYTES", "TX_BYTES")


def vf_entry(index: int, numbers: tuple[int, ...]) -> tuple[str, Any]:
    stats = [(f"IFLA_VF_STATS_{name}", number) for name, number in zip(NAMES, numbers, strict=False)]
    stats += [("IFLA_VF_STATS_BROADCAST", 77), ("IFLA_VF_STATS_MULTICAST", 78)]
    mac = ("IFLA_VF_MAC", {"vf": index, "mac": f"02:00:00:00:01:{index:02x}"})
    return "IFLA_VF_INFO", {"attrs": [mac, ("IFLA_VF_STATS", {"attrs": stats})]}


def pf_reply(entries: list[tuple[str, Any]]) -> bytes:
    return link_oracle(
        [
            ("IFLA_STATS64", OWN),
            ("IFLA_NUM_VF", len(entries)),
            ("IFLA_VFINFO_LIST", {"attrs": entries}),
        ]
    )


def test_a_links_own() -> None:
    assert counters.of_link(pf_reply([])) == Counters(1, 2, 3 << 33, 4 << 40)
    assert counters.of_link(link_oracle([("IFLA_IFNAME", "lo")])) is None


@pytest.mark.parametrize("count", [0, 1, 2, 7, 255, 256])
def test_each_vfs(count: int) -> None:
    entries = [vf_entry(index, (index + 1, 2, index << 32, 1 << 63)) for index in range(count)]

    found = counters.of_vfs(pf_reply(entries))

    assert found == {index: Counters(index + 1, 2, index << 32, 1 << 63) for index in range(count)}


def test_a_driver_that_does_not_count_is_no_zero() -> None:
    assert counters.of_vfs(pf_reply([vf_entry(0, (0, 0, 0, 0)), vf_entry(1, (0, 1, 0, 0))])) == {
        1: Counters(0, 1, 0, 0)
    }


def test_a_link_without_vfs_has_none() -> None:
    assert counters.of_vfs(link_oracle([("IFLA_IFNAME", "lo")])) == {}


def test_no_bytes_break_it() -> None:
    whole = pf_reply([vf_entry(index, (1, 2, 3, 4)) for index in range(3)])
    seed = random.randrange(1 << 32)
    print("seed", seed)
    dice = random.Random(seed)
    for _ in range(3000):
        damaged = bytearray(whole[: dice.randrange(len(whole) + 1)])
        for _ in range(dice.randrange(4) if damaged else 0):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        for decode in (counters.of_link, counters.of_vfs):
            try:
                decode(bytes(damaged))
            except attributes.Malformed:
                pass
