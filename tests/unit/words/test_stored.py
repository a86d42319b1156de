"""What is stored of any noun: its fields by name, and on the way back no wrong type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from cni_sriov.words.stored import Stored, stored


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
    """And what a later one writes beyond is read past; its words are words."""
    without = {key: value for key, value in GOOD.items() if key != "later"}

    found = Noun.from_json(without | {"word": "three", "colour": "red"})

    assert (found.later, str(found.word)) == (7, "three")


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
