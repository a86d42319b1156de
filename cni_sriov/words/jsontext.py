"""JSON text in and out: the stdlib's `json` with our rules.

Stricter than `json`: duplicate keys, NaN and Infinity are errors, so that two readers of one conf cannot disagree.
`salvage` is for what must go on all the same: a DEL.
"""

from __future__ import annotations

from itertools import groupby
from json import JSONDecodeError, JSONDecoder, JSONEncoder
from re import DOTALL, finditer
from typing import Any

from .errors import BadJson, TooManyNames

_BLANK = " \t\n\r"  # RFC 8259 section 2
_MARK = "\ufeff"  # of byte order
# Different names in one document. The snapshot's string hashes are known to everybody (docs/design/0009), so names can be
# chosen that all meet in one slot of a dict: 1 024 of them cost milliseconds, the 500 000 that a document can hold hours.
NAMES = 1024
# Far below what Python's stack holds: what was read can be compared, told and written again.
DEEPEST = 64
# A state file has what was read, and something around it: a Record has a conf in it.
_KEPT_NAMES, _KEPT_DEEPEST = NAMES + 256, DEEPEST + 16


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


_STRICT = JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant)
# Of a key that is given twice the last one counts, as in Go's encoding/json; control characters may be bare.
_LOOSE = JSONDecoder(strict=False, parse_float=_finite, parse_constant=_no_constant)
_DOCUMENT = JSONEncoder(check_circular=False, allow_nan=False)
_ASCII = JSONEncoder(check_circular=False, skipkeys=True, default=str)
_READABLE = JSONEncoder(check_circular=False, skipkeys=True, default=str, ensure_ascii=False)


def parse(text: str, names: int = NAMES, deepest: int = DEEPEST) -> Any:
    """The value of one JSON document; BadJson says where it breaks."""
    if text.startswith(_MARK):
        raise BadJson(
            f"parse JSON: {JSONDecodeError('Unexpected UTF-8 BOM (decode using utf-8-sig)', text, 0)}"
        )
    if not text.strip(_BLANK):
        raise BadJson("parse JSON: the text is empty")
    value, end = _first(_STRICT, text, _BLANK, names, deepest)
    if text[end:].strip(_BLANK):
        raise BadJson(f"parse JSON: something follows the document at character {end}")
    return value


def salvage(text: str) -> dict[str, Any]:
    """The object that `text` begins with, whatever follows; a byte order mark before it is no matter."""
    value, _ = _first(_LOOSE, text, _MARK + _BLANK, NAMES, DEEPEST)
    return _checked_object(value)


def _first(decoder: JSONDecoder, text: str, ignored: str, names: int, deepest: int) -> tuple[Any, int]:
    """The document behind what is `ignored` before it, and where it ends."""
    _limit_names(text, names)
    try:
        found = decoder.raw_decode(text, len(text) - len(text.lstrip(ignored)))
        if text.count("{") + text.count("[") > deepest and depth(found[0], deepest) > deepest:
            raise BadJson(f"parse JSON: nested more than {deepest} deep")
        return found
    except RecursionError as error:
        raise BadJson("parse JSON: nested too deeply") from error
    except ValueError as error:  # JSONDecodeError is one; its text names line and column
        # of a number of 4301 digits CPython also says what its programmer could do
        reason = str(error).partition("; use sys.")[0]
        raise BadJson(f"parse JSON: {reason}") from error


def _limit_names(text: str, most: int) -> None:
    """Before the scanner keeps them in a dict; sorting needs no hashes. Each name has its colon, so most are soon through."""
    if text.count(":") <= most:
        return
    strings = finditer(r'"((?:[^"\\]|\\.)*+)"\s*(:?)', text, DOTALL)
    names = sorted(found[1] for found in strings if found[2])
    different = sum(1 for _ in groupby(names))
    if different > most:
        raise TooManyNames(
            f"parse JSON: it has {different} different names", f"{most} are the most that are read"
        )


def depth(value: Any, enough: int) -> int:
    """How many lists and objects are one within the other; no look beyond `enough`."""
    levels, level = 0, [value]
    while level and levels <= enough:
        inner = [one.values() if type(one) is dict else one for one in level if type(one) in (dict, list)]
        levels += bool(inner)
        level = [one for some in inner for one in some]
    return levels


def parse_object(text: str) -> dict[str, Any]:
    return _checked_object(parse(text))


def parse_kept(text: str) -> dict[str, Any]:
    """The object of a state file, which may have a whole configuration in it."""
    return _checked_object(parse(text, _KEPT_NAMES, _KEPT_DEEPEST))


def glimpse(text: str) -> dict[str, Any]:
    """What an object says that is refused for its depth, say; {} where even that cannot be told."""
    try:
        return _checked_object(_first(_LOOSE, text, _BLANK, _KEPT_NAMES, len(text))[0])
    except BadJson:
        return {}


def _checked_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadJson("parse JSON: the document is not an object")
    return value


def render(value: Any) -> str:
    return _DOCUMENT.encode(value)


def words(value: Any, limit: int = 200) -> str:
    """A value as the configuration has it, for a message: null and "x", never None and 'x'; cut where it is long.

    Readable as it is, but nothing that a terminal would obey.
    """
    text = _READABLE.encode(value)
    if not text.isprintable():
        text = _ASCII.encode(value)
    return text if len(text) <= limit else text[:limit] + "..."
