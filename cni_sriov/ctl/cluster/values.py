"""The nouns of a cluster as they stand in its engine: JSON objects, written by any node of any version.

What is not as we write it is a ValueError that says which field. What a later version wrote beside these is passed over.
"""

from __future__ import annotations

import re
import time
from calendar import timegm
from collections.abc import Callable
from typing import Any

from ...words.cluster import Definition, Holder, NodeRecord
from ...words.inet import BITS, parse_prefix
from ...words.jsontext import words
from ...words.names import is_name
from ...words.stored import opened, stamped

__all__ = ["Definition", "Holder", "NodeRecord"]

Json = dict[str, Any]
NODE_LIMIT = 253  # a Kubernetes Node is called as DNS has it (RFC 1123); a host has at most 64
LARGEST = (1 << 63) - 1  # an integer of the Kubernetes API
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_LATEST = 253402300799  # the end of 9999, the last year of four digits
_FINGERPRINT, _MACHINE, _NONCE = "[0-9a-f]{32}", "([0-9a-f]{64})?", "[0-9a-f]{1,64}"
_UID = "[A-Za-z0-9-]{0,128}"


def holder_to_json(holder: Holder) -> Json:
    return stamped(
        {
            "fingerprint": holder.fingerprint,
            "node": holder.node,
            "machine": holder.machine,
            "since": shown_time(holder.since),
        }
    )


def holder_of(raw: Any) -> Holder:
    found = _fields(raw)
    return Holder(_fingerprint(found), _node(found), _machine(found), _time(found, "since"))


def definition_to_json(definition: Definition) -> Json:
    return {
        "subnet": str(definition.subnet),
        "length": definition.length,
        "node": definition.node,
        "since": shown_time(definition.since),
    }


def definition_of(raw: Any) -> Definition:
    found = _object(raw)
    subnet = parse_prefix(_text(found, "subnet"))
    length = _number(found, "length", BITS[subnet.version])
    if length < subnet.length:
        raise ValueError(f"length is {length}, shorter than {subnet}")
    return Definition(subnet, length, _node(found), _time(found, "since"))


def pools_to_json(definitions: list[Definition]) -> Json:
    return stamped({"pools": [definition_to_json(one) for one in definitions]})


def pools_of(raw: Any) -> list[Definition]:
    found = _fields(raw).get("pools")
    if type(found) is not list:
        raise ValueError(f"pools is {words(found)}")
    return [definition_of(one) for one in found]


def record_to_json(record: NodeRecord) -> Json:
    return stamped(
        {
            "fingerprint": record.fingerprint,
            "node": record.node,
            "machine": record.machine,
            "uid": record.uid,
            "since": shown_time(record.since),
            "contact": shown_time(record.contact),
            "nonce": record.nonce,
            "draining": record.draining,
            "fill": {pool: [min(one, LARGEST) for one in told] for pool, told in record.fill.items()},
            "cut": record.cut,
        }
    )


def record_of(raw: Any) -> NodeRecord:
    found = _fields(raw)
    if type(found.get("draining")) is not bool:
        raise ValueError(f"draining is {words(found.get('draining'))}")
    return NodeRecord(
        _fingerprint(found),
        _node(found),
        _machine(found),
        _matched(found, "uid", _UID),
        _time(found, "since"),
        _time(found, "contact"),
        _matched(found, "nonce", _NONCE),
        found["draining"],
        _fill(found),
        cut=_cut(found),
    )


# what stands there and cannot be read ---------------------------------------------------------------------------------


def holder_or_fault(key: str, read: Callable[[], Any]) -> Holder:
    """Of what `read` gives at that key of the engine. One whose value is not as we write it has it all the same."""
    raw: Any = None
    try:
        raw = read()
        return holder_of(raw)
    except ValueError as error:
        return Holder("", told_node(raw), "", 0, _fault(key, raw, error))


def record_or_fault(key: str, fingerprint: str, read: Callable[[], Any]) -> NodeRecord:
    """`fingerprint` is the key's."""
    raw: Any = None
    try:
        raw = read()
        record = record_of(raw)
        if record.fingerprint != fingerprint:
            raise ValueError(f"fingerprint is {words(record.fingerprint)}")
        return record
    except ValueError as error:
        return NodeRecord(fingerprint, told_node(raw), "", "", 0, 0, "", fault=_fault(key, raw, error))


def _fault(key: str, raw: Any, error: ValueError) -> str:
    node = told_node(raw)
    return f"{key}{f', of node {node},' if node else ''} is not as cni-sriov writes it: {error}"


def told_node(raw: Any) -> str:
    """The node that a value names, "" where none is told."""
    node = raw.get("node") if isinstance(raw, dict) else None
    return node if isinstance(node, str) and is_name(node, NODE_LIMIT) else ""


# fields ---------------------------------------------------------------------------------------------------------------


def shown_time(seconds: int) -> str:
    """As RFC 3339 has it; a clock that is out of all bounds is told as the nearest."""
    return time.strftime(_TIME, time.gmtime(min(max(seconds, 0), _LATEST)))


def _object(raw: Any) -> Json:
    if not isinstance(raw, dict):
        raise ValueError(f"it is {words(raw)}")
    return raw


def _fields(raw: Any) -> Json:
    return opened(_object(raw))


def _text(raw: Json, name: str) -> str:
    value = raw.get(name)
    if type(value) is not str:
        raise ValueError(f"{name} is {words(value)}")
    return value


def _matched(raw: Json, name: str, pattern: str) -> str:
    value = _text(raw, name)
    if not re.fullmatch(pattern, value):
        raise ValueError(f"{name} is {words(value)}")
    return value


def _fingerprint(raw: Json) -> str:
    return _matched(raw, "fingerprint", _FINGERPRINT)


def _machine(raw: Json) -> str:
    return _matched(raw, "machine", _MACHINE)


def _node(raw: Json) -> str:
    value = _text(raw, "node")
    if not is_name(value, NODE_LIMIT):
        raise ValueError(f"node is {words(value)}")
    return value


def _time(raw: Json, name: str) -> int:
    value = _text(raw, name)
    try:
        seconds = timegm(time.strptime(value, _TIME))
    except ValueError as error:
        raise ValueError(f"{name} is {words(value)}, no time like 2026-11-26T16:39:58Z") from error
    if shown_time(seconds) != value:  # strptime takes 2026-1-1, too
        raise ValueError(f"{name} is {words(value)}, no time like 2026-11-26T16:39:58Z")
    return seconds


def _number(raw: Json, name: str, most: int) -> int:
    value = raw.get(name)
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{name} is {words(value)}")
    return value


def _fill(raw: Json) -> dict[str, list[int]]:
    fill = raw.get("fill")
    if not isinstance(fill, dict):
        raise ValueError(f"fill is {words(fill)}")
    for pool, told in fill.items():
        parse_prefix(pool)
        if not isinstance(told, list) or len(told) != 3:
            raise ValueError(f"fill of {pool} is {words(told)}")
        if any(type(one) is not int or not 0 <= one <= LARGEST for one in told):
            raise ValueError(f"fill of {pool} is {words(told)}")
    return fill


def _cut(raw: Json) -> dict[str, int]:
    """Nothing where an earlier version wrote it."""
    cut = raw.get("cut", {})
    if not isinstance(cut, dict):
        raise ValueError(f"cut is {words(cut)}")
    for pool, length in cut.items():
        most = BITS[parse_prefix(pool).version]
        if type(length) is not int or not 0 <= length <= most:
            raise ValueError(f"cut of {pool} is {words(length)}")
    return cut
