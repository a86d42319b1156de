"""A pool that nodes share by the Kubernetes API: the real `sriovctl pool` and `host-subnet` with the manifests of
conf/kubernetes/shared-pool, against tests/kubeapi, whose author had not read the client.

With KUBE_APISERVER (tests/kubeapi/real.py) most of them ask a real one, too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from ipaddress import ip_network
from typing import Any

import pytest

from tests.integration import shared_api as shared
from tests.integration.shared_api import BLOCKS, NODES, OPERATOR, OPERATORS, POOLS, ROLE, kubelet, stored
from tests.kubeapi import SERVERS, Admin, Json, RealApi, StandIn, kubeconfig, start
from tests.workers import BLOCK_LENGTH, CLUSTER, CONFIG, LENGTH, POOL, Worker, overlaps

pytestmark = [pytest.mark.root, pytest.mark.bundle]
NAMES = ("w1", "w2", "w3")
OF_POOL: set[Any] = set(ip_network(POOL).subnets(new_prefix=BLOCK_LENGTH))
FORBIDS = "it forbids that"
PER_BLOCK = 2 ** (LENGTH - BLOCK_LENGTH)
Made = Callable[..., Worker]


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    api = start(request.param, tmp_path_factory.mktemp("api"), OPERATOR, *map(kubelet, NAMES))
    api.apply([*shared.samples(), shared.operators()])
    yield api
    api.close()


@pytest.fixture
def api(server: Admin) -> Admin:
    """As the manifests make it, with the Nodes w1, w2 and w3, and nothing claimed."""
    for path in (BLOCKS, POOLS, NODES):
        assert server.call("DELETE", path).code == 200
    for name in NAMES:
        server.remove(f"/api/v1/nodes/{name}")
        server.add_node(name)
    if isinstance(server, StandIn):
        server.faults.clear()
        server.heard.clear()
    return server


@pytest.fixture
def made(api: Admin) -> Iterator[Made]:
    """A node, which speaks by its kubelet's token unless something else is said."""
    with ExitStack() as stack:

        def make(name: str, **user: Any) -> Worker:
            node = stack.enter_context(Worker(name, api))
            node.configure(user or {"token": kubelet(name).token})
            return node

        yield make


@pytest.fixture
def node(made: Made) -> Worker:
    return made("w1")


@pytest.fixture
def other(made: Made) -> Worker:
    return made("w2")


def told(api: Admin) -> dict[Any, str]:
    """Block -> fingerprint of its holder, as the API has it."""
    return {ip_network(spec["block"]): spec["fingerprint"] for spec in stored(api, BLOCKS).values()}


def claim(node: Worker, block: str = "") -> Any:
    answer = node.refill(block=block)
    assert "error" not in answer, answer
    (found,) = map(ip_network, answer["claimed"])
    return found


def refused(node: Worker, *words: str) -> tuple[int, str]:
    """Code and sentence of `refill`, with its details."""
    error = node.refill(*words)["error"]
    return error["code"], f"{error['msg']}\n{error.get('details', '')}"


def as_operator(node: Worker, *words: str, stdin: str = "") -> Json:
    """`sriovctl pool WORDS --json` by Olga's kubeconfig, on that node."""
    kept = node.path(CONFIG).read_text()
    assert node.api.ca
    kubeconfig(node.path(CONFIG), node.api.url, node.api.ca, {"token": OPERATOR.token})
    try:
        found: Json = json.loads(node.pool(*words, "--json", stdin=stdin).stdout)
        return found
    finally:
        node.path(CONFIG).write_text(kept)


# -- what a node does --------------------------------------------------------------------------------------------------


def test_a_claim_is_an_object_that_is_called_as_the_block(api: Admin, node: Worker) -> None:
    block = claim(node)

    assert block in OF_POOL
    assert node.blocks() == {block}
    ((name, spec),) = stored(api, BLOCKS).items()
    assert name == f"{block.network_address}-{block.prefixlen}"
    assert (spec["fingerprint"], spec["node"]) == (node.fingerprint(), "w1")
    (pools,) = stored(api, POOLS).values()
    assert [(pool["subnet"], pool["length"]) for pool in pools["pools"]] == [(POOL, BLOCK_LENGTH)]
    uid = api.get("/api/v1/nodes/w1").document["metadata"]["uid"]
    ((name, record),) = stored(api, NODES).items()
    assert (name, record["node"], record["uid"]) == (node.fingerprint(), "w1", uid)
    machine = node.path("/etc/machine-id").read_text().strip()
    assert machine not in json.dumps([spec, record]), "machine-id is a secret of its machine (machine-id(5))"


