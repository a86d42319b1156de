"""The door of podman 5 with anything on standard input: one document or none, in netavark's form, never a bug of ours; what
fails changes nothing, and a teardown always succeeds.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni_sriov.conf import netconf
from cni_sriov.words.errors import CODES
from tests import podman
from tests.fuzzing import JSON, ODD_TEXTS, budget, damaged_bytes, mutated, only_inside, paths_of, put
from tests.podman import Told, call, exec_call
from tests.world import World

pytestmark = pytest.mark.slow
ONE, OTHER = "/run/netns/pod1", "/run/netns/other"
WISHES: dict[str, Any] = {
    "static_ips": ["10.10.9.9"],
    "static_mac": "02:00:00:00:aa:01",
    "options": {"deviceID": "0000:01:10.2", "subnets": "10.10.9.0/24"},
}


class Node:
    """A node with one container that nobody else's call may touch."""

    def __init__(self, root: Path) -> None:
        self.world = World(Path(tempfile.mkdtemp(dir=root)))
        self.world.kernel.add_pf("enp1s0f0", "0000:01:00.0", numvfs=3)
        for vf in self.world.kernel.pfs[0].vfs:
            vf.state.mac = vf.link.mac if vf.link else ""
        for path in (ONE, OTHER):
            self.world.kernel.add_pod(path)
        self.network = podman.create(self.world, "fast", vlan="7", verifyTimeout="0")
        assert call(self.world, "setup", exec_call(self.network, "other"), OTHER).exit_code == 0
        self.before = self.world.snapshot()

    def call(self, verb: str, stdin: bytes, netns: str = ONE) -> Told:
        with only_inside(str(self.world.root)):
            told = call(self.world, verb, stdin.decode("utf-8", "surrogateescape"), netns)
        judge(verb, told)
        return told

    def round(self, stdin: bytes) -> None:
        """A setup, and what undoes it where it went well: the teardown with the same words."""
        told = self.call("setup", stdin)
        if told.exit_code == 0:
            self.call("teardown", stdin)
        assert self.world.snapshot() == self.before, told.error


def judge(verb: str, told: Told) -> None:
    assert "Traceback" not in told.stderr
    if verb == "teardown":
        assert (told.exit_code, told.document) == (0, None)
    elif told.exit_code:
        assert (told.exit_code, told.document.keys()) == (1, {"error"})
        assert told.code in CODES
        assert told.code != 999, told.error
        assert len(told.error) < 20_000
    elif verb == "setup":
        assert told.document["interfaces"]
    else:
        assert told.document["ipam_options"] == {"driver": "none"}


def shared(root: Path, nodes: list[Node] = []) -> Node:  # noqa: B006 # one for all examples, a new one after a failure
    if not nodes or nodes[-1].world.root.parent != root or nodes[-1].world.snapshot() != nodes[-1].before:
        nodes.append(Node(root))
    return nodes[-1]


