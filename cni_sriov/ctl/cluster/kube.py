"""The Kubernetes API as an engine: custom resources of the cluster, conf/kubernetes/shared-pool/crd.yaml.

A SubnetBlock is called as its block, so to create it is to claim it: the second one is told 409. All definitions are one
object, and a node's is called as its fingerprint; who writes these says which version he has read, and 409 is that it is
another by now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from ...words.cluster import Definition, Holder, NodeRecord
from ...words.inet import Prefix, pack_address, parse_address, parse_length, prefix_around, render_address
from . import kubeanswers, values
from .engine import EngineAway, EngineRefused, Redefined
from .kubecalls import ABSENT, CONFLICT, EXPIRED, OK, Calls

Json = dict[str, Any]
GROUP = "cni-sriov.io/v1alpha1"
BLOCKS, POOLS, NODES = "subnetblocks", "subnetpools", "subnetnodes"
_KINDS = {BLOCKS: "SubnetBlock", POOLS: "SubnetPools", NODES: "SubnetNode"}
_THE_POOLS = "pools"
_PAGE = 500
_TRIES = 8  # of a change that meets another one
_FEW = 16  # more of them are one list
# names alone, where the server can say so ("Receiving resources as ... PartialObjectMetadata")
_NAMES = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


class Kube:
    """`node` is what this node's Node is called."""

    def __init__(self, calls: Calls, node: str) -> None:
        self._calls = calls
        self._node = node

    # blocks -----------------------------------------------------------------------------------------------------------

    def claim(self, block: Prefix, holder: Holder, definitions: str | None = None) -> Holder:
        """What nobody compares for us is read behind it."""
        has = self._claim(block, holder)
        is_ours = has.fingerprint == holder.fingerprint
        if definitions is not None and is_ours and self._pools_version() != definitions:
            raise Redefined
        return has

    def _claim(self, block: Prefix, holder: Holder) -> Holder:
        spec = values.holder_to_json(holder) | {"block": str(block)}
        for _ in range(_TRIES):
            if self._create(BLOCKS, name_of(block), spec):
                return holder
            found = self.holder(block)
            if found is not None:  # else it was given back between the two
                return found
        raise self._changing(BLOCKS, name_of(block))

    def holder(self, block: Prefix) -> Holder | None:
        found = self._get(BLOCKS, name_of(block))
        return None if found is None else _holder(found)

    def holders(self, blocks: Iterable[Prefix]) -> dict[Prefix, Holder]:
        wanted = list(blocks)
        if len(wanted) > _FEW:
            there = self.blocks()
            return {block: there[block] for block in wanted if block in there}
        found = {block: self.holder(block) for block in wanted}
        return {block: holder for block, holder in found.items() if holder is not None}

    def taken(self, pool: Prefix) -> set[Prefix]:
        blocks = (prefix_of(_name(one)) for one in self._list(BLOCKS, _NAMES))
        return {block for block in blocks if block is not None and pool.contains(block)}

    def blocks(self) -> dict[Prefix, Holder]:
        named = ((prefix_of(_name(one)), one) for one in self._list(BLOCKS))
        return {block: _holder(one) for block, one in named if block is not None}

    def give_back(self, block: Prefix, fingerprint: str) -> Holder | None:
        for _ in range(_TRIES):
            found = self._get(BLOCKS, name_of(block))
            if found is None:
                return None
            holder = _holder(found)
            if holder.fault or holder.fingerprint != fingerprint:
                return holder
            if self._delete(BLOCKS, found):
                return None
        raise self._changing(BLOCKS, name_of(block))

    # pools ------------------------------------------------------------------------------------------------------------

    def definitions(self) -> tuple[list[Definition], str]:
        found = self._get(POOLS, _THE_POOLS)
        if found is None:
            return [], ""
        try:
            return values.pools_of(found.get("spec")), _version(found)
        except ValueError as error:
            raise self._unreadable(POOLS, _THE_POOLS, error) from error

    def _pools_version(self) -> str:
        return _version(self._get(POOLS, _THE_POOLS) or {})

    def define(self, definitions: list[Definition], version: str) -> bool:
        return self._written(POOLS, _THE_POOLS, version, values.pools_to_json(definitions))

    # nodes ------------------------------------------------------------------------------------------------------------

    def node(self, fingerprint: str) -> tuple[NodeRecord | None, str]:
        found = self._get(NODES, fingerprint)
        if found is None:
            return None, ""
        try:
            return values.record_of(found.get("spec")), _version(found)
        except ValueError as error:
            raise self._unreadable(NODES, fingerprint, error) from error

    def put_node(self, record: NodeRecord, version: str) -> bool:
        return self._written(NODES, record.fingerprint, version, values.record_to_json(record))

    def nodes(self) -> list[NodeRecord]:
        return list({_name(one): _record(one) for one in self._list(NODES)}.values())

    def forget_node(self, fingerprint: str, dry_run: bool = False) -> None:
        check = partial(kubeanswers.deleted, kind=_KINDS[NODES])
        path = _path(NODES, fingerprint) + ("?dryRun=All" if dry_run else "")
        self._calls.call("DELETE", path, others=(ABSENT,), check=check)

    def is_dead(self, record: NodeRecord) -> bool | None:
        """Its Node is gone, or another one has its name. Of who was never a Node nobody knows."""
        return self._uid_of(record.node) != record.uid if record.uid else None

    def uid(self) -> str:
        return self._uid_of(self._node)

    # the API ----------------------------------------------------------------------------------------------------------

    def _uid_of(self, node: str) -> str:
        check = partial(kubeanswers.one, kind="Node", name=node)
        reply = self._calls.call("GET", f"/api/v1/nodes/{node}", others=(ABSENT,), check=check)
        return str(reply.document["metadata"]["uid"]) if reply.status == OK else ""

    def _get(self, plural: str, name: str) -> Json | None:
        check = partial(kubeanswers.one, kind=_KINDS[plural], name=name)
        reply = self._calls.call("GET", _path(plural, name), others=(ABSENT,), check=check)
        return None if reply.status == ABSENT else reply.document

    def _list(self, plural: str, accept: str = "") -> Iterator[Json]:
        """In pages. Where the server has forgotten how it was at the first, it begins anew: what is told twice is the same."""
        after, check = "", partial(kubeanswers.listed, kind=f"{_KINDS[plural]}List")
        while True:
            path = f"{_path(plural)}?limit={_PAGE}" + (f"&continue={_quoted(after)}" if after else "")
            others = (EXPIRED,) if after else ()
            reply = self._calls.call("GET", path, accept=accept, others=others, check=check)
            if reply.status == EXPIRED:
                after = ""
                continue
            yield from reply.document.get("items") or []
            after = _metadata(reply.document).get("continue") or ""
            if not after:
                return

    def _create(self, plural: str, name: str, spec: Json) -> bool:
        check = partial(kubeanswers.one, kind=_KINDS[plural], name=name)
        body = _object(plural, name, spec)
        return self._calls.call("POST", _path(plural), body, others=(CONFLICT,), check=check).status == OK

    def _delete(self, plural: str, found: Json) -> bool:
        """That very one, as it was read: a request that arrives late deletes no later one."""
        metadata = _metadata(found)
        conditions = {key: metadata.get(key) for key in ("uid", "resourceVersion")}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": conditions}
        path, check = _path(plural, _name(found)), partial(kubeanswers.deleted, kind=_KINDS[plural])
        return (
            self._calls.call("DELETE", path, body, others=(ABSENT, CONFLICT), check=check).status != CONFLICT
        )

    def _written(self, plural: str, name: str, version: str, spec: Json) -> bool:
        """Also where it was written by a question whose answer was lost."""
        if version:
            body = _object(plural, name, spec, version)
            check = partial(kubeanswers.one, kind=_KINDS[plural], name=name)
            reply = self._calls.call("PUT", _path(plural, name), body, others=(ABSENT, CONFLICT), check=check)
            is_done = reply.status == OK
        else:
            is_done = self._create(plural, name, spec)
        if is_done:
            return True
        found = self._get(plural, name)
        return found is not None and found.get("spec") == spec

    def _changing(self, plural: str, name: str) -> EngineAway:
        told = f"{self._calls.what}: {_KINDS[plural]} {name} is there and is not, or another, each time"
        return EngineAway(told, "again in a moment")

    def _unreadable(self, plural: str, name: str, error: ValueError) -> EngineRefused:
        return EngineRefused(
            f"{self._calls.what}: {_KINDS[plural]} {name} is not as cni-sriov writes it: {error}",
            "a later version of cni-sriov may read it; else, once it is clear who wrote it:"
            f" `kubectl delete {plural} {name}`",
        )