def test_a_block_of_v6_has_a_name_that_the_api_takes(api: Admin, node: Worker) -> None:
    lengths = ("--block-length", "48", "--prefix-length", "64", "--json")

    done = node.pool("refill", CLUSTER, "--subnet", "fd00:10::/40", *lengths)

    (block,) = map(ip_network, json.loads(done.stdout)["claimed"])
    (name,) = stored(api, BLOCKS)
    assert name == f"{block.network_address.exploded.replace(':', '-')}-48"
    assert node.blocks() == {block}


def test_two_nodes_never_have_one_block(api: Admin, node: Worker, other: Worker) -> None:
    """Until there is none left, all at once."""
    with ThreadPoolExecutor(2) as pool:
        answers = [*pool.map(lambda number: (node, other)[number % 2].refill(), range(6))]

    assert sorted(len(answer.get("claimed", ())) for answer in answers) == [0, 0, 1, 1, 1, 1]
    assert {answer["error"]["code"] for answer in answers if "error" in answer} == {11}
    assert node.blocks() | other.blocks() == OF_POOL
    assert not node.blocks() & other.blocks()
    holders = {block: node.fingerprint() for block in node.blocks()} | {
        block: other.fingerprint() for block in other.blocks()
    }
    assert told(api) == holders


def test_a_pool_is_leased_to_its_last_subnet(api: Admin, node: Worker, other: Worker) -> None:
    total = len(OF_POOL) * PER_BLOCK
    found = []
    for number in range(total):
        taker = (node, other)[number % 2]
        status, answer = taker.host_subnet("ADD", f"c{number}")
        if status:  # the other one has the rest
            assert answer["code"] == 11, answer
            taker = (other, node)[number % 2]
            status, answer = taker.host_subnet("ADD", f"c{number}")
        assert status == 0, answer
        found.append(answer["ips"][0]["address"])
    node.settle()
    other.settle()

    assert len(set(found)) == total
    assert len(node.leases()) + len(other.leases()) == total
    assert overlaps([node, other]) == []
    status, answer = node.host_subnet("ADD", "one-more")
    assert (status, answer["code"]) == (1, 11)


def test_an_add_has_more_claimed_before_its_block_is_full(api: Admin, node: Worker) -> None:
    for number in range(PER_BLOCK):
        node.add(f"c{number}")
    node.settle()

    assert len(node.blocks()) == 2
    assert set(told(api)) == node.blocks()


def test_a_block_that_is_wanted_by_name_and_another_has_is_104(node: Worker, other: Worker) -> None:
    block = claim(other)

    error = node.refill(block=str(block))["error"]

    assert error["code"] == 104
    assert "w2" in error["msg"]
    assert node.blocks() == node.blocks("claiming") == set()


def test_what_somebody_wrote_by_hand_is_taken_all_the_same(api: Admin, node: Worker) -> None:
    """An object of that name is a block that is not free, whatever is in it."""
    spec = {
        "block": "none",
        "fingerprint": "0" * 32,
        "node": "?",
        "machine": "1" * 64,
        "since": "2026-11-01T00:00:00Z",
    }
    kept = max(OF_POOL)
    for block in OF_POOL - {kept}:
        name = f"{block.network_address}-{block.prefixlen}"
        document = {
            "apiVersion": "cni-sriov.io/v1alpha1",
            "kind": "SubnetBlock",
            "metadata": {"name": name},
            "spec": spec,
        }
        assert api.call("POST", BLOCKS, document).code == 201

    assert claim(node) == kept
    assert node.refill()["error"]["code"] == 11


def test_a_pool_that_another_node_cuts_otherwise_is_refused(api: Admin, node: Worker, other: Worker) -> None:
    claim(other)

    done = node.pool(
        *(
            "refill",
            CLUSTER,
            "--subnet",
            POOL,
            "--block-length",
            "25",
            "--prefix-length",
            str(LENGTH),
            "--json",
        )
    )

    error = json.loads(done.stdout)["error"]
    assert error["code"] == 7
    assert all(word in f"{error['msg']} {error['details']}" for word in ("w2", "/24", "/25")), error
    assert len(told(api)) == 1


def test_a_pool_of_which_no_node_has_a_block_is_undefined(api: Admin, node: Worker, other: Worker) -> None:
    claim(other)
    error = as_operator(node, "undefine", POOL)["error"]
    assert (error["code"], "node w2 has 1" in error["msg"]) == (7, True)
    ((pool,),) = (spec["pools"] for spec in stored(api, POOLS).values())
    assert (pool["subnet"], pool["node"]) == (POOL, "w2")

    other.pool("release")
    assert as_operator(node, "undefine", POOL)["node"] == "w2"

    assert [spec["pools"] for spec in stored(api, POOLS).values()] == [[]]
    assert claim(node) in OF_POOL
    ((pool,),) = (spec["pools"] for spec in stored(api, POOLS).values())
    assert pool["node"] == "w1"


