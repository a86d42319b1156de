"""Answers survive JSON; what is none is refused, whatever a recording says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cni_sriov.ctl.recording.values import decoded, encoded
from cni_sriov.kernel.replies import Address, KernelRoute
from cni_sriov.words.domain import Link, Route
from cni_sriov.words.record import VfState

LINK = Link(3, "enp1s0f0", flags=0x1043, mac="02:00:00:00:00:01", altnames=["a", "b"], attrs={3: b"enp\0"})


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        7,
        "net\udcff",
        b"\0\xff",
        [LINK, None],
        {0: VfState(mac="", vlan=5), 1: VfState(trust=None)},
        {"features": "21"},
        Address("10.0.0.1/24", 3),
        KernelRoute(Route("0.0.0.0/0", gw="10.0.0.254"), 3, 254),
    ],
)
def test_there_and_back(value: Any) -> None:
    again = decoded(json.loads(json.dumps(encoded(value))))

    assert (again, type(again)) == (value, type(value))


def test_the_attributes_of_a_link_survive() -> None:
    """Link's == passes them over."""
    assert decoded(json.loads(json.dumps(encoded(LINK)))).attrs == {3: b"enp\0"}


@pytest.mark.parametrize(
    "raw",
    [
        1.5,
        [1],
        {},
        {"hex": "xy"},
        {"hex": 3},
        {"map": [["a"]]},
        {"map": [[{"list": []}, 1]]},
        {"noun": "Popen", "of": {}},
        {"noun": "Link", "of": {}},
        {"noun": "Link", "of": {"ifindex": "3", "ifname": "x"}},
        {"noun": "Link", "of": {"ifindex": True, "ifname": "x"}},
        {"noun": "Link", "of": {"ifindex": 3, "ifname": "x", "altnames": {"list": [7]}}},
        {"noun": "VfState", "of": {"trust": 1}},
        {"list": [{"list": [{"noun": "Route", "of": {"dst": None}}]}]},
    ],
)
def test_what_is_no_answer_is_refused(raw: Any) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        decoded(raw)


def test_a_later_versions_field_is_passed_over() -> None:
    raw = {"noun": "Address", "of": {"address": "10.0.0.1/24", "ifindex": 3, "colour": "red"}}
    assert decoded(raw) == Address("10.0.0.1/24", 3)


def test_what_no_answer_has_is_not_recorded() -> None:
    with pytest.raises(TypeError, match="object"):
        encoded(object())