def as_bytes(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogateescape")


def changed(document: Any) -> st.SearchStrategy[Any]:
    return st.composite(lambda draw: mutated(draw, document, draw(st.integers(0, 3))))()


@budget(300)
@given(data=st.data())
def test_any_setup(root: Path, data: st.DataObject) -> None:
    node = shared(root)
    document = exec_call(node.network, "c1", **WISHES)
    stdin = data.draw(
        st.one_of(changed(document).map(as_bytes), damaged_bytes(as_bytes(document)), JSON.map(as_bytes))
    )
    node.round(stdin)


@budget(200)
@given(data=st.data())
def test_any_teardown_gives_back_what_is_attached(root: Path, data: st.DataObject) -> None:
    """Whatever became of the network and its options since; only whose it is must be told."""
    node = shared(root)
    document = exec_call(node.network, "c1")
    assert node.call("setup", as_bytes(document)).exit_code == 0
    spoiled = data.draw(
        changed({key: document[key] for key in ("network", "port_mappings", "container_name")})
    )
    told = {key: document[key] for key in ("container_id", "network_options")}

    node.call(
        "teardown", as_bytes((spoiled if isinstance(spoiled, dict) else {}) | told), data.draw(ODD_PATHS)
    )

    assert node.world.snapshot() == node.before


ODD_PATHS = st.sampled_from([ONE, "/run/netns/nowhere", "", "/", "\udcff"])


@budget(200)
@given(data=st.data())
def test_any_teardown(root: Path, data: st.DataObject) -> None:
    node = shared(root)
    document = exec_call(node.network, "c1")
    stdin = data.draw(
        st.one_of(damaged_bytes(as_bytes(document)), st.binary(max_size=40), JSON.map(as_bytes))
    )
    node.call("teardown", stdin, data.draw(ODD_PATHS))
    # one whose stateDir is damaged may end at another one, and leave a lock's file, which gc sweeps
    now = node.world.snapshot()
    now["files"] = [
        name for name in now["files"] if not name.startswith("run/locks/") or name in node.before["files"]
    ]
    assert now == node.before


CREATED = podman.asked_network(
    "fast",
    {"master": "enp1s0f0", "vlan": "100", "prefixLength": "24,64", "gateway": "none", "ipam.onlink": "true"},
    subnets=[{"subnet": "10.10.0.0/16", "lease_range": {"start_ip": "10.10.5.1", "end_ip": "10.10.9.255"}}, {"subnet": "fd00:10::/48"}],
    routes=[{"destination": "10.99.0.0/16", "gateway": "10.10.0.1", "metric": 5}],
    network_dns_servers=["192.0.2.1"],
    ipv6_enabled=True,
    network_interface="enp1s0f0",
)  # fmt: skip


@budget(400)
@given(data=st.data())
def test_any_create(root: Path, data: st.DataObject) -> None:
    node = shared(root)
    stdin = data.draw(
        st.one_of(changed(CREATED).map(as_bytes), damaged_bytes(as_bytes(CREATED)), JSON.map(as_bytes))
    )
    node.call("create", stdin)
    assert node.world.snapshot() == node.before


OPTION_TEXTS = st.one_of(
    ODD_TEXTS, st.sampled_from(["[]", "[7]", "[{}]", "{}", "null", "1e9", "a,b", "[null]"])
)


@budget(400)
@given(
    key=st.sampled_from(sorted(netconf.SRIOV.keys)),
    more=st.sampled_from(["", ".x", ".names", ".pools", ".routes", ".dns", "."]),
    text=OPTION_TEXTS,
    with_ipv6=st.booleans(),
)
def test_any_option(root: Path, key: str, more: str, text: str, with_ipv6: bool) -> None:
    node = shared(root)
    options = {"master": "enp1s0f0", key + more: text}
    node.call("create", as_bytes(podman.asked_network("fast", options, ipv6_enabled=with_ipv6)))
    assert node.world.snapshot() == node.before


@pytest.mark.parametrize("text", ["[7]", "[null]", "[[]]", "x"])
@pytest.mark.parametrize("key", ["ipam.pools", "ipam.routes", "ipam.dns", "dns", "ipam"])
def test_an_option_of_json_with_nonsense_in_it(root: Path, key: str, text: str) -> None:
    """Found by what was broken on purpose: with IPv6 the pools are looked at before they are judged."""
    node = shared(root)
    told = node.call(
        "create", as_bytes(podman.asked_network("fast", {"master": "x", key: text}, ipv6_enabled=True))
    )
    assert told.code == 7


VALUES: list[Any] = [None, True, 0, -1, 1.5, 2**70, "", "x", "\ud800", [], ["x"], [{}], {}, {"x": "1"}]


def test_a_wrong_value_in_each_place(root: Path) -> None:
    node = Node(root)
    for verb, document in (("create", CREATED), ("setup", exec_call(node.network, "c1", **WISHES))):
        for at in paths_of(document):
            for value in VALUES:
                wrong = json.loads(json.dumps(document))
                put(wrong, at, value)
                if verb == "setup":
                    node.round(as_bytes(wrong))
                else:
                    node.call(verb, as_bytes(wrong))
    assert node.world.snapshot() == node.before
