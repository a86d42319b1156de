"""What is stored of VPP comes back, also what a later version wrote beside it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cni_sriov.words.vpp import Tap, VppPart

TAP = Tap(1, "eth0", ["10.0.0.3/31"], ["10.0.0.2"], ["10.0.0.2"], [["10.0.0.0/24", "10.0.0.2"]])
PART = VppPart("/a/c1", "/a", "/etc/vpp", "net1", "0000:01:10.0", 1500, ["10.0.0.2/24"], [["::/0", ""]])


@pytest.mark.parametrize("tap", [None, TAP])
def test_what_is_stored_comes_back(tap: Tap | None) -> None:
    part = PART.copy()
    part.tap, part.options, part.gone = tap, {"mainCore": 1}, True

    assert VppPart.from_json(json.loads(json.dumps(part.to_json()))) == part


def test_what_a_later_version_wrote_stays() -> None:
    raw = PART.to_json() | {"later": [1], "tap": TAP.to_json() | {"more": 2}}

    assert VppPart.from_json(raw).to_json() == raw


@pytest.mark.parametrize(
    "fault", [{"mtu": "1500"}, {"tap": []}, {"tap": {"id": 1}}, {"gone": 1}, {"addresses": None}]
)
def test_what_we_would_not_write_is_refused(fault: dict[str, Any]) -> None:
    with pytest.raises((ValueError, KeyError)):
        VppPart.from_json(PART.to_json() | fault)


@pytest.mark.parametrize(
    "fault",
    [
        {"directory": "a/c1"},
        {"directory": "/a/../etc"},
        {"directory": ""},
        {"directory": "/etc"},
        {"directory": "/ab"},
        {"root": "/a/../a"},
        {"root": "a"},
    ],
)
def test_no_path_leads_where_none_of_ours_can(fault: dict[str, Any]) -> None:
    """DEL unlinks there as root."""
    with pytest.raises(ValueError, match=r"directory|path"):
        VppPart.from_json(PART.to_json() | fault)


def test_the_operators_part_of_a_path_may_be_the_root() -> None:
    assert VppPart.from_json(PART.to_json() | {"root": ""}).root == ""
