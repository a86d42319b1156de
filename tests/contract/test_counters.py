"""What went through a link: the fake's answer is built as the kernel's."""

from __future__ import annotations

import json
import subprocess
import time
from errno import ENODEV

import pytest

from cni_sriov.kernel import counters

from .card import refusal
from .node import KernelNode, Node


def test_a_link_tells_its_counters_and_has_no_vfs(node: Node) -> None:
    told = node.left.whole_link(node.add_link("left", "v0"))

    assert counters.of_link(told) == counters.Counters(0, 0, 0, 0)
    assert counters.of_vfs(told) == {}


def test_a_link_that_is_gone(node: Node) -> None:
    assert refusal(lambda: node.left.whole_link(4711)) == ENODEV


@pytest.mark.root
def test_they_are_what_ip_reads(kernel: KernelNode) -> None:
    """What IPv6 sends when a link comes up goes through the pair."""
    ifindex = kernel.add_link("left", "v0")
    kernel.left.set_up(ifindex)

    def theirs() -> list[int]:
        argv = ["ip", "-n", kernel.names["left"], "-s", "-j", "link", "show", "v0"]
        (link,) = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)
        return [link["stats64"][way][what] for what in ("packets", "bytes") for way in ("rx", "tx")]

    deadline = time.monotonic() + 10
    while not all(before := theirs()):
        assert time.monotonic() < deadline, "nothing went through"
        time.sleep(0.05)
    ours = counters.of_link(kernel.left.whole_link(ifindex))
    after = theirs()

    assert ours is not None
    assert [*ours.to_json()] == ["rxPackets", "txPackets", "rxBytes", "txBytes"]
    assert all(
        low <= mine <= high for low, mine, high in zip(before, ours.to_json().values(), after, strict=True)
    )
