"""The Kubernetes API as an engine, against the stand-in that was written from the API's documentation (tests/kubeapi), with
the definitions and the rights of conf/kubernetes/shared-pool.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cni_sriov.conf.cluster import Cluster, Kubernetes
from cni_sriov.ctl.cluster import kube, opening
from cni_sriov.ctl.cluster.engine import Engine, EngineAway, EngineRefused
from cni_sriov.words.cluster import NodeRecord
from cni_sriov.words.inet import Prefix, parse_prefix
from tests.kubeapi import StandIn, User, kubeconfig, manifests
from tests.unit.ctl.cluster import contract
from tests.unit.ctl.cluster.contract import BLOCK, DEFINED, NEXT, POOL, RECORD, A, B

CONF = Path(__file__).parents[4] / "conf" / "kubernetes" / "shared-pool"
NODE = User("system:node:n1", "of-n1", ("system:nodes",))
STRANGER = User("stranger", "of-a-stranger")
OURS = "/apis/cni-sriov.io/v1alpha1"


@pytest.fixture(scope="module")
def server() -> Iterator[StandIn]:
    directory = Path(tempfile.mkdtemp(prefix="kube-"))
    api = StandIn(directory, NODE, STRANGER)
    yield api
    api.close()
    shutil.rmtree(directory)


@pytest.fixture
def api(server: StandIn) -> StandIn:
    """With nothing of ours in it."""
    server.apply(manifests(CONF / "crd.yaml"))
    server.apply(manifests(CONF / "rbac.yaml"))
    server.faults.clear()
    server.heard.clear()
    return server


def engine_of(
    api: StandIn, tmp_path: Path, user: User = NODE, node: str = "n1", seconds: float = 20
) -> Engine:
    assert api.ca is not None
    path = kubeconfig(tmp_path / f"{user.name}.kubeconfig", api.url, api.ca, {"token": user.token})
    return opening.engine_of("rack", Cluster(Kubernetes(str(path)), node), time.monotonic() + seconds)


@pytest.fixture
def engine(api: StandIn, tmp_path: Path) -> Engine:
    return engine_of(api, tmp_path)


@pytest.mark.parametrize(
    "true",
    [contract.blocks, contract.pools, contract.claims_by_definitions],
    ids=lambda one: one.__name__,
)
def test_it_is_an_engine_with_the_rights_of_a_node(engine: Engine, true: Callable[[Engine], None]) -> None:
    true(engine)


def test_a_node_gives_back(engine: Engine) -> None:
    contract.giving_back(engine)


def test_nodes_are_kept_and_forgotten_by_an_operator(api: StandIn, tmp_path: Path) -> None:
    from tests.kubeapi import ADMIN

    contract.nodes(engine_of(api, tmp_path, ADMIN))


def test_a_node_has_no_right_to_forget_another(engine: Engine) -> None:
    for dry_run in (True, False):
        with pytest.raises(EngineRefused) as refused:
            engine.forget_node("b" * 32, dry_run)

    assert "it forbids that: " in refused.value.msg
    assert "conf/kubernetes/shared-pool/rbac.yaml" in refused.value.details


def test_what_stands_where(engine: Engine, api: StandIn) -> None:
    engine.claim(BLOCK, A)
    engine.claim(parse_prefix("fd00:10:0:1000::/52"), A)
    engine.define(DEFINED, "")
    engine.put_node(RECORD, "")

    found = api.get(f"{OURS}/subnetblocks").document["items"]
    assert [one["metadata"]["name"] for one in found] == [
        "10.10.16.0-20", "fd00-0010-0000-1000-0000-0000-0000-0000-52",
    ]  # fmt: skip
    spec = found[0]["spec"]
    assert (spec["block"], spec["node"], spec["since"]) == ("10.10.16.0/20", "na", "2026-11-26T16:39:58Z")
    assert api.get(f"{OURS}/subnetpools/pools").document["spec"]["pools"][0]["subnet"] == "10.10.0.0/16"
    assert api.get(f"{OURS}/subnetnodes/{'a' * 32}").document["spec"]["fill"] == {"10.10.0.0/16": [1, 2, 16]}


def test_many_are_read_in_pages_and_anew_where_the_first_is_forgotten(
    engine: Engine, api: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kube, "_PAGE", 3)
    blocks = {Prefix(4, (10 << 24) + (number << 12), 20) for number in range(8)}
    for block in blocks:
        engine.claim(block, A)

    assert engine.taken(parse_prefix("10.0.0.0/8")) == blocks
    assert engine.blocks().keys() == blocks
    monkeypatch.setattr(kube, "_FEW", 2)
    assert engine.holders(sorted(blocks, key=str)[:5]).keys() == set(sorted(blocks, key=str)[:5])


@pytest.mark.parametrize(("name", "block"), [
    ("10.10.16.0-20", "10.10.16.0/20"),
    ("0.0.0.0-0", "0.0.0.0/0"),
    ("fd00-0010-0000-1000-0000-0000-0000-0000-52", "fd00:10:0:1000::/52"),
    ("0000-0000-0000-0000-0000-0000-0000-0000-0", "::/0"),
])  # fmt: skip
def test_a_block_is_called_as_dns_may_have_it(name: str, block: str) -> None:
    assert kube.name_of(parse_prefix(block)) == name
    assert kube.prefix_of(name) == parse_prefix(block)


@pytest.mark.parametrize("name", [
    "10.10.16.1-20", "10.10.16.0-33", "10.10.16.0", "010.10.16.0-20", "fd00-10-0-1000-0-0-0-0-52", "x", "", "fd00---52",
    "10.10.16.0-020",
])  # fmt: skip
def test_other_names_are_no_blocks(name: str) -> None:
    assert kube.prefix_of(name) is None


def test_what_another_wrote_otherwise_is_taken_and_named(engine: Engine, api: StandIn) -> None:
    spec = {
        "block": "10.10.16.0/20",
        "fingerprint": "f" * 32,
        "node": "n9",
        "machine": "",
        "since": "2026-11-26T16:39:58Z",
    }
    body = {
        "apiVersion": "cni-sriov.io/v1alpha1",
        "kind": "SubnetBlock",
        "metadata": {"name": "10.10.16.0-20"},
    }
    assert api.call("POST", f"{OURS}/subnetblocks", body | {"spec": spec | {"format": 2}}).code == 201

    for found in (
        engine.claim(BLOCK, A),
        engine.holder(BLOCK),
        engine.blocks()[BLOCK],
        engine.give_back(BLOCK, ""),
    ):
        assert found is not None
        assert (found.fingerprint, found.node) == ("", "n9")
        assert (
            found.fault
            == "SubnetBlock 10.10.16.0-20, of node n9, is not as cni-sriov writes it: format 2 is not known"
        )
    assert engine.taken(POOL) == {BLOCK}


def test_what_a_later_version_adds_is_kept_by_the_definition_of_this_one(api: StandIn) -> None:
    spec = {
        "block": "x",
        "fingerprint": "f" * 32,
        "node": "n9",
        "machine": "",
        "since": "2026-11-26T16:39:58Z",
        "rack": 7,
    }
    body = {
        "apiVersion": "cni-sriov.io/v1alpha1",
        "kind": "SubnetBlock",
        "metadata": {"name": "10.10.16.0-20"},
    }

    assert api.call("POST", f"{OURS}/subnetblocks", body | {"spec": spec}).document["spec"]["rack"] == 7


@pytest.mark.parametrize("done", [
    lambda engine: engine.claim(BLOCK, A) == A,
    lambda engine: engine.define(DEFINED, ""),
    lambda engine: engine.put_node(RECORD, ""),
], ids=("claim", "define", "put_node"))  # fmt: skip
def test_what_is_asked_for_twice_is_done(engine: Engine, done: Callable[[Engine], bool]) -> None:
    assert done(engine)
    assert done(engine)


@pytest.mark.parametrize(("verb", "resource", "done"), [
    ("create", "subnetblocks", lambda engine: engine.claim(BLOCK, A) == A),
    ("create", "subnetpools", lambda engine: engine.define(DEFINED, "")),
    ("create", "subnetnodes", lambda engine: engine.put_node(RECORD, "")),
    ("update", "subnetnodes", lambda engine: engine.put_node(RECORD, "") and engine.put_node(RECORD, engine.node("a" * 32)[1])),
    ("delete", "subnetblocks", lambda engine: engine.claim(BLOCK, A) and engine.give_back(BLOCK, "a" * 32) is None),
], ids=("claim", "define", "put_node", "put_node again", "give_back"))  # fmt: skip
@pytest.mark.parametrize("what", ["cut", "short", 500])
def test_what_was_done_and_not_answered_is_ours(
    engine: Engine, api: StandIn, verb: str, resource: str, done: Callable[[Engine], bool], what: str | int
) -> None:
    fault = api.fault(what, verb, resource, times=1, is_done=True)

    assert done(engine)
    assert fault.met == 1


def test_a_list_whose_beginning_is_forgotten_begins_anew(
    engine: Engine, api: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kube, "_PAGE", 1)
    engine.claim(BLOCK, A)
    engine.claim(NEXT, B)
    assert isinstance(engine, kube.Kube)
    pages = engine._list("subnetblocks")  # noqa: SLF001 # between two of its pages
    next(pages)
    api.forget_pages()

    assert {one["metadata"]["name"] for one in pages} == {"10.10.16.0-20", "10.10.32.0-20"}
    assert engine.blocks() == {BLOCK: A, NEXT: B}


def test_a_server_that_hangs_is_away(api: StandIn, tmp_path: Path) -> None:
    api.fault("hang", "get", "subnetblocks")
    began = time.monotonic()
    with pytest.raises(EngineAway) as refused:
        engine_of(api, tmp_path, seconds=0.6).holder(BLOCK)

    assert time.monotonic() - began < 3
    assert f"{api.url}: " in refused.value.details


def test_a_block_given_back_and_claimed_anew_is_not_the_one_that_was_read(
    engine: Engine, api: StandIn
) -> None:
    engine.claim(BLOCK, A)
    assert isinstance(engine, kube.Kube)
    read = engine._get("subnetblocks", "10.10.16.0-20")  # noqa: SLF001 # as it was when it was read
    engine.give_back(BLOCK, A.fingerprint)
    engine.claim(BLOCK, A)

    assert read is not None
    assert not engine._delete("subnetblocks", read)  # noqa: SLF001 # by a request that arrives late
    assert engine.holder(BLOCK) == A


def test_a_node_that_is_gone_or_another_of_its_name_is_dead(engine: Engine, api: StandIn) -> None:
    uid = api.add_node("n1")
    record = NodeRecord("a" * 32, "n1", "", uid, 1, 1, "00")

    assert (engine.uid(), engine.is_dead(record)) == (uid, False)
    assert engine.is_dead(NodeRecord("a" * 32, "n1", "", "", 1, 1, "00")) is None
    api.remove_node("n1")
    assert (engine.uid(), engine.is_dead(record)) == ("", True)
    api.add_node("n1")
    assert engine.is_dead(record) is True
    api.remove_node("n1")


def test_without_definitions_it_says_how_to_make_them(engine: Engine, api: StandIn) -> None:
    for name in ("subnetblocks", "subnetpools", "subnetnodes"):
        api.call("DELETE", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}.cni-sriov.io")

    for ask in (
        lambda: engine.holder(BLOCK),
        lambda: engine.claim(BLOCK, A),
        engine.blocks,
        engine.definitions,
    ):
        with pytest.raises(EngineRefused) as refused:
            ask()
        assert "it does not know cni-sriov.io/v1alpha1" in refused.value.msg
        assert "kubectl apply -k conf/kubernetes/shared-pool" in refused.value.details


def test_who_has_no_rights_is_told_which(api: StandIn, tmp_path: Path) -> None:
    with pytest.raises(EngineRefused) as refused:
        engine_of(api, tmp_path, STRANGER).claim(BLOCK, B)

    assert refused.value.msg.startswith("ask the Kubernetes API of cluster rack: it forbids that: ")
    assert "subnetblocks" in refused.value.msg


def test_whose_token_is_none_is_told_so(api: StandIn, tmp_path: Path) -> None:
    with pytest.raises(EngineRefused) as refused:
        engine_of(api, tmp_path, User("nobody", "hunter2")).holders([NEXT])

    assert "it does not know who we are (401)" in refused.value.msg
    assert "hunter2" not in str(refused.value)
