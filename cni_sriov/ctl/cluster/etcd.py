"""etcd as an engine, by the JSON gateway of its API v3 (etcd 3.4 and later).

PREFIX/blocks/10.10.16.0_20 is a block and its value the holder, PREFIX/pools all definitions, PREFIX/nodes/FINGERPRINT a
node. A change is a transaction: what is compared is the version that was read, so one that etcd gets late, after we gave
up waiting and asked another member, changes nothing that came after it.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from ...words import jsontext
from ...words.cluster import Definition, Holder, NodeRecord
from ...words.errors import BadJson
from ...words.inet import Prefix, name_of, prefix_of
from . import values
from .engine import EngineRefused
from .etcdcalls import Calls

Json = dict[str, Any]
_NOTHING = {"key": "", "value": "", "mod_revision": ""}  # what protobuf's JSON leaves out where it is empty
_PAGE = 1000  # keys; an etcd that answers more at once keeps others waiting
_MOST_OPERATIONS = 100  # of a transaction: etcd's --max-txn-ops is 128


class Etcd:
    """What is below `prefix`."""

    def __init__(self, calls: Calls, prefix: str) -> None:
        self._calls = calls
        self._prefix = prefix

    # blocks -----------------------------------------------------------------------------------------------------------

    def claim(self, block: Prefix, holder: Holder) -> Holder:
        key = self._block(block)
        is_done, found = self._put_if(key, "", values.holder_to_json(holder))
        return holder if is_done or found is None else _holder(key, found)

    def holder(self, block: Prefix) -> Holder | None:
        return self.holders([block]).get(block)

    def holders(self, blocks: Iterable[Prefix]) -> dict[Prefix, Holder]:
        found: dict[Prefix, Holder] = {}
        left = iter(blocks)
        while some := list(islice(left, _MOST_OPERATIONS)):
            wanted = [{"requestRange": {"key": _packed(self._block(block))}} for block in some]
            answers = self._call("/v3/kv/txn", {"success": wanted}).get("responses", [])
            for block, answer in zip(some, answers, strict=True):
                for kv in _kvs(answer.get("response_range")):
                    found[block] = _holder(self._block(block), kv)
        return found

    def taken(self, pool: Prefix) -> set[Prefix]:
        keys = (_unpacked(kv["key"]) for kv in self._below("blocks/", keys_only=True))
        blocks = (prefix_of(key.rpartition("/")[2]) for key in keys)
        return {block for block in blocks if block is not None and pool.contains(block)}

    def blocks(self) -> dict[Prefix, Holder]:
        found: dict[Prefix, Holder] = {}
        for kv in self._below("blocks/"):
            key = _unpacked(kv["key"])
            block = prefix_of(key.rpartition("/")[2])
            if block is not None:
                found[block] = _holder(key, kv)
        return found

    def give_back(self, block: Prefix, fingerprint: str) -> Holder | None:
        key = self._block(block)
        kv = self._get(key)
        while kv is not None:
            holder = _holder(key, kv)
            if holder.fault or holder.fingerprint != fingerprint:
                return holder
            _, kv = self._change_if(key, kv["mod_revision"], {"requestDeleteRange": {"key": _packed(key)}})
        return None

    # pools ------------------------------------------------------------------------------------------------------------

    def definitions(self) -> tuple[list[Definition], str]:
        key = f"{self._prefix}/pools"
        kv = self._get(key)
        if kv is None:
            return [], ""
        try:
            return values.pools_of(_value(kv)), kv["mod_revision"]
        except ValueError as error:
            raise self._unreadable(key, error) from error

    def define(self, definitions: list[Definition], version: str) -> bool:
        return self._written(f"{self._prefix}/pools", version, values.pools_to_json(definitions))

    # nodes ------------------------------------------------------------------------------------------------------------

    def node(self, fingerprint: str) -> tuple[NodeRecord | None, str]:
        key = f"{self._prefix}/nodes/{fingerprint}"
        kv = self._get(key)
        if kv is None:
            return None, ""
        try:
            return values.record_of(_value(kv)), kv["mod_revision"]
        except ValueError as error:
            raise self._unreadable(key, error) from error

    def put_node(self, record: NodeRecord, version: str) -> bool:
        key = f"{self._prefix}/nodes/{record.fingerprint}"
        return self._written(key, version, values.record_to_json(record))

    def nodes(self) -> list[NodeRecord]:
        return [_record(_unpacked(kv["key"]), kv) for kv in self._below("nodes/")]

    def forget_node(self, fingerprint: str) -> None:
        self._call("/v3/kv/deleterange", {"key": _packed(f"{self._prefix}/nodes/{fingerprint}")})

    def is_dead(self, _: NodeRecord) -> bool | None:
        """Nobody tells etcd."""
        return None

    def uid(self) -> str:
        return ""

    # etcd -------------------------------------------------------------------------------------------------------------

    def _block(self, block: Prefix) -> str:
        return f"{self._prefix}/blocks/{name_of(block)}"

    def _get(self, key: str) -> Json | None:
        return next(iter(_kvs(self._call("/v3/kv/range", {"key": _packed(key)}))), None)

    def _below(self, name: str, keys_only: bool = False) -> Iterator[Json]:
        """All whose key begins so, in pages. What changes meanwhile is seen, or not."""
        first = f"{self._prefix}/{name}"
        end = first[:-1] + chr(ord(first[-1]) + 1)
        start = first
        while True:
            asked = {"key": _packed(start), "range_end": _packed(end), "limit": _PAGE, "keys_only": keys_only}
            answer = self._call("/v3/kv/range", asked)
            found = _kvs(answer)
            yield from found
            if not answer.get("more") or not found:
                return
            start = f"{_unpacked(found[-1]['key'])}\0"

    def _put_if(self, key: str, version: str, value: Json) -> tuple[bool, Json | None]:
        put = {"requestPut": {"key": _packed(key), "value": _packed(jsontext.render(value))}}
        return self._change_if(key, version, put)

    def _written(self, key: str, version: str, value: Json) -> bool:
        """Also where it was written by a question whose answer was lost."""
        is_done, found = self._put_if(key, version, value)
        return is_done or (found is not None and _unpacked(found["value"]) == jsontext.render(value))

    def _change_if(self, key: str, version: str, change: Json) -> tuple[bool, Json | None]:
        """Whether it was done; if not, what is there."""
        compared = (
            {"target": "MOD", "mod_revision": version} if version else {"target": "VERSION", "version": "0"}
        )
        body = {
            "compare": [{"key": _packed(key), "result": "EQUAL"} | compared],
            "success": [change],
            "failure": [{"requestRange": {"key": _packed(key)}}],
        }
        answer = self._call("/v3/kv/txn", body)
        if answer.get("succeeded"):
            return True, None
        return False, next(
            (kv for one in answer.get("responses", []) for kv in _kvs(one.get("response_range"))), None
        )

    def _call(self, path: str, body: Json) -> Json:
        return self._calls.call(path, body)

    def _unreadable(self, key: str, error: ValueError) -> EngineRefused:
        return EngineRefused(
            f"{self._calls.what}: {key} is not as cni-sriov writes it: {error}",
            f"a later version of cni-sriov may read it; else, once it is clear who wrote it: `etcdctl del {key}`",
        )


def _kvs(answer: Json | None) -> list[Json]:
    return [_NOTHING | kv for kv in (answer or {}).get("kvs") or []]


def _holder(key: str, kv: Json) -> Holder:
    return values.holder_or_fault(key, lambda: _value(kv))


def _record(key: str, kv: Json) -> NodeRecord:
    return values.record_or_fault(key, key.rpartition("/")[2], lambda: _value(kv))


def _value(kv: Json) -> Any:
    """ValueError if it is no JSON."""
    try:
        return jsontext.parse(_unpacked(kv["value"]))
    except BadJson as error:
        raise ValueError(error.msg) from error


def _packed(text: str) -> str:
    return b64encode(text.encode()).decode()


def _unpacked(text: str) -> str:
    """What is no base64 no etcd says; it is told as a value that is empty."""
    try:
        return b64decode(text).decode("utf-8", "replace")
    except ValueError:
        return ""
