"""Which netdev of the pod is the VF; the one way to wait for what comes by itself."""

from __future__ import annotations

import time

import pytest

from cni_sriov.vf.card import among, poll
from cni_sriov.words.domain import Attachment, Link
from cni_sriov.words.record import Record, VfState

VF = "0000:01:10.0"


@pytest.mark.parametrize("told_at_add", [VF, ""])  # "": by a version that asked no ethtool, before Linux 5.14
def test_what_only_has_the_name_is_not_the_vf(told_at_add: str) -> None:
    """A container renamed its VF, and put a veth in its place."""
    record = Record(Attachment("c1", "net1"), "n", "0000:01:00.0", VF, 0, "", [], "", parent_dev=told_at_add)
    record.baseline = VfState(ifname="enp1s0f0v0")
    thief, vf = Link(2, "net1", kind="veth"), Link(3, "mine", parent_dev=VF)

    assert among([thief, vf], record) is vf
    assert among([thief], record) is (None if told_at_add else thief)


def test_of_two_netdevs_of_one_device_the_name_tells() -> None:
    record = Record(Attachment("c1", "net1"), "n", "0000:01:00.0", VF, 0, "", [], "", parent_dev=VF)
    first, second = Link(2, "net0", parent_dev=VF), Link(3, "net1", parent_dev=VF)

    assert among([first, second], record) is second


def test_it_asks_until_nothing_is_missing() -> None:
    answers = [["a MAC"], ["a MAC"], []]

    assert poll(lambda: answers.pop(0), 5, 0.001) == []
    assert answers == []


def test_what_is_missing_at_the_end_is_told() -> None:
    began = time.monotonic()

    assert poll(lambda: ["a carrier"], 0.05, 0.001) == ["a carrier"]
    assert 0.05 <= time.monotonic() - began < 5


def test_without_time_it_asks_once() -> None:
    asked = []

    assert poll(lambda: asked.append(1) or "more", 0) == "more"  # type: ignore[func-returns-value]
    assert asked == [1]
