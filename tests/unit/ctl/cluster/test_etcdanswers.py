"""Answers of etcd's gateway that are not as they are to be: each is told, and loses nothing."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.ctl.cluster import etcdanswers
from cni_sriov.ctl.cluster.asking import Asking
from cni_sriov.ctl.cluster.engine import EngineRefused
from cni_sriov.ctl.cluster.etcd import Etcd
from cni_sriov.ctl.cluster.etcdcalls import Calls
from tests.unit.ctl.cluster import malformed
from tests.unit.ctl.cluster.contract import BLOCK, A
from tests.unit.ctl.cluster.gateway import Gateway
from tests.unit.ctl.cluster.malformed import AT, Wrong
from tests.unit.ctl.cluster.server import Asked

KEY, VALUE = "L3gvYQ==", "e30="  # /x/a, {}
KV = {"key": KEY, "value": VALUE, "mod_revision": "3"}


class Etcds:
    """A gateway, and ways to it."""

    def __init__(self) -> None:
        self.gateway = Gateway({"u": "p"})

    def engine(self, *wrong: Any) -> tuple[Etcd, Wrong]:
        client = Wrong(self._say, *wrong)
        asking = Asking("ask etcd of cluster rack", [AT], client, time.monotonic() + 20)  # type: ignore[arg-type]
        return Etcd(Calls(asking, "u", "p"), "/x"), client

    def ours(self) -> set[str]:
        kept = [key.decode() for key in self.gateway.kept]
        return {key.rpartition("/")[2].replace("_", "/") for key in kept if "/blocks/" in key}

    def _say(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
        said = self.gateway(Asked(method, path, headers, body))
        return said.status, said.body


def test_whatever_is_wrong_is_a_sentence_and_nothing_is_lost(tmp_path: Path) -> None:
    malformed.check(tmp_path, Etcds, 200)


@pytest.mark.parametrize(("read", "found", "told"), [
    (lambda found: etcdanswers.one(found, b"/x/a"), {"kvs": 5}, "kvs is 5"),
    (lambda found: etcdanswers.one(found, b"/x/a"), {"kvs": [5]}, "one of kvs is 5"),
    (lambda found: etcdanswers.one(found, b"/x/a"), {"kvs": [KV | {"mod_revision": "-3"}]}, 'mod_revision is "-3"'),
    (lambda found: etcdanswers.one(found, b"/x/a"), {"kvs": [KV | {"mod_revision": 3}]}, "mod_revision is 3"),
    (lambda found: etcdanswers.one(found, b"/x/a"), {"kvs": [KV | {"value": 3}]}, "value is 3, no base64"),
    (lambda found: etcdanswers.one(found, b"/x/a"), {"kvs": [KV | {"value": "%"}]}, 'value is "%", no base64'),
    (lambda found: etcdanswers.one(found, b"/x/b"), {"kvs": [KV]}, 'it tells of "/x/a", and was asked for "/x/b"'),
    (lambda found: etcdanswers.one(found, b"/x/a"), {"kvs": [KV, KV]}, 'it tells of "/x/a", and was asked for "/x/a"'),
    (lambda found: etcdanswers.one(found, b"/x/a"), {"count": "1"}, 'count is "1", and it tells of 0'),
    (lambda found: etcdanswers.page(found, b"/x/", b"/x0"), {"kvs": [KV], "count": "2"}, 'count is "2", and it tells of 1'),
    (lambda found: etcdanswers.page(found, b"/x/", b"/x0"), {"kvs": [KV, KV]}, 'it tells of "/x/a" out of order'),
    (lambda found: etcdanswers.page(found, b"/x/b", b"/x0"), {"kvs": [KV]}, 'it tells of "/x/a" out of order, or'),
    (lambda found: etcdanswers.page(found, b"/x/", b"/x0"), {"more": True}, "it tells of no key"),
    (lambda found: etcdanswers.page(found, b"/x/", b"/x0"), {"more": 1}, "more is 1"),
    (lambda found: etcdanswers.done(found, [{"requestPut": {}}], []), {"succeeded": True}, "has 0 responses, and not 1"),
    (lambda found: etcdanswers.done(found, [{"requestPut": {}}], []),
     {"succeeded": True, "responses": [{"response_range": {}}]}, "its response_put is null"),
    (lambda found: etcdanswers.done(found, [], []), {"succeeded": "yes"}, 'succeeded is "yes"'),
    (etcdanswers.token, {"token": "a\r\nb"}, "its token is none"),
    (etcdanswers.token, {"token": 7}, "its token is none"),
])  # fmt: skip
def test_what_is_wrong_is_told(read: Callable[[Any], Any], found: Any, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        read(found)


def test_what_protobuf_leaves_out_is_nothing() -> None:
    assert etcdanswers.one({}, b"/x/a") is None
    assert etcdanswers.one({"kvs": None}, b"/x/a") is None
    assert etcdanswers.page({"kvs": []}, b"/x/", b"/x0") == ([], False)
    assert etcdanswers.token({}) == ""
    assert etcdanswers.one({"kvs": [{"key": KEY, "mod_revision": "3"}], "count": "1"}, b"/x/a") == (
        b"/x/a",
        b"",
        "3",
    )


def test_an_answer_that_says_nothing_is_no_claim() -> None:
    """A proxy that answers all with one header was never etcd: two nodes would have had the block."""
    engine, _ = Etcds().engine(1, lambda _: json.dumps({"header": {"revision": "7"}}).encode())

    with pytest.raises(EngineRefused, match="its transaction has 0 responses, and not 1"):
        engine.claim(BLOCK, A)


def test_a_key_that_is_no_text_ends_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cni_sriov.ctl.cluster.etcd._PAGE", 1)
    etcds = Etcds()
    for name in (b"\xff", b"\xff\x01", b"x/10.10.16.0_20"):
        etcds.gateway.kept[b"/x/blocks/" + name] = b"", 7, 1
    engine, client = etcds.engine()

    assert engine.blocks() == {}
    assert len(client.good) == 4  # a login, and three pages