def _path(plural: str, name: str = "") -> str:
    return f"/apis/{GROUP}/{plural}/{name}".rstrip("/")


def _object(plural: str, name: str, spec: Json, version: str = "") -> Json:
    metadata = {"name": name} | ({"resourceVersion": version} if version else {})
    return {"apiVersion": GROUP, "kind": _KINDS[plural], "metadata": metadata, "spec": spec}


def _metadata(found: Json) -> Json:
    metadata = found.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _name(found: Json) -> str:
    return str(_metadata(found).get("name", ""))


def _version(found: Json) -> str:
    return str(_metadata(found).get("resourceVersion", ""))


def _holder(found: Json) -> Holder:
    return values.holder_or_fault(f"SubnetBlock {_name(found)}", lambda: found.get("spec"))


def _record(found: Json) -> NodeRecord:
    return values.record_or_fault(f"SubnetNode {_name(found)}", _name(found), lambda: found.get("spec"))


def _quoted(text: str) -> str:
    """For a query: a token to go on with is base64 as a rule, and anything by the API's word."""
    from urllib.parse import quote

    return quote(text, safe="")


def name_of(block: Prefix) -> str:
    """As DNS may have it: 10.10.16.0-20, and fd00-0010-0000-1000-0000-0000-0000-0000-52."""
    if block.version == 4:
        return f"{render_address(4, block.value)}-{block.length}"
    groups = pack_address(6, block.value).hex()
    return f"{'-'.join(groups[at : at + 4] for at in range(0, 32, 4))}-{block.length}"


def prefix_of(name: str) -> Prefix | None:
    """None if no block is called so."""
    address, _, length = name.rpartition("-")
    version = 4 if "." in name else 6
    try:
        _, value = parse_address(address if version == 4 else address.replace("-", ":"))
        block = prefix_around(version, value, parse_length(length, version))
    except ValueError:
        return None
    return block if name_of(block) == name else None
