"""etcd as an engine, against a gateway in memory (gateway.py)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cni_sriov.conf.cluster import Endpoint
from cni_sriov.ctl.cluster import etcd
from cni_sriov.ctl.cluster.asking import Asking
from cni_sriov.ctl.cluster.engine import EngineRefused, Redefined
from cni_sriov.ctl.cluster.etcd import Etcd
from cni_sriov.ctl.cluster.etcdcalls import Calls
from cni_sriov.ctl.cluster.http import Answer, Client, Fault, Kind
from cni_sriov.words.inet import Prefix, parse_prefix
from tests.unit.ctl.cluster import contract
from tests.unit.ctl.cluster.contract import BLOCK, DEFINED, NEXT, POOL, RECORD, A, B
from tests.unit.ctl.cluster.gateway import Gateway
from tests.unit.ctl.cluster.server import serving

KEY = "/x/blocks/10.10.16.0_20"


@contextmanager
def engine_at(gateway: Gateway, client: Client | None = None) -> Iterator[Etcd]:
    with serving(gateway) as server:
        asking = Asking(
            "ask etcd of cluster rack", [server.endpoint], client or Client(None), time.monotonic() + 20
        )
        yield Etcd(Calls(asking), "/x")


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def engine(gateway: Gateway) -> Iterator[Etcd]:
    with engine_at(gateway) as made:
        yield made


@pytest.mark.parametrize("true", contract.ALL, ids=lambda one: one.__name__)
def test_it_is_an_engine(engine: Etcd, true: Callable[[Etcd], None]) -> None:
    true(engine)


def test_what_stands_where(engine: Etcd, gateway: Gateway) -> None:
    engine.claim(BLOCK, A)
    engine.claim(parse_prefix("fd00:10:0:1000::/52"), A)
    engine.define(DEFINED, "")
    engine.put_node(RECORD, "")

    assert sorted(gateway.kept) == [
        *(
            b"/x/blocks/10.10.16.0_20",
            b"/x/blocks/fd00:10:0:1000::_52",
            b"/x/nodes/" + b"a" * 32,
            b"/x/pools",
        ),
    ]
    assert json.loads(gateway.value(KEY))["node"] == "na"


def test_many_are_read_in_pages(engine: Etcd, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(etcd, "_PAGE", 7)
    blocks = {Prefix(4, (10 << 24) + (number << 12), 20) for number in range(22)}
    for block in blocks:
        engine.claim(block, A)
    gateway.put("/x/blocks", "before")
    gateway.put("/x/blocks0", "behind")

    assert engine.taken(parse_prefix("10.0.0.0/8")) == blocks
    assert engine.blocks().keys() == blocks


def test_several_are_asked_for_in_as_few_transactions_as_etcd_takes(
    engine: Etcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(etcd, "_MOST_OPERATIONS", 2)
    engine.claim(BLOCK, A)
    engine.claim(NEXT, B)

    assert engine.holders([BLOCK, parse_prefix("10.10.48.0/20"), NEXT]) == {BLOCK: A, NEXT: B}


@pytest.mark.parametrize(("value", "node", "told"), [
    ("no JSON", "", "parse JSON"),
    ('{"node": "n9"}', "n9", "fingerprint is null"),
    ('{"format": 2, "node": "n9"}', "n9", "format 2 is not known"),
    ("", "", "the text is empty"),
    ("[]", "", "it is []"),
])  # fmt: skip
def test_what_another_wrote_otherwise_is_taken_and_named(
    engine: Etcd, gateway: Gateway, value: str, node: str, told: str
) -> None:
    gateway.put(KEY, value)

    for found in (
        engine.claim(BLOCK, A),
        engine.holder(BLOCK),
        engine.blocks()[BLOCK],
        engine.give_back(BLOCK, ""),
    ):
        assert found is not None
        assert (found.fingerprint, found.node) == ("", node)
        assert told in found.fault
        assert KEY in found.fault
    assert engine.taken(POOL) == {BLOCK}
    assert gateway.value(KEY) == value


def test_a_key_that_is_no_block_is_nobodys(engine: Etcd, gateway: Gateway) -> None:
    for name in ("10.10.16.1_20", "x", "10.10.16.0", "a/10.10.16.0_99", "x/10.10.16.0_20", "10.10.16.0_20/"):
        gateway.put(f"/x/blocks/{name}", "{}")

    assert (engine.taken(POOL), engine.blocks()) == (set(), {})


def test_pools_and_an_own_record_that_cannot_be_read_are_an_error(engine: Etcd, gateway: Gateway) -> None:
    gateway.put("/x/pools", '{"pools": 7}')
    gateway.put(f"/x/nodes/{'a' * 32}", "{}")

    with pytest.raises(EngineRefused, match=r"/x/pools is not as cni-sriov writes it: pools is 7"):
        engine.definitions()
    with pytest.raises(EngineRefused) as refused:
        engine.node("a" * 32)
    assert f"etcdctl del /x/nodes/{'a' * 32}" in refused.value.details
    (found,) = engine.nodes()
    assert (found.fingerprint, found.fault != "") == ("a" * 32, True)


class Late(Client):
    """The first change is done, and its answer is lost."""

    def __init__(self) -> None:
        super().__init__(None)
        self.lost = 0

    def ask(
        self,
        endpoint: Endpoint,
        method: str,
        path: str,
        body: object,
        headers: dict[str, str],
        seconds: float,
    ) -> Answer:
        answer = super().ask(endpoint, method, path, body, headers, seconds)
        if path == "/v3/kv/txn" and not self.lost:
            self.lost = 1
            raise Fault("broke off", Kind.PASSING)
        return answer


@pytest.mark.parametrize("done", [
    lambda engine: engine.claim(BLOCK, A) == A,
    lambda engine: engine.define(DEFINED, ""),
    lambda engine: engine.put_node(RECORD, ""),
])  # fmt: skip
def test_what_was_done_and_not_answered_is_ours(gateway: Gateway, done: Callable[[Etcd], bool]) -> None:
    client = Late()
    with engine_at(gateway, client) as engine:
        assert done(engine)

    assert client.lost == 1


def test_a_block_that_was_given_back_unheard_is_given_back(gateway: Gateway) -> None:
    with engine_at(gateway) as engine:
        engine.claim(BLOCK, A)
    with engine_at(gateway, Late()) as engine:
        assert engine.give_back(BLOCK, A.fingerprint) is None

    assert gateway.kept == {}


def test_a_change_that_etcd_gets_late_changes_nothing_that_came_after(
    engine: Etcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The member that said nothing may do it when we have given back and claimed anew by another."""
    engine.claim(BLOCK, A)
    asked: list[tuple[str, dict[str, Any]]] = []
    call = Calls.call

    def heard(calls: Calls, path: str, body: dict[str, Any], read: Any) -> Any:
        asked.append((path, body))
        return call(calls, path, body, read)

    monkeypatch.setattr(Calls, "call", heard)
    engine.give_back(BLOCK, A.fingerprint)
    monkeypatch.undo()
    engine.claim(BLOCK, A)

    for path, body in asked:
        engine._calls.call(path, body, dict)  # noqa: SLF001 # what was sent

    assert engine.holder(BLOCK) == A


def test_a_claim_by_old_definitions_is_not_made(engine: Etcd, gateway: Gateway) -> None:
    engine.define(DEFINED, "")
    with pytest.raises(Redefined):
        engine.claim(BLOCK, A, "")
    assert KEY.encode() not in gateway.kept


def test_nobody_tells_etcd_who_is_dead(engine: Etcd) -> None:
    assert (engine.is_dead(RECORD), engine.uid()) == (None, "")


def test_a_value_without_a_byte_is_taken_as_etcd_tells_it(engine: Etcd, gateway: Gateway) -> None:
    """Its JSON leaves out what is empty (seen of 3.4.23)."""
    gateway.put(KEY, "")
    tell = gateway._kv  # noqa: SLF001 # as etcd does

    def as_etcd(key: bytes, keys_only: bool) -> dict[str, object]:
        return {name: value for name, value in tell(key, keys_only).items() if value}

    gateway._kv = as_etcd  # type: ignore[method-assign] # noqa: SLF001
    found = engine.holder(BLOCK)

    assert found is not None
    assert "the text is empty" in found.fault
