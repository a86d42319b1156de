"""The answers of etcd's JSON gateway, read strictly: they decide whose a block is, so one that another might have given (a
proxy, a page of HTML's JSON, a later API) is none. ValueError says what is not as it is to be.

Protobuf's JSON leaves out what is empty or false, and has bytes in base64 and numbers of 64 bits as strings.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Sequence
from typing import Any, NamedTuple

from ...words.jsontext import words

Json = dict[str, Any]
_REVISION = re.compile("[1-9][0-9]{0,18}", re.ASCII)
_RESPONSES = {
    "requestRange": "response_range",
    "requestPut": "response_put",
    "requestDeleteRange": "response_delete_range",
}


class Kept(NamedTuple):
    """A key that is there. `version`: its mod_revision, to be compared with."""

    key: bytes
    value: bytes
    version: str

    @property
    def text(self) -> str:
        return self.value.decode("utf-8", "replace")


class Done(NamedTuple):
    """Of a transaction: the answers to its operations, or to those for its failure."""

    succeeded: bool
    answers: list[Json]


def token(found: Json) -> str:
    """It becomes a header. "" = none was given."""
    given = found.get("token", "")
    if not isinstance(given, str) or not given.isascii() or not given.isprintable() or " " in given:
        raise ValueError("its token is none")
    return given


def one(found: Json, key: bytes) -> Kept | None:
    """Of a question for one key: None = it is not there."""
    kept = _kvs(found)
    if any(kv.key != key for kv in kept) or len(kept) > 1:
        raise ValueError(f"it tells of {_shown(kept[-1].key)}, and was asked for {_shown(key)}")
    _check_count(found, len(kept))
    return kept[0] if kept else None


def page(found: Json, first: bytes, end: bytes) -> tuple[list[Kept], bool]:
    """Of a question for all keys from `first` on and before `end`; whether there are more."""
    kept, more = _kvs(found), _flag(found, "more")
    before = first
    for number, kv in enumerate(kept):
        if not (before < kv.key < end or (kv.key == first and not number)):
            raise ValueError(f"it tells of {_shown(kv.key)} out of order, or unasked")
        before = kv.key
    if more and not kept:
        raise ValueError("it tells of no key, and says that there are more")
    if not more:
        _check_count(found, len(kept))
    return kept, more


def done(found: Json, success: Sequence[Json], failure: Sequence[Json]) -> Done:
    """`success`, `failure`: the operations that were asked for."""
    succeeded = _flag(found, "succeeded")
    operations = success if succeeded else failure
    answers = _listed(found, "responses")
    if len(answers) != len(operations):
        raise ValueError(f"its transaction has {len(answers)} responses, and not {len(operations)}")
    return Done(succeeded, [_answer(*pair) for pair in zip(answers, operations, strict=True)])


def _answer(answer: Any, operation: Json) -> Json:
    (asked,) = operation
    found = answer.get(_RESPONSES[asked]) if isinstance(answer, dict) else None
    if not isinstance(found, dict) or not isinstance(found.get("header"), dict):
        raise ValueError(f"its {_RESPONSES[asked]} is {words(found)}")
    return found


def _check_count(found: Json, number: int) -> None:
    """Nothing else tells "there is none" from an answer that has lost what was in it."""
    count = found.get("count") or "0"
    if count != str(number):
        raise ValueError(f"count is {words(count)}, and it tells of {number}")


def _kvs(found: Json) -> list[Kept]:
    return [_kept(kv) for kv in _listed(found, "kvs")]


def _kept(kv: Any) -> Kept:
    if not isinstance(kv, dict):
        raise ValueError(f"one of kvs is {words(kv)}")
    version = kv.get("mod_revision")
    if not isinstance(version, str) or not _REVISION.fullmatch(version):
        raise ValueError(f"mod_revision is {words(version)}")
    return Kept(_bytes(kv, "key"), _bytes(kv, "value"), version)


def _bytes(kv: Json, name: str) -> bytes:
    value = kv.get(name, "")
    try:
        if not isinstance(value, str):
            raise ValueError  # told below, as all that is wrong
        return b64decode(value, validate=True)
    except ValueError as error:
        raise ValueError(f"{name} is {words(value)}, no base64") from error


def _listed(found: Json, name: str) -> list[Any]:
    value = found.get(name)
    if value is not None and not isinstance(value, list):
        raise ValueError(f"{name} is {words(value)}")
    return value or []


def _flag(found: Json, name: str) -> bool:
    value = found.get(name, False)
    if not isinstance(value, bool):
        raise ValueError(f"{name} is {words(value)}")
    return value


def _shown(key: bytes) -> str:
    return words(key.decode("utf-8", "replace"))
