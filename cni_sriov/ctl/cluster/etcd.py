"""etcd as an engine, by the JSON gateway of its API v3 (etcd 3.4 and later).

PREFIX/blocks/10.10.16.0_20 is a block and its value the holder, PREFIX/pools all definitions, PREFIX/nodes/FINGERPRINT a
node. A change is a transaction: what is compared is the version that was read, so one that etcd gets late, after we gave
up waiting and asked another member, changes nothing that came after it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any

from ...words import jsontext
from ...words.cluster import Definition, Holder, NodeRecord
from ...words.errors import BadJson
from ...words.inet import Prefix, name_of, prefix_of
from . import etcdanswers, values
from .engine import EngineRefused, Redefined
from .etcdanswers import Kept
from .etcdcalls import Calls

Json = dict[str, Any]
_PAGE = 1000  # keys; an etcd that answers more at once keeps others waiting
_MOST_OPERATIONS = 100  # of a transaction: etcd's --max-txn-ops is 128


class Etcd:
    """What is below `prefix`."""

    def __init__(self, calls: Calls, prefix: str) -> None:
        self._calls = calls
        self._prefix = prefix

    # blocks -----------------------------------------------------------------------------------------------------------

    def claim(self, block: Prefix, holder: Holder, definitions: str | None = None) -> Holder:
        key, wanted = self._block(block), values.holder_to_json(holder)
        others = {} if definitions is None else {self._pools: definitions}
        is_done, there = self._change_if({key: ""} | others, _put(key, wanted))
        has = _holder(key, there[key]) if key in there else holder
        is_other = any(_version(there.get(other)) != version for other, version in others.items())
        if not is_done and is_other and has.fingerprint == holder.fingerprint:
            raise Redefined
        return has

    def holder(self, block: Prefix) -> Holder | None:
        return self.holders([block]).get(block)

    def holders(self, blocks: Iterable[Prefix]) -> dict[Prefix, Holder]:
        found: dict[Prefix, Holder] = {}
        left = iter(blocks)
        while some := list(islice(left, _MOST_OPERATIONS)):
            keys = [self._block(block) for block in some]
            wanted = [{"requestRange": {"key": _packed(key)}} for key in keys]
            kept = self._calls.call("/v3/kv/txn", {"success": wanted}, partial(_each, wanted, keys))
            found |= {
                block: _holder(key, kv)
                for block, key, kv in zip(some, keys, kept, strict=True)
                if kv is not None
            }
        return found

    def taken(self, pool: Prefix) -> set[Prefix]:
        blocks = (prefix_of(rest) for rest, _ in self._below("blocks/", keys_only=True))
        return {block for block in blocks if block is not None and pool.contains(block)}

    def blocks(self) -> dict[Prefix, Holder]:
        named = ((prefix_of(rest), kv) for rest, kv in self._below("blocks/"))
        return {block: _holder(self._block(block), kv) for block, kv in named if block is not None}

    def give_back(self, block: Prefix, fingerprint: str) -> Holder | None:
        key = self._block(block)
        kv = self._get(key)
        while kv is not None:
            holder = _holder(key, kv)
            if holder.fault or holder.fingerprint != fingerprint:
                return holder
            delete = {"requestDeleteRange": {"key": _packed(key)}}
            _, there = self._change_if({key: kv.version}, delete)
            kv = there.get(key)
        return None

    # pools ------------------------------------------------------------------------------------------------------------

    def definitions(self) -> tuple[list[Definition], str]:
        kv = self._get(self._pools)
        if kv is None:
            return [], ""
        try:
            return values.pools_of(_value(kv)), kv.version
        except ValueError as error:
            raise self._unreadable(self._pools, error) from error

    def define(self, definitions: list[Definition], version: str) -> bool:
        return self._written(self._pools, version, values.pools_to_json(definitions))

    # nodes ------------------------------------------------------------------------------------------------------------

    def node(self, fingerprint: str) -> tuple[NodeRecord | None, str]:
        key = f"{self._prefix}/nodes/{fingerprint}"
        kv = self._get(key)
        if kv is None:
            return None, ""
        try:
            return values.record_of(_value(kv)), kv.version
        except ValueError as error:
            raise self._unreadable(key, error) from error

    def put_node(self, record: NodeRecord, version: str) -> bool:
        key = f"{self._prefix}/nodes/{record.fingerprint}"
        return self._written(key, version, values.record_to_json(record))

    def nodes(self) -> list[NodeRecord]:
        """What lies deeper below nodes/ is nobody's."""
        found = (
            (f"{self._prefix}/nodes/{rest}", rest, kv)
            for rest, kv in self._below("nodes/")
            if "/" not in rest
        )
        return [values.record_or_fault(key, rest, partial(_value, kv)) for key, rest, kv in found]

    def forget_node(self, fingerprint: str, dry_run: bool = False) -> None:
        """Who may write may write all: nothing is to be asked beforehand."""
        if dry_run:
            return
        key = f"{self._prefix}/nodes/{fingerprint}"
        self._calls.call("/v3/kv/deleterange", {"key": _packed(key)}, lambda _: None)

    def is_dead(self, _: NodeRecord) -> bool | None:
        """Nobody tells etcd."""
        return None

    def uid(self) -> str:
        return ""

    # etcd -------------------------------------------------------------------------------------------------------------

    @property
    def _pools(self) -> str:
        return f"{self._prefix}/pools"

    def _block(self, block: Prefix) -> str:
        return f"{self._prefix}/blocks/{name_of(block)}"

    def _get(self, key: str) -> Kept | None:
        return self._calls.call(
            "/v3/kv/range", {"key": _packed(key)}, partial(etcdanswers.one, key=key.encode())
        )

    def _below(self, name: str, keys_only: bool = False) -> Iterator[tuple[str, Kept]]:
        """All whose key begins so, and how it goes on; in pages. What changes meanwhile is seen, or not."""
        first = f"{self._prefix}/{name}".encode()
        end = first[:-1] + bytes([first[-1] + 1])
        start, more = first, True
        while more:
            asked = {
                "key": b64encode(start).decode(),
                "range_end": b64encode(end).decode(),
                "limit": _PAGE,
                "keys_only": keys_only,
            }
            read = partial(etcdanswers.page, first=start, end=end)
            found, more = self._calls.call("/v3/kv/range", asked, read)
            yield from ((kv.key.removeprefix(first).decode("utf-8", "replace"), kv) for kv in found)
            start = found[-1].key + b"\0" if found else first

    def _written(self, key: str, version: str, value: Json) -> bool:
        """Also where it was written by a question whose answer was lost."""
        is_done, there = self._change_if({key: version}, _put(key, value))
        return is_done or (key in there and there[key].text == jsontext.render(value))

    def _change_if(self, versions: dict[str, str], change: Json) -> tuple[bool, dict[str, Kept]]:
        """Whether it was done, which it is where each key has that version; if not, what is there, by its key."""
        compare = [_is_at(key, version) for key, version in versions.items()]
        success, failure = [change], [{"requestRange": {"key": _packed(key)}} for key in versions]

        def read(answer: Json) -> tuple[bool, dict[str, Kept]]:
            done = etcdanswers.done(answer, success, failure)
            if done.succeeded:
                return True, {}
            pairs = zip(versions, done.answers, strict=True)
            found = {key: etcdanswers.one(told, key.encode()) for key, told in pairs}
            if all(_version(found[key]) == version for key, version in versions.items()):
                raise ValueError(f"it says that {', '.join(versions)} is there, and tells of none")
            return False, {key: kv for key, kv in found.items() if kv is not None}

        return self._calls.call(
            "/v3/kv/txn", {"compare": compare, "success": success, "failure": failure}, read
        )

    def _unreadable(self, key: str, error: ValueError) -> EngineRefused:
        return EngineRefused(
            f"{self._calls.what}: {key} is not as cni-sriov writes it: {error}",
            f"a later version of cni-sriov may read it; else, once it is clear who wrote it: `etcdctl del {key}`",
        )


def _each(wanted: list[Json], keys: list[str], answer: Json) -> list[Kept | None]:
    """What is there of the keys, which were asked for without a condition."""
    done = etcdanswers.done(answer, wanted, [])
    return [etcdanswers.one(found, key.encode()) for found, key in zip(done.answers, keys, strict=True)]


def _put(key: str, value: Json) -> Json:
    return {"requestPut": {"key": _packed(key), "value": _packed(jsontext.render(value))}}


def _is_at(key: str, version: str) -> Json:
    compared = (
        {"target": "MOD", "mod_revision": version} if version else {"target": "VERSION", "version": "0"}
    )
    return {"key": _packed(key), "result": "EQUAL"} | compared


def _version(kv: Kept | None) -> str:
    return "" if kv is None else kv.version


def _holder(key: str, kv: Kept) -> Holder:
    return values.holder_or_fault(key, partial(_value, kv))


def _value(kv: Kept) -> Any:
    """ValueError if it is no JSON."""
    try:
        return jsontext.parse(kv.text)
    except BadJson as error:
        raise ValueError(error.msg) from error


def _packed(text: str) -> str:
    return b64encode(text.encode()).decode()
