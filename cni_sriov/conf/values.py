"""How a configuration is read: the parsers of single values, and tables of them. Pure.

A parser gives its value, or a ValueError that says what it must be. A table has one row for each key of an object, and
is what everything is made of that knows keys: what is judged, the spellings that are taken (conf/keycase.py), defaults.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..words.errors import BadConfig
from ..words.inet import parse_address, parse_interface, parse_prefix
from ..words.jsontext import words
from ..words.names import is_name, is_path
from .keycase import Below, Known

Parser = Callable[[Any], Any]
_MAC = re.compile("[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_PCI_ID = re.compile("(?:0x)?([0-9a-f]{1,4})")
_RANGE = re.compile("([0-9]{1,5})(?:-([0-9]{1,5}))?")


class Key(NamedTuple):
    """One row: `parse` None = not judged here, `default` None = a key that is not given has no value, `below` = the table
    of what lies in it.
    """

    parse: Parser | None
    default: Any = None
    below: Below = None


class Table(Known):
    """The keys of one object, in the order in which they are judged."""

    __slots__ = ("defaults", "parsers", "rows")

    def __init__(self, rows: Mapping[str, Key | Parser | None], may_be_blank: bool = False) -> None:
        """`may_be_blank`: of a request, where every key may be there and say nothing, by null or by ""."""
        self.rows = {name: row if isinstance(row, Key) else Key(row) for name, row in rows.items()}
        keys = {name: row.below for name, row in self.rows.items()}
        super().__init__(keys, blank=keys if may_be_blank else ())
        self.parsers = {name: row.parse for name, row in self.rows.items() if row.parse is not None}
        self.defaults = {name: row.default for name, row in self.rows.items() if row.default is not None}

    def read(self, raw: dict[str, Any], where: str) -> dict[str, Any]:
        """What is given and judged, and the defaults; BadConfig names the first that is wrong, `where` before its key."""
        values, name = self.defaults.copy(), ""
        try:
            for name, parse in self.parsers.items() if raw else ():
                if name in raw:
                    values[name] = parse(raw[name])
        except (ValueError, TypeError) as error:
            raise _refusal(error, raw[name], where + name) from error
        return values


class Told(ValueError):
    """It names the value itself."""


def parsed(parse: Parser, value: Any, where: str) -> Any:
    """One value; BadConfig says `where` it stands, what it is, and what it must be."""
    try:
        return parse(value)
    except (ValueError, TypeError) as error:
        raise _refusal(error, value, where) from error


def _refusal(error: ValueError | TypeError, value: Any, where: str) -> BadConfig:
    if isinstance(error, Told):
        return BadConfig(f"{where}: {error}")
    # TypeError: a list where a word is looked up in a set
    reason = error if isinstance(error, ValueError) else "has the wrong type"
    return BadConfig(f"{where} {words(value)}: {reason}")


# values of JSON ------------------------------------------------------------------------------------------------------


def _kind(kind: type, name: str) -> Parser:
    def parse(value: Any) -> Any:
        if type(value) is not kind:  # bool is an int in Python, and 1.0 is not an integer in a conf
            raise ValueError(f"must be {name}")
        return value

    return parse


text, boolean, whole = _kind(str, "a string"), _kind(bool, "true or false"), _kind(int, "an integer")
a_list, an_object = _kind(list, "a list"), _kind(dict, "an object")


def string(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("must be a non-empty string")
    return value


def integer(low: int, high: int, form: str = "must be an integer in {}-{}") -> Parser:
    def parse(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise ValueError(form.format(low, high))
        return value

    return parse


def list_of(parse: Parser) -> Parser:
    return lambda value: [parse(item) for item in a_list(value)]


def one_of(*allowed: str) -> Parser:
    def parse(value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return value

    return parse


def of_text(parse: Callable[[str], Any]) -> Parser:
    """By a parser of words/inet.py, whose errors name the text."""

    def parse_text(value: Any) -> Any:
        given = text(value)
        try:
            return parse(given)
        except ValueError as error:
            raise Told(str(error)) from error

    return parse_text


address, prefix, interface = of_text(parse_address), of_text(parse_prefix), of_text(parse_interface)


# words of a configuration --------------------------------------------------------------------------------------------


def on_off(value: Any) -> bool:
    if value not in {"on", "off"}:
        raise ValueError('must be "on" or "off"')
    return bool(value == "on")


def mac(value: Any) -> str:
    """Lower-case, unicast, not zero; ValueError says which of these it is not."""
    if not isinstance(value, str):
        raise ValueError("must be a string like 02:00:00:00:00:01")
    found = value.replace("-", ":").lower()
    if not _MAC.fullmatch(found):
        raise ValueError("must be six hex bytes like 02:00:00:00:00:01")
    if int(found[:2], 16) & 1:
        raise ValueError("is a multicast address; a VF needs a unicast one (second digit even)")
    if found == "00:00:00:00:00:00":
        raise ValueError("is zero, which drivers take for 'no MAC'")
    return found


def link_name(value: Any) -> str:
    """A name or an altname: ALTIFNAMSIZ is 128. The kernel takes anything for one, iproute2 no '/' and no blank."""
    name = string(value)
    too_long = len(name.encode("utf-8", "surrogatepass")) > 127
    if too_long or name in {".", ".."} or any(c in "/ \t\n" for c in name):
        raise ValueError("must be an interface's name or altname (at most 127 bytes, no '/' or blank)")
    if not name.isprintable():
        raise ValueError("must be printable")
    return name


def name(value: Any) -> str:
    """Of a scope, of a cluster: it becomes a file's."""
    if not is_name(text(value), 64):
        raise ValueError("must be 1-64 of A-Z a-z 0-9 _ . - and begin with a letter or digit")
    return str(value)


def directory(value: Any) -> str:
    if not is_path(string(value)):
        raise ValueError("must be an absolute path without '.', '..' or empty parts")
    return str(value)


def pci_id(value: Any) -> int:
    """A vendor or device ID, hexadecimal with or without 0x."""
    found = _PCI_ID.fullmatch(string(value).lower())
    if not found:
        raise ValueError("must be a hexadecimal PCI ID like 8086")
    return int(found[1], 16)


def indices(value: Any) -> list[tuple[int, int]]:
    """VF indices: "0-3,6" as inclusive ranges."""
    ranges = []
    for part in string(value).replace(" ", "").split(","):
        found = _RANGE.fullmatch(part)
        if not found:
            raise ValueError("must be VF indices like 0-3,6")
        first, last = int(found[1]), int(found[2] or found[1])
        if first > last:
            raise ValueError(f"has the range {part} the wrong way round")
        ranges.append((first, last))
    return ranges


texts = list_of(text)
DNS = Table({"nameservers": texts, "domain": text, "search": texts, "options": texts})  # the spec's `dns`
