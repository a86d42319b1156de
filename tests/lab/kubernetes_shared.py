"""A pool that nodes share by a real API server, as docs/cluster.md has it set up: `make lab-kubernetes`.

The guest's node speaks by its kubelet's certificate, under the rights of conf/kubernetes/shared-pool and none else. `rack2` is
one more in the same guest: a Node object, a certificate, a host name, a machine-id and directories of its own. What the API
server has is told by kubectl.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Any

import pytest

from tests.pages import ROOT, command_blocks, script, wrong

from . import cluster as parts
from .cluster import CONFIG, KUBELET_CONFIG, NODE, OPERATOR, OPERATOR_TOKEN, Cluster, kubeconfig
from .guest import Done
from .node import Node, Reply
from .ready import Lab

pytestmark = [pytest.mark.lab, pytest.mark.bundle, pytest.mark.timeout(1200)]

PAGE = "docs/cluster.md"
HOME = "conf/kubernetes/shared-pool"
CHECKOUT = "/root/cni-sriov"
POOL, BLOCK_LENGTH, LENGTH = IPv4Network("10.10.0.0/16"), 20, 24  # as 10-shared.conflist has it
PATIENCE_S = 180  # the engine has 30 s by sriovctl's own deadline, which begins after its start
OTHER, OTHER_ROOT = "rack2", "/run/rack2"
# what a node has for itself; `as_node` puts that of another one in its place
OWN = ("/var/lib/cni-sriov", "/run/cni-sriov", "/var/lib/cni", "/etc/machine-id", KUBELET_CONFIG)
OPERATORS = "/root/operator.conf"
CLEAN = f"""
kubectl --kubeconfig {CONFIG} delete subnetblocks,subnetnodes,subnetpools --all
kubectl --kubeconfig {CONFIG} delete node {OTHER} --ignore-not-found
for root in '' {OTHER_ROOT}; do rm -rf $root/var/lib/cni-sriov/clusters $root/run/cni-sriov/clusters $root/var/lib/cni/*; done
"""


class Rack(Cluster):
    """With two nodes; the guest's own was registered by its kubelet."""

    def set_up(self) -> None:
        """As the page does, and the other node beside it."""
        self.vm.put("/etc/machine-id", f"{1:032x}\n")
        for path in (ROOT / HOME).iterdir():
            self.vm.put(f"{CHECKOUT}/{HOME}/{path.name}", path.read_bytes())
        self.vm.run("rm /etc/cni/net.d/*; ip netns add pod")
        # what kubectl judges a manifest by: the API puts it together once, in half a minute or more
        self.kubectl("get --raw /openapi/v2 > /dev/null", timeout=300)
        (block,) = command_blocks("runs: lab kubernetes shared")[PAGE]
        env = {"KUBECONFIG": CONFIG}
        done = self.vm.run(["sh", "-c", script(block)], cwd=CHECKOUT, env=env, check=False, timeout=400)
        assert wrong(block, done.stdout) == [], done.stderr + self.told()
        self._add_other()
        self._add_operator()

    def _add_other(self) -> None:
        self.admit(OTHER, OTHER_ROOT)
        self.vm.put(f"{OTHER_ROOT}/etc/machine-id", f"{2:032x}\n")
        self.vm.run(f"cd {OTHER_ROOT} && mkdir -p {' '.join(path[1:] for path in OWN[:3])}")
        self.vm.run(f"mkdir -p {' '.join(OWN[:3])}")

    def _add_operator(self) -> None:
        self.vm.put(OPERATORS, kubeconfig(token=OPERATOR_TOKEN), 0o600)
        role = "--clusterrole=cni-sriov-shared-pool-operator"
        self.kubectl(f"create clusterrolebinding operators {role} --user={OPERATOR}")

    def add_node(self) -> None:
        """The Node object of the other one."""
        self.make({"apiVersion": "v1", "kind": "Node", "metadata": {"name": OTHER}})

    def stored(self, plural: str) -> dict[str, Any]:
        """Name -> spec, as kubectl has it."""
        listed = json.loads(self.kubectl(f"get {plural} -o json").stdout)["items"]
        return {one["metadata"]["name"]: one["spec"] for one in listed}

    def told(self) -> str:
        return super().told() + self.vm.run("sriovctl pool", check=False).stdout

    def blocks(self) -> dict[IPv4Network, tuple[str, str]]:
        """Block -> name and fingerprint of its node."""
        return {
            IPv4Network(spec["block"]): (spec["node"], spec["fingerprint"])
            for spec in self.stored("subnetblocks").values()
        }

    def fingerprint(self, root: str = "") -> str:
        token = self.vm.get(f"{root}/var/lib/cni-sriov/clusters/rack/token").decode().strip()
        return hashlib.sha256(token.encode()).hexdigest()[:32]

    def as_node(self, name: str, words: str) -> Done:
        """`sriovctl pool WORDS` on that node."""
        return self.pool(words) if name == NODE else self._in_place(OTHER, OTHER_ROOT, OWN, words)

    def as_operator(self, words: str) -> Done:
        """The same on the guest's own node, by the operator's kubeconfig."""
        command = f"mount --bind {OPERATORS} {KUBELET_CONFIG}; exec sriovctl pool {words}"
        return self.vm.run(f"unshare -m sh -ec {shlex.quote(command)}", check=False, timeout=PATIENCE_S)

    def _in_place(self, name: str, root: str, paths: tuple[str, ...], words: str) -> Done:
        mounts = "".join(f"mount --bind {root}{path} {path}; " for path in paths)
        command = f"{mounts}hostname {name}; exec sriovctl pool {words}"
        return self.vm.run(f"unshare -m -u sh -ec {shlex.quote(command)}", check=False, timeout=PATIENCE_S)

    def pool(self, words: str = "") -> Done:
        return self.vm.run(f"sriovctl pool {words}", check=False, timeout=PATIENCE_S)

    def refill(self, name: str, *words: str) -> Any:
        """What it says with --json on that node."""
        lengths = f"--block-length {BLOCK_LENGTH} --prefix-length {LENGTH}"
        done = self.as_node(name, f"refill rack --subnet {POOL} {lengths} --json {' '.join(words)}")
        answer = json.loads(done.stdout)
        assert (done.returncode == 0) == ("error" not in answer), done
        return answer

    def claim(self, name: str) -> IPv4Network:
        """A block for that node."""
        answer = self.refill(name)
        assert "error" not in answer, answer
        (block,) = answer["claimed"]
        return IPv4Network(block)

    def add(self, container: str, address: str = "") -> Reply:
        """A subnet without an interface, as a main plugin asks for one on the guest's own node."""
        asked = {"runtimeConfig": {"ips": [address]}} if address else {}
        return self.node.cni("ADD", IPAM | asked, container, netns="/run/netns/pod", plugin=HOST_SUBNET)

    def delete_all(self, *containers: str) -> None:
        for container in containers:
            self.node.cni("DEL", IPAM, container, netns="/run/netns/pod", plugin=HOST_SUBNET)


HOST_SUBNET = "/opt/cni/bin/host-subnet"
_POOL = {"subnet": str(POOL), "prefixLength": LENGTH, "blocks": {"cluster": "rack", "length": BLOCK_LENGTH}}
IPAM: dict[str, Any] = {
    "cniVersion": "1.0.0",
    "name": "other",
    "type": "bridge",
    "ipam": {"type": "host-subnet", "pools": [_POOL]},
}


@pytest.fixture(scope="module")
def started(saved_kubernetes: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rack]:
    """Without scheduler, controllers and pods. The kubelet registers its Node; then it ends, as it takes a processor of the guest."""
    with saved_kubernetes.restore(parts.share()) as vm:
        rack = Rack(Node(vm), 1, tmp_path_factory.mktemp("certs"))
        rack.boot()
        rack.start("etcd", "kube-apiserver", "kubelet")
        rack.soon(rack.is_ready, "the node is ready", 400)
        rack.stop("kubelet")
        rack.set_up()
        yield rack


@pytest.fixture
def rack(started: Rack) -> Rack:
    """Nothing is claimed, and neither node knows of the other."""
    started.vm.run(CLEAN, timeout=300)
    started.add_node()
    return started


def subnet_of(reply: Reply) -> IPv4Network:
    assert reply.code == 0, reply.text
    (address,) = reply.addresses
    return IPv4Network(address, strict=False)


def test_two_nodes_have_blocks_of_their_own(rack: Rack) -> None:
    ours, theirs = rack.claim(NODE), rack.claim(OTHER)

    assert rack.blocks() == {
        ours: (NODE, rack.fingerprint()),
        theirs: (OTHER, rack.fingerprint(OTHER_ROOT)),
    }
    wanted = rack.refill(NODE, f"--block {theirs}")["error"]
    assert wanted["code"] == 104
    assert f"{theirs} of cluster rack: node {OTHER}" in wanted["msg"]
    assert subnet_of(rack.add("c1")).subnet_of(ours)
    rack.delete_all("c1")


def test_an_operator_forgets_a_node_and_a_node_does_not(rack: Rack) -> None:
    """A Node object that is gone is proof: nobody is asked."""
    ours, theirs = rack.claim(NODE), rack.claim(OTHER)
    alive = rack.as_operator(f"forget {OTHER} --yes")
    assert alive.returncode == 1
    assert "its Node is there" in alive.stdout + alive.stderr
    assert rack.blocks().keys() == {ours, theirs}
    rack.kubectl(f"delete node {OTHER}")

    forbidden = rack.pool(f"forget {OTHER}")

    said = forbidden.stdout + forbidden.stderr
    assert forbidden.returncode == 1
    assert f'User "system:node:{NODE}" cannot delete resource "subnetnodes"' in " ".join(said.split()), said
    assert f"{HOME}/rbac.yaml" in said
    assert rack.fingerprint(OTHER_ROOT) in rack.stored("subnetnodes")
    assert rack.blocks().keys() == {ours, theirs}, "it has no right to the record, and took the blocks"

    done = rack.as_operator(f"forget {OTHER}")

    assert done.returncode == 0, done.stdout + done.stderr
    assert rack.stored("subnetnodes").keys() == {rack.fingerprint()}
    assert rack.blocks().keys() == {ours}


def test_an_add_has_its_block_however_slow_the_machine_is(rack: Rack) -> None:
    """`sriovctl` may take longer than an ADD waits for it: what goes on beside has it for a later one, as kubelet tries again."""
    said: list[str] = []

    def is_added() -> bool:
        reply = rack.add("c1")
        said.append(reply.text)
        return reply.code == 0

    rack.soon(is_added, "an ADD that goes well", 300)

    ((block, holder),) = rack.blocks().items()
    assert holder == (NODE, rack.fingerprint())
    assert subnet_of(rack.add("c2")).subnet_of(block), said
    rack.delete_all("c1", "c2")
    released = rack.pool("release")
    assert released.returncode == 0, released.stdout + released.stderr
    assert rack.blocks() == {}


def test_adds_go_on_while_the_api_server_is_away(rack: Rack) -> None:
    ours = rack.claim(NODE)
    rack.stop("kube-apiserver")
    try:
        assert subnet_of(rack.add("c1")).subnet_of(ours)
        outside = next(block for block in POOL.subnets(new_prefix=BLOCK_LENGTH) if block != ours)
        refused = rack.add("c2", f"{outside[2]}/{LENGTH}")
        assert (refused.code, "cluster rack" in refused.text or "no answer within" in refused.text) == (
            11,
            True,
        ), refused
    finally:
        rack.start("kube-apiserver")
    rack.delete_all("c1")
    assert rack.blocks().keys() == {ours}
