"""What is stored of any noun: its fields by name, and on the way back no wrong type."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from cni_sriov.words import jsontext
from cni_sriov.words.domain import Attachment
from cni_sriov.words.errors import BadConfig, Unreadable
from cni_sriov.words.stored import Stored, opened, parsed, rendered, stamped, stored


@stored()
@dataclass(slots=True)
class Inner(Stored):
    name: str


@stored(later=7)
@dataclass(slots=True)
class Noun(Stored):
    word: Literal["one", "two"]
    number: int | None
    names: list[str]
    inner: Inner
    ipam: dict[str, Any]
    later: int = 7


GOOD: dict[str, Any] = {"word": "one", "number": 1, "names": ["a"], "inner": {"name": "x"}, "ipam": {"key": 1}, "later": 8}  # fmt: skip


def test_fields_are_written_in_alphabetical_order() -> None:
    assert list(Noun.from_json(GOOD).to_json()) == sorted(GOOD)
    assert Noun.from_json(GOOD).to_json() == GOOD


def test_what_an_earlier_version_did_not_write_is_what_it_was_then() -> None:
    """And what a later one writes beyond is kept; its words are words."""
    without = {key: value for key, value in GOOD.items() if key != "later"}

    found = Noun.from_json(without | {"word": "three", "colour": "red"})

    assert (found.later, str(found.word)) == (7, "three")
    assert found.to_json() == GOOD | {"word": "three", "colour": "red", "later": 7}


def test_a_frozen_noun_keeps_it_too_and_is_the_same_one() -> None:
    plain, more = {"container_id": "c", "ifname": "i"}, {"container_id": "c", "ifname": "i", "pod": "p"}

    assert Attachment.from_json(more) == Attachment.from_json(plain)
    assert Attachment.from_json(more).to_json() == more


def depth(levels: int) -> Any:
    return {"a": depth(levels - 1)} if levels else 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "parse JSON: the text is empty"),
        ('{"format": 1', "parse JSON: "),
        ("[]", "parse JSON: the document is not an object"),
        ('{"format": 2, "by": "9.1.0"}', "format 2 is not known"),
        ('{"format": 1}', '"inner" is missing'),
        (json.dumps({"format": 1, "ipam": depth(90)}), "parse JSON: nested more than "),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error_that_tells_all_it_can(text: str, why: str) -> None:
    with pytest.raises(Unreadable) as refused:
        parsed("/s/c1@net1", text, lambda raw: Noun.from_json(opened(raw)))

    error = refused.value
    assert (error.code, error.path) == (11, "/s/c1@net1")
    assert error.msg.startswith(f"read /s/c1@net1: {why}")
    assert ("9.1.0" in error.details) == ("9.1.0" in text)
    assert "sriovctl gc --forget /s/c1@net1" in error.details


def test_a_file_without_a_stamp_is_of_the_first_format() -> None:
    """Lease files before 0.2 have none."""
    assert opened(GOOD) == GOOD
    assert opened(stamped(GOOD)) == GOOD


@pytest.mark.parametrize(
    ("ipam", "why"),
    [
        (depth(90), "nested more than"),
        ({f"k{n}": 1 for n in range(2000)}, "different names"),
        ({"key": "\xe9" * 50_000}, "300\\d\\d\\d bytes"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(ipam: dict[str, Any], why: str) -> None:
    with pytest.raises(BadConfig, match=f"store c1/net1: .*{why}"):
        rendered("c1/net1", GOOD | {"ipam": ipam}, is_foreign=True)


def test_a_whole_configuration_of_the_deepest_kind_can_be_kept() -> None:
    """What is read of a caller and what is kept of it: the file has something around it."""
    conf = jsontext.parse_object(json.dumps(depth(jsontext.DEEPEST)))
    text = rendered("x", {"leases": [{"ipam": {"conf": conf}}]}, is_foreign=True)

    assert parsed("/x", text, dict) == json.loads(text)


@pytest.mark.parametrize(
    ("key", "wrong"),
    [("word", 1), ("number", "1"), ("names", {}), ("inner", "x"), ("inner", None), ("ipam", [1]), ("later", None)],
)  # fmt: skip
def test_a_wrong_type_is_named(key: str, wrong: Any) -> None:
    with pytest.raises(ValueError, match=f"^{key} is "):
        Noun.from_json(GOOD | {key: wrong})


@pytest.mark.parametrize("key", sorted(GOOD.keys() - {"later"}))
def test_what_is_missing_is_named(key: str) -> None:
    with pytest.raises(KeyError, match=key):
        Noun.from_json({name: value for name, value in GOOD.items() if name != key})


def test_a_password_in_a_conf_is_in_no_message() -> None:
    with pytest.raises(ValueError, match=r"^ipam is list$"):
        Noun.from_json(GOOD | {"ipam": ["secret"]})