# -- giving back -------------------------------------------------------------------------------------------------------


def test_an_empty_block_is_given_back_and_one_with_leases_is_not(api: Admin, node: Worker) -> None:
    subnet = node.add("c1")
    node.settle()
    (held,) = (block for block in node.blocks() if subnet.subnet_of(block))
    empty = claim(node)

    done = json.loads(node.pool("release", "--json").stdout)

    assert (done["released"], done["kept"]) == ([str(empty)], [str(held)])
    assert node.blocks() == set(told(api)) == {held}
    node.delete("c1")
    assert json.loads(node.pool("release", "--json").stdout)["released"] == [str(held)]
    assert node.blocks() == set(told(api)) == set()


def test_a_block_that_became_another_ones_is_not_taken_from_it(api: Admin, node: Worker) -> None:
    """As after a restored backup. DELETE has preconditions: what was read is what goes."""
    block = claim(node)
    name = f"{block.network_address}-{block.prefixlen}"
    theirs = api.get(f"{BLOCKS}/{name}").document
    api.remove(f"{BLOCKS}/{name}")
    new = {"apiVersion": theirs["apiVersion"], "kind": "SubnetBlock", "metadata": {"name": name}}
    spec = theirs["spec"] | {"fingerprint": "f" * 32, "node": "w3"}
    assert api.call("POST", BLOCKS, new | {"spec": spec}).code == 201

    node.pool("release", "--json")

    assert told(api) == {block: "f" * 32}
    assert block not in node.blocks()


def test_a_backup_without_a_block_gets_it_again(api: Admin, node: Worker) -> None:
    block = claim(node)
    api.remove(f"{BLOCKS}/{block.network_address}-{block.prefixlen}")

    assert "error" not in json.loads(node.pool("refill", CLUSTER, "--json").stdout)

    assert told(api) == {block: node.fingerprint()}


def test_a_draining_node_gives_back_what_is_empty_and_claims_nothing(
    api: Admin, node: Worker, other: Worker
) -> None:
    block = claim(node)
    assert as_operator(other, "drain", "w1")["draining"] is True

    node.pool("refill", CLUSTER)

    assert node.blocks() == set(told(api)) == set()
    assert "error" in node.refill()
    assert as_operator(other, "drain", "w1", "--undo")["draining"] is False
    assert claim(node) in OF_POOL
    assert block in OF_POOL


@pytest.mark.parametrize("returns", [False, True], ids=["gone", "another-uid"])
def test_a_node_whose_object_is_no_more_is_forgotten_without_a_question(
    api: Admin, node: Worker, other: Worker, returns: bool
) -> None:
    """The Node's absence, or another UID under its name, is proof ("Object Names and IDs", UIDs)."""
    block, kept = claim(node), claim(other)
    api.remove_node("w1")
    if returns:
        api.add_node("w1")

    done = as_operator(other, "forget", "w1")

    assert done["released"] == [str(block)]
    assert told(api) == {kept: other.fingerprint()}
    assert list(stored(api, NODES)) == [other.fingerprint()]


def test_a_node_that_is_there_is_not_forgotten(api: Admin, node: Worker, other: Worker) -> None:
    block = claim(node)
    claim(other)

    for words in ((), ("--yes",)):
        assert "error" in as_operator(other, "forget", "w1", *words)

    assert told(api)[block] == node.fingerprint()
    assert as_operator(other, "forget", "w1", "--yes", "--force")["released"] == [str(block)]


def test_a_machine_whose_node_was_made_anew_is_alive_after_its_next_contact(
    api: Admin, node: Worker, other: Worker
) -> None:
    """As after `kubectl delete node` and a restart of its kubelet."""
    block = claim(node)
    claim(other)
    api.remove_node("w1")
    uid = api.add_node("w1")

    assert node.pool("refill", CLUSTER).returncode == 0

    assert stored(api, NODES)[node.fingerprint()]["uid"] == uid
    assert "error" in as_operator(other, "forget", "w1", "--yes")
    assert told(api)[block] == node.fingerprint()


def test_the_table_has_all_nodes(node: Worker, other: Worker) -> None:
    claim(node)
    claim(other)

    (cluster,) = json.loads(node.pool("--json").stdout)["clusters"]
    text = node.pool().stdout

    assert {one["node"] for one in cluster["nodes"]} == {"w1", "w2"}
    assert all(name in text for name in ("w1", "w2", POOL))


# -- who it says it is -------------------------------------------------------------------------------------------------


