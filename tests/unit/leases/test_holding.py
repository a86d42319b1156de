"""Who holds which leases: a file's text, its name, and whatever else may stand there."""

from __future__ import annotations

import json
from ipaddress import IPv4Network, IPv6Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni_sriov.leases.holding import (
    Holding,
    key_name,
    name_of,
    owner_name,
    prefix_of,
)
from cni_sriov.words.domain import Attachment
from cni_sriov.words.errors import BadEnvironment, Unreadable
from cni_sriov.words.inet import parse_prefix
from cni_sriov.words.stored import parsed
from tests.unit.leases.kept import a_holding, a_lease
from tests.unit.networks import Network


def parse_holding(path: str, text: bytes) -> Holding:
    return parsed(path, text.decode("utf-8", "surrogateescape"), Holding.from_json)


def test_what_is_written_is_read_back() -> None:
    for who in (Attachment("c1", "net1"), None):
        holding = Holding(who, [a_lease("10.10.1.0/24", "key")], "fast", "/n", [4, 5], "b", 6, 7)
        assert parse_holding("/l", holding.render()) == holding


@pytest.mark.parametrize(
    "change",
    [{"leases": []}, {"leases": [7]}, {"leases": None}, {"attachment": "c1/net1"}, {"attachment": {"ifname": "x"}},
     {"netns": 7}, {"netns_id": "4"}, {"created": "6"}, {"boot_id": None}, {"network": []}, {"netns_cookie": "7"}],
)  # fmt: skip
def test_a_wrong_type_is_damage_and_no_bug(change: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        parse_holding(
            "/l", json.dumps(json.loads(a_holding("c1", "10.10.1.0/24").render()) | change).encode()
        )


def test_what_a_later_version_wrote_is_kept_and_another_format_is_not_read() -> None:
    raw = json.loads(a_holding("c1", "10.10.1.0/24").render())
    later = raw | {"minor": 9, "by": "7.1.0", "colour": "red", "leases": [raw["leases"][0] | {"tag": 3}]}

    again = json.loads(parse_holding("/l", json.dumps(later).encode()).render())

    assert again == later | {"by": raw["by"]}
    with pytest.raises(Unreadable, match=r"read /l: format 2 is not known.*7\.1\.0 wrote it"):
        parse_holding("/l", json.dumps(later | {"format": 2}).encode())


@given(st.binary(max_size=40))
def test_any_bytes_are_damage_and_no_bug(text: bytes) -> None:
    with pytest.raises(Unreadable):
        parse_holding("/l", text)


@given(st.sampled_from([IPv4Network, IPv6Network]), st.integers(0, 2**128 - 1), st.integers(0, 128))
def test_a_leases_file_name_says_its_prefix(kind: type[Network], value: int, length: int) -> None:
    whole = kind((0, 0))
    net = kind((value % whole.num_addresses, min(length, whole.max_prefixlen)), strict=False)
    prefix = parse_prefix(str(net))

    assert prefix_of(name_of(prefix)) == prefix
    assert name_of(prefix) == str(prefix).replace("/", "_")


@pytest.mark.parametrize(
    "name", ["", "x", "10.10.1.0", "10.10.1.0_33", "10.10.1.7_24", "10.10.1.0/24", "10.10.1.0_024", "FD00::_64", "fd00:0::_64"]
)  # fmt: skip
def test_another_spelling_is_no_leases_name(name: str) -> None:
    """Else two files could be one subnet."""
    assert prefix_of(name) is None


@pytest.mark.parametrize("who", [None, Attachment("", "net1"), Attachment("../x", "net1"), Attachment("-x", "n"), Attachment("a" * 250, "net12345")])  # fmt: skip
def test_an_owners_name_never_leaves_its_directory(who: Attachment | None) -> None:
    with pytest.raises(BadEnvironment):
        owner_name(who)


def test_long_keys_stay_apart() -> None:
    """A pod's name may have 253 characters (RFC 1123), and a file's 255 bytes."""
    keys = [f"fast/default/{'p' * 240}{end}/net1" for end in ("", "q", "qq", "r")]

    names = {key_name(key) for key in keys}

    assert len(names) == len(keys)
    assert max(len(name) for name in names) <= 255
    assert key_name("fast/default/web/net1") == "fast@default@web@net1"
