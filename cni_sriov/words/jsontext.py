"""JSON text in and out by the C cores of the stdlib: `json` itself costs 10 ms of start-up (docs/speed.md).

Stricter than `json`: duplicate keys, NaN and Infinity are errors, so that two readers of one conf cannot disagree.
`salvage` is for what must go on all the same: a DEL.
"""

from __future__ import annotations

import json
from _json import encode_basestring, encode_basestring_ascii, make_encoder, make_scanner
from collections.abc import Callable
from itertools import groupby
from re import DOTALL, finditer
from typing import Any

from .errors import BadJson, CniError, TooManyNames

_BLANK = " \t\n\r"  # RFC 8259 section 2
# Different names in one document. The snapshot's string hashes are known to everybody (docs/design/0009), so names can be
# chosen that all meet in one slot of a dict: 1 024 of them cost milliseconds, the 500 000 that a document can hold hours.
NAMES = 1024
# far below what Python's stack holds: what was read can be compared, told and written again (a Record has a conf in it)
DEEPEST = 200


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"duplicate key {words(key)}")
            seen.add(key)
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    """1e999 is JSON, and infinity is not: what is passed on must be told again."""
    value = float(text)
    if value - value:  # infinity minus itself is no number
        raise ValueError(f"{text} is out of range")
    return value


class _Rules:
    """What `_json.make_scanner` wants to find on a json.JSONDecoder."""

    strict = True
    object_hook = None
    object_pairs_hook = staticmethod(_unique)
    parse_float = staticmethod(_finite)
    parse_int = int
    parse_constant = staticmethod(_no_constant)
    memo: dict[str, str] = {}


class _Loose(_Rules):
    """Of a key that is given twice the last one counts, as in Go's encoding/json; control characters may be bare."""

    strict = False
    object_pairs_hook = None  # type: ignore[assignment]


_scan = make_scanner(_Rules)  # type: ignore[arg-type] # typeshed thinks of json.JSONDecoder only


def parse(text: str) -> Any:
    """The value of one JSON document; BadJson says where it breaks."""
    value, end = _first(_scan, text, len(text) - len(text.lstrip(_BLANK)))
    if text[end:].strip(_BLANK):
        raise bad_json()(f"parse JSON: something follows the document at character {end}")
    return value


def salvage(text: str) -> dict[str, Any]:
    """The object that `text` begins with, whatever follows; a byte order mark before it is no matter."""
    scan = make_scanner(_Loose)  # type: ignore[arg-type]
    value, _ = _first(scan, text, len(text) - len(text.lstrip(f"\ufeff{_BLANK}")))
    return _checked_object(value)


def _first(scan: Callable[[str, int], tuple[Any, int]], text: str, start: int) -> tuple[Any, int]:
    """The document that begins at `start`, and where it ends."""
    _limit_names(text)
    try:
        found = scan(text, start)
        if text.count("{") + text.count("[") > DEEPEST and depth(found[0], DEEPEST) > DEEPEST:
            raise bad_json()("parse JSON: nested too deeply")
        return found
    except (StopIteration, SystemError) as error:
        # SystemError: the C scanner takes its exception from json.decoder and fails so while that is not imported
        raise bad_json()(f"parse JSON: {_explain(text)}") from error
    except RecursionError as error:
        raise bad_json()("parse JSON: nested too deeply") from error
    except ValueError as error:  # json.JSONDecodeError is one; its text names line and column
        raise bad_json()(f"parse JSON: {error}") from error


def _limit_names(text: str) -> None:
    """Before the scanner keeps them in a dict; sorting needs no hashes. Each name has its colon, so most are soon through."""
    if text.count(":") <= NAMES:
        return
    strings = finditer(r'"((?:[^"\\]|\\.)*+)"\s*(:?)', text, DOTALL)
    names = sorted(found[1] for found in strings if found[2])
    different = sum(1 for _ in groupby(names))
    if different > NAMES:
        raise TooManyNames(
            f"parse JSON: it has {different} different names", f"{NAMES} are the most that are read"
        )


def depth(value: Any, enough: int) -> int:
    """How many lists and objects are one within the other; no look beyond `enough`."""
    levels, level = 0, [value]
    while level and levels <= enough:
        inner = [one.values() if type(one) is dict else one for one in level if type(one) in (dict, list)]
        levels += bool(inner)
        level = [one for some in inner for one in some]
    return levels


def bad_json() -> type[CniError]:
    """BadJson, imported once a text is bad: VERSION does without the classes of errors, 0.7 ms."""
    return BadJson


def _explain(text: str) -> str:
    if not text.strip(_BLANK):
        return "the text is empty"
    try:
        json.loads(text)
    except ValueError as error:
        return str(error)
    return "the text is not JSON"


def parse_object(text: str) -> dict[str, Any]:
    return _checked_object(parse(text))


def _checked_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise bad_json()("parse JSON: the document is not an object")
    return value


def _refuse(value: object) -> Any:
    raise TypeError(f"{type(value).__name__} has no JSON form")


def render(value: Any) -> str:
    # markers, default, encoder, indent, key separator, item separator, sort_keys, skipkeys, allow_nan
    encode = make_encoder(None, _refuse, encode_basestring_ascii, None, ": ", ", ", False, False, False)
    return "".join(encode(value, 0))


def words(value: Any, limit: int = 200) -> str:
    """A value as the configuration has it, for a message: null and "x", never None and 'x'; cut where it is long."""
    encode = make_encoder(None, str, _quote, None, ": ", ", ", False, True, True)
    text = "".join(encode(value, 0))
    return text if len(text) <= limit else text[:limit] + "..."


def _quote(text: str) -> str:
    """Readable as it is, but nothing that a terminal would obey."""
    return encode_basestring(text) if text.isprintable() else encode_basestring_ascii(text)
