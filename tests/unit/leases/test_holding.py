"""Who holds which leases: a file's text, its name, and whatever else may stand there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni_sriov.leases.holding import Holding, key_name, owner_name
from cni_sriov.words.domain import Attachment
from cni_sriov.words.errors import BadEnvironment, Unreadable
from cni_sriov.words.stored import parsed
from tests.unit.leases.kept import a_holding, a_lease


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