def test_a_pod_finds_the_api_by_its_service_account(api: Admin, node: Worker) -> None:
    """By "Accessing the Kubernetes API from a Pod": no kubeconfig, but environment, token and ca.crt."""
    assert api.ca
    node.configure({}, kubeconfig=None)
    account = "/run/secrets/kubernetes.io/serviceaccount"
    node.write(f"{account}/token", kubelet("w1").token)
    node.write(f"{account}/ca.crt", api.ca.read_text())
    host, _, port = api.url.removeprefix("https://").rpartition(":")

    answer = node.refill(env={"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port})

    assert len(answer["claimed"]) == 1
    code, sentence = refused(node)
    assert code == 7
    assert "KUBERNETES_SERVICE_HOST" in sentence


def test_a_kubelet_s_certificate_says_who_it_is(api: Admin, node: Worker) -> None:
    """As /etc/kubernetes/kubelet.conf has it: paths, one file for both."""
    assert isinstance(api, StandIn | RealApi)
    found = api.authority.issue("system:node:w1", groups=("system:nodes",))
    node.write("/etc/cni-sriov/kubelet.pem", found.cert.read_text() + found.key.read_text())
    pem = "/etc/cni-sriov/kubelet.pem"

    node.configure({"client-certificate": pem, "client-key": pem})

    assert len(claim_of(node)) == 1


def test_a_token_may_be_in_a_file(node: Worker) -> None:
    node.write("/etc/cni-sriov/token", kubelet("w1").token + "\n")

    node.configure({"tokenFile": "/etc/cni-sriov/token"})

    assert len(claim_of(node)) == 1


def claim_of(node: Worker) -> list[str]:
    answer = node.refill()
    assert "error" not in answer, answer
    return list(answer["claimed"])


# -- what it may -------------------------------------------------------------------------------------------------------


def the_node_s(node: Worker, other: Worker) -> Iterator[str]:
    """All that a node ever asks of the API; what it says of it."""
    lengths = ("--block-length", str(BLOCK_LENGTH), "--prefix-length", str(LENGTH), "--json")
    yield node.pool("refill", CLUSTER, "--subnet", POOL, *lengths).stdout
    yield node.pool("refill", CLUSTER, "--subnet", "10.65.0.0/22", *lengths).stdout
    yield node.pool("refill", CLUSTER, "--json").stdout
    yield node.pool("--json").stdout
    yield node.pool("release", "--json").stdout


def the_operator_s(node: Worker, other: Worker) -> Iterator[str]:
    """What the sample gives in place of a node's rights: others are drained and forgotten, too."""
    claim(other)
    for words in (("drain", "w2"), ("drain", "w2", "--undo"), ("forget", "w2", "--yes", "--force")):
        yield json.dumps(as_operator(node, *words))


@pytest.mark.parametrize(
    ("verb", "resource"), [(verb, resource) for verb, _, resource in shared.rules(shared.samples(), ROLE)]
)
def test_a_verb_that_is_not_granted_is_named(
    api: Admin, node: Worker, other: Worker, verb: str, resource: str
) -> None:
    """And each that the sample grants is one that is needed."""
    api.apply(shared.of_kind("ClusterRole", shared.without(shared.samples(), ROLE, verb, resource)))

    try:
        said = next((text for text in the_node_s(node, other) if FORBIDS in text), "")
    finally:
        api.apply(shared.of_kind("ClusterRole", shared.samples()))

    assert said, "it is not needed: the sample grants too much"
    assert f'cannot {verb} resource \\"{resource}\\"' in said
    assert "conf/kubernetes/shared-pool/rbac.yaml" in said
    assert "error" not in node.refill()


def test_who_is_no_operator_forgets_nobody(api: Admin, node: Worker, other: Worker) -> None:
    block = claim(other)

    said = node.pool("forget", "w2", "--yes", "--force", "--json").stdout

    assert 'cannot delete resource \\"subnetnodes\\"' in said
    assert node.api is api
    assert told(api)[block] == other.fingerprint()


def test_the_samples_grant_what_is_used_and_no_more(api: Admin, node: Worker, other: Worker) -> None:
    """By what the server heard."""
    if not isinstance(api, StandIn):
        return  # a real one does not tell
    documents = shared.samples()
    assert not any(FORBIDS in text for text in the_node_s(node, other))
    used = {(heard.verb, heard.resource) for heard in api.heard if heard.user == kubelet("w1").name}
    assert used == {(verb, resource) for verb, _, resource in shared.rules(documents, ROLE)}

    assert not any(FORBIDS in text for text in the_operator_s(node, other))

    used |= {(heard.verb, heard.resource) for heard in api.heard if heard.user == OPERATOR.name}
    assert used == {(verb, resource) for verb, _, resource in shared.rules(documents, OPERATORS)}
