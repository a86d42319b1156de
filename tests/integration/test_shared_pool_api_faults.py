"""A pool that nodes share by the Kubernetes API, when something is between them: certificates, tokens, a server that is busy,
slow, restored, or gone. Each is one sentence, nothing is lost, and what a node holds it goes on cutting from.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from tests.certs import Authority
from tests.integration import shared_api as shared
from tests.integration.shared_api import BLOCKS, NODES, kubelet, stored
from tests.kubeapi import Json, StandIn
from tests.workers import CLUSTER, CONFIG, Worker

pytestmark = [pytest.mark.root, pytest.mark.bundle]
ME = kubelet("w1")
DEADLINE = 3  # seconds that these tests give
MORE = ("--deadline", str(DEADLINE))


@pytest.fixture
def api(tmp_path: Path) -> Iterator[StandIn]:
    found = StandIn(tmp_path / "api", ME)
    found.apply(shared.samples())
    found.add_node("w1")
    found.heard.clear()
    yield found
    found.close()


@pytest.fixture
def node(api: StandIn) -> Iterator[Worker]:
    with Worker("w1", api) as found:
        found.configure({"token": ME.token})
        yield found


def refusal(node: Worker, *words: str) -> str:
    """What `refill` says, code 11, in one sentence with its remedy; in at most its deadline and a start."""
    started = time.monotonic()
    error = node.refill(*MORE, *words)["error"]
    took = time.monotonic() - started
    assert took < DEADLINE + 20, took  # the machine may be busy
    assert error["code"] == 11, error
    assert f"cluster {CLUSTER}" in error["msg"], error
    return f"{error['msg']}\n{error.get('details', '')}"


def held(api: StandIn) -> set[Any]:
    return {ip_network(spec["block"]) for spec in stored(api, BLOCKS).values()}


def agree(api: StandIn, node: Worker) -> None:
    """Once the API answers again: a contact later the node's files and the server's objects are the same."""
    api.faults.clear()
    answer = json.loads(node.pool("refill", CLUSTER, "--json").stdout)
    assert "error" not in answer, answer
    assert node.blocks() == held(api)
    assert node.blocks("claiming") == node.blocks("releasing") == set()
    assert {spec["fingerprint"] for spec in stored(api, BLOCKS).values()} <= {node.fingerprint()}


# -- certificates and tokens -------------------------------------------------------------------------------------------


def test_a_server_that_another_authority_signed_is_not_spoken_to(
    api: StandIn, node: Worker, tmp_path: Path
) -> None:
    node.configure({"token": ME.token}, ca=Authority(tmp_path / "other").cert)

    said = refusal(node)

    assert "certificate" in said
    assert api.heard == [], "the token was told to a stranger"


@pytest.mark.parametrize("why", ["expired", "another-name"])
def test_a_server_whose_certificate_is_not_its_own_is_not_spoken_to(
    api: StandIn, node: Worker, tmp_path: Path, why: str
) -> None:
    hosts = ("127.0.0.1",) if why == "expired" else ("127.0.0.2",)
    certificate = api.authority.issue("wrong", *hosts, expired=why == "expired")
    wrong = StandIn(tmp_path / "wrong", ME, certificate=certificate)
    node.configure({"token": ME.token}, url=wrong.url)

    said = refusal(node)
    wrong.close()

    assert "certificate" in said
    assert ("expired" if why == "expired" else "127.0.0.1") in said
    assert wrong.heard == []


def test_a_token_that_expired_is_named_and_leases_go_on(api: StandIn, node: Worker) -> None:
    first = node.add("c1")
    node.settle()
    api.expire(ME)

    said = refusal(node)

    assert "401" in said or "token" in said
    assert ME.token not in said
    second = node.add("c2")
    assert first != second
    node.settle()
    assert "token" in node.pool().stdout or "401" in node.pool().stdout


def test_nobody_s_token_is_anonymous(node: Worker) -> None:
    node.configure({})

    assert "system:anonymous" in refusal(node) or "token" in refusal(node)


def test_a_secret_that_others_may_read_is_refused(node: Worker) -> None:
    for path in (CONFIG, "/etc/cni-sriov/clusters/rack.json"):
        node.path(path).chmod(0o644)
        error = node.refill()["error"]
        node.path(path).chmod(0o600)
        assert path in error["msg"] + error["details"], error


# -- a server that is not as it should be ------------------------------------------------------------------------------


def test_a_server_that_is_not_there_is_named(api: StandIn, node: Worker) -> None:
    node.add("c1")
    node.settle()
    api.close()

    said = refusal(node)

    assert api.url.removeprefix("https://") in said
    for number in range(2, 5):  # the block has room for four
        node.add(f"c{number}")
    status, answer = node.host_subnet("ADD", "c5")
    assert (status, answer["code"]) == (1, 11)
    assert api.url.removeprefix("https://") in f"{answer['msg']} {answer['details']}"


def test_definitions_that_are_not_installed_are_named(api: StandIn, node: Worker) -> None:
    for crd in shared.of_kind("CustomResourceDefinition", shared.samples()):
        api.remove(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd['metadata']['name']}")

    assert "crd.yaml" in refusal(node) or "kubectl apply" in refusal(node)


@pytest.mark.parametrize("what", [500, 503, 429, "cut", "short"])
def test_what_fails_once_is_tried_again(api: StandIn, node: Worker, what: int | str) -> None:
    """By "API Conventions", HTTP Status codes: suggested client recovery behaviour."""
    fault = api.fault(what, "get", "subnetpools", times=1)

    answer = node.refill()

    assert fault.met == 1
    assert len(answer["claimed"]) == 1, answer
    agree(api, node)


def test_a_server_that_is_busy_is_given_the_time_that_it_asks_for(api: StandIn, node: Worker) -> None:
    api.fault(429, "create", "subnetblocks", times=1, retry_after=2)
    started = time.monotonic()

    answer = node.refill()

    assert len(answer["claimed"]) == 1, answer
    assert time.monotonic() - started >= 2
    assert api.count("create", "subnetblocks") == 2


@pytest.mark.parametrize("what", [500, 503, 429, "hang", "cut", "short", "page", "redirect"])
def test_what_fails_for_good_ends_with_the_deadline(api: StandIn, node: Worker, what: int | str) -> None:
    api.fault(what, "create", "subnetblocks")

    said = refusal(node)

    if isinstance(what, int):
        assert str(what) in said
    assert node.blocks() == held(api) == set()
    agree(api, node)


def test_a_token_is_told_to_no_other_server(api: StandIn, node: Worker, tmp_path: Path) -> None:
    """A redirect is not followed."""
    api.fault("redirect")

    assert "307" in refusal(node) or "elsewhere" in refusal(node)


@pytest.mark.parametrize("what", [500, "cut", "hang", "short", "page"])
@pytest.mark.parametrize("resource", ["subnetblocks", "subnetnodes", "subnetpools"])
def test_a_write_whose_answer_is_lost_is_found_out(
    api: StandIn, node: Worker, what: int | str, resource: str
) -> None:
    """It was done. Whatever the verb says now, nothing is claimed twice and nothing is lost."""
    api.fault(what, "create", resource, times=1, is_done=True)

    answer = node.refill(*MORE)

    if "error" not in answer:
        assert len(answer["claimed"]) == 1
        assert node.blocks() == held(api)
    agree(api, node)
    assert len(held(api)) <= 1
    assert list(stored(api, NODES)) == [node.fingerprint()]


@pytest.mark.parametrize("what", [500, "cut", "hang"])
@pytest.mark.parametrize("is_done", [False, True], ids=["undone", "done"])
def test_a_block_whose_return_is_in_doubt_is_settled(
    api: StandIn, node: Worker, what: int | str, is_done: bool
) -> None:
    assert node.refill()["claimed"]
    api.fault(what, "delete", "subnetblocks", times=1, is_done=is_done)

    node.pool("release", *MORE, "--json")

    agree(api, node)
    subnet = node.add("c1")
    node.settle()
    assert any(subnet.subnet_of(block) for block in node.blocks())
    assert node.blocks() == held(api)


def test_a_block_that_becomes_another_ones_in_between_stays_its(api: StandIn, node: Worker) -> None:
    """Between the look and the DELETE, whose preconditions are the uid and the version that were seen."""
    (block,) = node.refill()["claimed"]
    path = f"{BLOCKS}/{block.replace('/', '-')}"
    mine = api.get(path).document

    def swap() -> None:
        api.remove(path)
        spec = mine["spec"] | {"fingerprint": "f" * 32, "node": "w9"}
        new = {
            "apiVersion": mine["apiVersion"],
            "kind": mine["kind"],
            "metadata": {"name": mine["metadata"]["name"]},
        }
        assert api.call("POST", BLOCKS, new | {"spec": spec}).code == 201

    fault = api.fault(swap, "delete", "subnetblocks", times=1)

    node.pool("release", *MORE, "--json")

    assert fault.met == 1
    assert api.get(path).document["spec"]["fingerprint"] == "f" * 32
    assert ip_network(block) not in node.blocks()


def test_a_record_that_changed_meanwhile_is_read_again(api: StandIn, node: Worker) -> None:
    """A 409 Conflict: an operator said drain between reading and writing."""
    assert node.refill()["claimed"]
    name = node.fingerprint()

    def drain() -> None:
        record = api.get(f"{NODES}/{name}").document
        record["spec"]["draining"] = True
        assert api.call("PUT", f"{NODES}/{name}", record).code == 200

    fault = api.fault(drain, "update", "subnetnodes", times=1)

    node.pool("refill", CLUSTER, "--json")

    assert fault.met == 1
    assert api.get(f"{NODES}/{name}").document["spec"]["draining"] is True
    node.pool("refill", CLUSTER, "--json")
    assert node.blocks() == held(api) == set()


# -- long lists --------------------------------------------------------------------------------------------------------


def fill(api: StandIn, count: int) -> None:
    """Blocks of others, as many, without a word over the wire."""
    resource = api.served["cni-sriov.io", "v1alpha1", "subnetblocks"]
    spec: Json = {
        "format": 1,
        "fingerprint": "f" * 32,
        "node": "w9",
        "machine": "1" * 64,
        "since": "2026-11-01T00:00:00Z",
    }
    for number in range(count):
        name = f"10.{number >> 8}.{number & 255}.0"
        document = {
            "apiVersion": resource.api_version,
            "kind": "SubnetBlock",
            "metadata": {"name": f"{name}-24"},
        }
        api.store.add(resource, ("", f"{name}-24"), document | {"spec": spec | {"block": f"{name}/24"}})


@pytest.mark.parametrize("is_old", [False, True], ids=["in-time", "expired"])
def test_a_long_list_is_read_to_its_end(api: StandIn, node: Worker, is_old: bool) -> None:
    """In pages, and from its start where the server forgot it meanwhile (410 Gone)."""
    fill(api, 1201)
    if is_old:
        api.fault(api.forget_pages, "list", "subnetblocks", times=1, skip=1)

    (cluster,) = json.loads(node.pool("--json").stdout)["clusters"]

    assert cluster["error"] is None
    assert sum(one["blocks"] for one in cluster["nodes"]) == 1201
    assert api.count("list", "subnetblocks") > 2


def test_of_a_pool_that_is_nearly_full_the_last_block_is_found(api: StandIn, node: Worker) -> None:
    fill(api, 1024)
    api.remove(f"{BLOCKS}/10.2.77.0-24")
    words = ("--subnet", "10.0.0.0/14", "--block-length", "24", "--prefix-length", "26", "--json")

    done = json.loads(node.pool("refill", CLUSTER, *words).stdout)
    full = json.loads(node.pool("refill", CLUSTER, *words).stdout)

    assert done["claimed"] == ["10.2.77.0/24"]
    assert full["error"]["code"] == 11
    assert "w9" in f"{full['error']['msg']} {full['error']['details']}", "it says who has most"
