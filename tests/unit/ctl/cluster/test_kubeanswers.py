"""Answers of the Kubernetes API that are not as they are to be: each is told, and loses nothing."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from cni_sriov.ctl.cluster import kubeanswers
from cni_sriov.ctl.cluster.asking import Asking
from cni_sriov.ctl.cluster.engine import EngineAway, EngineRefused
from cni_sriov.ctl.cluster.kube import Kube
from cni_sriov.ctl.cluster.kubecalls import Calls
from tests.kubeapi import StandIn, manifests, status, verbs
from tests.kubeapi.door import MANY, ONE, path_of
from tests.unit.ctl.cluster import malformed
from tests.unit.ctl.cluster.contract import BLOCK, A
from tests.unit.ctl.cluster.malformed import AT, Wrong

CONF = Path(__file__).parents[4] / "conf" / "kubernetes" / "shared-pool"
NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}
META = {"name": "a", "uid": "u", "resourceVersion": "7"}
OURS = "/apis/cni-sriov.io/v1alpha1"


@pytest.fixture(scope="module")
def server() -> Iterator[StandIn]:
    directory = Path(tempfile.mkdtemp(prefix="kube-"))
    api = StandIn(directory)
    api.apply([NODE, *manifests(CONF / "crd.yaml")])
    yield api
    api.close()
    shutil.rmtree(directory)


class Apis:
    """A server that is asked without a wire, and ways to it."""

    def __init__(self, api: StandIn) -> None:
        self.api = api
        for plural in ("subnetblocks", "subnetpools", "subnetnodes"):
            assert self._say("DELETE", f"{OURS}/{plural}", None, {})[0] == 200

    def engine(self, *wrong: Any) -> tuple[Kube, Wrong]:
        client = Wrong(self._say, *wrong)
        asking = Asking("ask the Kubernetes API of cluster rack", [AT], client, time.monotonic() + 20)  # type: ignore[arg-type]
        return Kube(Calls(asking), "n1"), client

    def ours(self) -> set[str]:
        return {
            item["spec"]["block"] for item in self._say("GET", f"{OURS}/subnetblocks", None, {})[1]["items"]
        }

    def _say(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
        address = urlsplit(path)
        where = path_of(address.path)
        assert where is not None
        asked = verbs.Asked(
            *(self.api.find(where), where.namespace, where.name, where.subresource),
            *(dict(parse_qsl(address.query)), headers.get("Accept", ""), "application/json"),
            b"" if body is None else json.dumps(body).encode(),
        )
        try:
            return self.api.answer((ONE if where.name else MANY)[method], asked)
        except status.Refused as refused:
            return refused.code, refused.document


def test_whatever_is_wrong_is_a_sentence_and_nothing_is_lost(server: StandIn, tmp_path: Path) -> None:
    malformed.check(tmp_path, lambda: Apis(server), 200)


def test_an_answer_that_says_nothing_is_no_claim(server: StandIn) -> None:
    engine, _ = Apis(server).engine(0, lambda _: b'{"kind": "Whatever"}')

    with pytest.raises(EngineRefused, match='kind is "Whatever", and not SubnetBlock'):
        engine.claim(BLOCK, A)


@pytest.mark.parametrize(("read", "found", "told"), [
    (lambda found: kubeanswers.one(found, "K", "a"), {"kind": "L"}, 'kind is "L", and not K'),
    (lambda found: kubeanswers.one(found, "K", "a"), {"kind": "K"}, "metadata is null"),
    (lambda found: kubeanswers.one(found, "K", "a"), {"kind": "K", "metadata": {"name": 7}}, "name is 7"),
    (lambda found: kubeanswers.one(found, "K", "b"), {"kind": "K", "metadata": META}, 'tells of "a", and was asked for b'),
    (lambda found: kubeanswers.one(found, "K", "a"), {"kind": "K", "metadata": META | {"uid": ""}}, 'uid is ""'),
    (lambda found: kubeanswers.one(found, "K", "a"), {"kind": "K", "metadata": META | {"resourceVersion": 7}}, "resourceVersion is 7"),
    (lambda found: kubeanswers.deleted(found, "K"), {"kind": "L"}, 'kind is "L", and not K or Status'),
    (lambda found: kubeanswers.deleted(found, "K"), {"kind": "Status", "status": "Failure"}, 'status is "Failure"'),
    (lambda found: kubeanswers.listed(found, "KList"), {"kind": "K"}, 'kind is "K", and not KList'),
    (lambda found: kubeanswers.listed(found, "KList"), {"kind": "KList", "items": 7}, "items is 7"),
    (lambda found: kubeanswers.listed(found, "KList"), {"kind": "KList", "items": [7]}, "one of items is 7"),
    (lambda found: kubeanswers.listed(found, "KList"), {"kind": "KList"}, "metadata is null"),
    (lambda found: kubeanswers.listed(found, "KList"), {"kind": "KList", "metadata": {"continue": [1]}}, "continue is [1]"),
])  # fmt: skip
def test_what_is_wrong_is_told(read: Callable[[Any], Any], found: Any, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        read(found)


def test_what_is_empty_may_be_left_out() -> None:
    kubeanswers.listed({"kind": "KList", "metadata": {}}, "KList")
    kubeanswers.listed(
        {"kind": "PartialObjectMetadataList", "items": None, "metadata": {"continue": ""}}, "KList"
    )
    kubeanswers.deleted({"kind": "Status", "status": "Success"}, "K")


def test_a_server_that_never_makes_up_its_mind_is_asked_no_more(server: StandIn) -> None:
    """409 to the claim, 404 to the question who has it, for ever: it would be asked as fast as it answers."""
    apis = Apis(server)
    taken = status.already_exists("subnetblocks", "cni-sriov.io", "10.10.16.0-20")
    engine, client = apis.engine()
    client._say = lambda *asked: (409, taken.document) if asked[0] == "POST" else apis._say(*asked)  # noqa: SLF001

    with pytest.raises(EngineAway, match=r"SubnetBlock 10.10.16.0-20 is there and is not"):
        engine.claim(BLOCK, A)
    assert len(client.good) == 16


def test_a_list_that_is_expired_at_its_beginning_is_asked_once(server: StandIn) -> None:
    engine, client = Apis(server).engine()
    client._say = lambda *_: (410, {"kind": "Status", "status": "Failure", "message": "too old"})  # noqa: SLF001

    with pytest.raises(EngineRefused, match="it says 410: too old"):
        engine.blocks()
    assert len(client.good) == 1
