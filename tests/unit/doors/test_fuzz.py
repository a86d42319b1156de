"""The front door with anything in it: environment, standard input, CNI_ARGS, configurations, what runtimes add.

Whatever comes, a call ends with one JSON document and a code of the contract (tests/fuzzing.py), and one that fails
changes nothing. What was found this way stands below as plain tests.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import fuzzing
from tests.fuzzing import JSON, ODD_TEXTS, Answer, budget, damaged_bytes, mutated, paths_of, put
from tests.unit.conf.conf_table import TABLE
from tests.world import World

pytestmark = pytest.mark.slow

VERBS = ["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"]
POD = "/run/netns/pod1"
PATH_KEYS = {"stateDir", "logFile", "dataDir", "cniDir", "CNIDeviceInfoFile"}


class Node:
    """A world with one attachment that nobody else's call may touch, and a plugin to delegate to."""

    def __init__(self, root: Path) -> None:
        root = Path(tempfile.mkdtemp(dir=root))
        self.world = World(root)
        self.world.kernel.add_pf("enp1s0f0", "0000:01:00.0", numvfs=3)
        for vf in self.world.kernel.pfs[0].vfs:  # as after its first `up`: the PF knows the address it has
            vf.state.mac = vf.link.mac if vf.link else ""
        for name in ("pod1", "other"):
            self.world.kernel.add_pod(f"/run/netns/{name}")
        (root / "bin").mkdir()
        (root / "bin/host-local").write_text("")
        (root / "bin/host-local").chmod(0o755)
        self.world.cni_path = str(root / "bin")
        self.said: tuple[int, str] = (0, "")
        self.world.plugins = lambda *_: self.said
        assert self.world.call("ADD", self.conf(), "other", "/run/netns/other").code == 0
        self.before = self.look()

    def conf(self, **keys: Any) -> dict[str, Any]:
        return self.world.conf(vlan=7, ipam=self.world.ipam(), **keys)

    def env(self, verb: str, **keys: str) -> dict[str, str]:
        env = {"CNI_COMMAND": verb, "CNI_CONTAINERID": "c1", "CNI_IFNAME": "net1", "CNI_NETNS": POD}
        return env | {"CNI_PATH": self.world.cni_path} | keys

    def look(self) -> dict[str, Any]:
        return self.world.snapshot()

    def call(self, env: dict[str, str], stdin: bytes, door: str = "sriov") -> Answer:
        """A failed call leaves the world as it was; an ADD is undone by the DEL with its own conf, whatever is in it."""
        answer = fuzzing.call(self.world, env, stdin, door)
        if env.get("CNI_COMMAND") == "ADD" and not answer.exit_code:
            undone = fuzzing.call(self.world, env | {"CNI_COMMAND": "DEL"}, stdin, door)
            assert undone.code == 0, undone.stdout
        if env.get("CNI_COMMAND") != "GC" or answer.exit_code:
            assert self.look() == self.before, answer.stdout
        return answer

    def inside(self, value: Any) -> Any:
        """The conf with its directories in the world's own, as good or bad as they were."""
        if isinstance(value, list):
            return [self.inside(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            key: f"{self.world.root}{inner}"
            if key in PATH_KEYS
            and isinstance(inner, str)
            and inner.startswith("/")
            and not inner.startswith(str(self.world.root))
            else self.inside(inner)
            for key, inner in value.items()
        }


@pytest.fixture
def node(root: Path) -> Node:
    return Node(root)


def shared(root: Path, nodes: list[Node] = []) -> Node:  # noqa: B006 # one for all examples, a new one after a failure
    if not nodes or nodes[-1].world.root.parent != root or nodes[-1].look() != nodes[-1].before:
        nodes.append(Node(root))
    return nodes[-1]


# environment ---------------------------------------------------------------------------------------------------------

ENV_TEXT = st.one_of(ODD_TEXTS, st.text(max_size=12)).map(lambda text: text.replace("\0", ""))
ARGS = st.lists(
    st.tuples(
        st.sampled_from(
            ["IgnoreUnknown", "MAC", "IP", "SUBNET", "GATEWAY", "K8S_POD_NAME", "K8S_POD_UID", "X", ""]
        ),
        st.one_of(
            ENV_TEXT, st.sampled_from(["1", "true", "10.10.9.9", "10.10.9.0/24,fd00:10::/64", ",,", "="])
        ),
    ),
    max_size=4,
).map(lambda pairs: ";".join(f"{key}={value}" for key, value in pairs))
NETNSES = st.sampled_from(
    [POD, "/run/netns/nowhere", "/proc/self/ns/net", "", "/", "x", "/etc/passwd", "\ud800"]
)


@budget(400)
@given(data=st.data())
def test_any_environment(root: Path, data: st.DataObject) -> None:
    node = shared(root)
    env = node.env(data.draw(st.sampled_from([*VERBS, "add", "", "X"])))
    env["CNI_ARGS"] = data.draw(st.one_of(ARGS, ENV_TEXT))
    if data.draw(st.booleans()):
        env["CNI_NETNS"] = data.draw(NETNSES)
    for key in data.draw(st.sets(st.sampled_from(sorted(env)), max_size=2)):
        if data.draw(st.booleans()):
            env[key] = data.draw(ENV_TEXT)
        else:
            del env[key]
    env |= data.draw(
        st.dictionaries(st.sampled_from(["CNI_NETNS_OVERRIDE", "TRACEPARENT", "HOME"]), ENV_TEXT)
    )
    sticky = node.world.ipam(sticky=False)
    version = data.draw(st.sampled_from(["0.2.0", "0.4.0", "1.1.0"]))
    node.call(env, json.dumps(node.world.conf(cniVersion=version, ipam=sticky)).encode())


# standard input ------------------------------------------------------------------------------------------------------


@budget(400)
@given(data=st.data())
def test_any_standard_input(root: Path, data: st.DataObject) -> None:
    node = shared(root)
    conf = json.dumps(
        node.conf(cniVersion="1.1.0", prevResult={"ips": [{"address": "10.10.0.2/24"}]})
    ).encode()
    stdin = data.draw(st.one_of(damaged_bytes(conf), st.binary(max_size=40), JSON.map(as_bytes)))
    verb = data.draw(st.sampled_from(["ADD", "DEL", "CHECK", "STATUS", "VERSION"]))
    node.call(node.env(verb), stdin, data.draw(st.sampled_from(["sriov", "host-subnet"])))


def as_bytes(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogateescape")


@budget(400)
@given(data=st.data())
def test_any_call_deletes_what_is_attached(root: Path, data: st.DataObject) -> None:
    """Whatever became of the conf since, of CNI_ARGS and CNI_NETNS."""
    node = shared(root)
    door = data.draw(st.sampled_from(["sriov", "host-subnet"]))
    conf = node.conf(cniVersion="1.1.0", runtimeConfig={"mac": "02:00:00:00:aa:01"}) | {"verifyTimeout": 0}
    assert fuzzing.call(node.world, node.env("ADD"), as_bytes(conf), door).code == 0
    spoiled = data.draw(st.composite(lambda draw: mutated(draw, conf, draw(st.integers(1, 3))))())
    stdin = data.draw(
        st.one_of(damaged_bytes(as_bytes(conf)), st.just(as_bytes(spoiled)), st.binary(max_size=40))
    )
    args, netns = data.draw(st.one_of(ARGS, ENV_TEXT)), data.draw(NETNSES)

    deleted = fuzzing.call(node.world, node.env("DEL", CNI_ARGS=args, CNI_NETNS=netns), stdin, door)

    assert deleted.code == 0, deleted.stdout
    assert node.look() == node.before


# configurations ------------------------------------------------------------------------------------------------------


@budget(400)
@given(data=st.data())
def test_any_configuration(root: Path, data: st.DataObject) -> None:
    """Rows of the table that parser and schema are held against, with places replaced by anything."""
    node = shared(root)
    _, row, _ = data.draw(st.sampled_from(TABLE))
    base = node.conf(verifyTimeout=0) | row
    conf = data.draw(st.composite(lambda draw: mutated(draw, base, draw(st.integers(0, 3))))())
    door = "sriov" if row.get("type") == "sriov" else data.draw(st.sampled_from(["sriov", "host-subnet"]))
    if isinstance(conf, dict):
        conf |= {"verifyTimeout": 0, "announceWait": 0} if data.draw(st.integers(0, 9)) else {}
    verb = data.draw(st.sampled_from(["ADD", "ADD", "ADD", "DEL", "CHECK", "STATUS"]))
    node.call(node.env(verb), as_bytes(node.inside(conf)), door)


RUNTIME = {
    "runtimeConfig": {
        "mac": "02:00:00:00:aa:01", "ips": ["10.10.9.9/24"], "deviceID": "0000:01:10.2",
        "CNIDeviceInfoFile": "/devinfo/c1_net1",
        "bandwidth": {"egressRate": 1000000}, "dns": {"servers": ["192.0.2.1"], "searches": [], "options": []},
    },
    "args": {"cni": {"mac": "02:00:00:00:aa:02", "ips": ["10.10.9.8"], "subnets": ["10.10.9.0/24"]}},
    "prevResult": {
        "cniVersion": "1.1.0", "interfaces": [{"name": "net1", "mac": "02:00:00:00:00:02", "sandbox": POD, "mtu": 1500}],
        "ips": [{"address": "10.10.0.2/24", "gateway": "10.10.0.1", "interface": 0}],
        "routes": [{"dst": "0.0.0.0/0", "gw": "10.10.0.1"}], "dns": {"nameservers": ["192.0.2.1"]},
    },
    "dns": {"domain": "x"},
    "cni.dev/valid-attachments": [{"containerID": "other", "ifname": "net1"}],
    "cni.dev/attachments": [{"containerID": "other", "ifname": "net1"}],
}  # fmt: skip


@budget(300)
@given(data=st.data())
def test_anything_that_a_runtime_adds(root: Path, data: st.DataObject) -> None:
    """prevResult, runtimeConfig, args, the lists of GC; ADD, then CHECK with it, then DEL."""
    node = shared(root)
    keys = data.draw(st.sets(st.sampled_from(sorted(RUNTIME)), min_size=1))
    given_keys = data.draw(
        st.composite(
            lambda draw: mutated(draw, {key: RUNTIME[key] for key in keys}, draw(st.integers(0, 3)))
        )()
    )
    version = data.draw(st.sampled_from(["0.1.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]))
    conf = node.inside(node.conf(cniVersion=version) | given_keys)
    stdin = as_bytes(conf)
    verb = data.draw(st.sampled_from(["ADD", "ADD", "CHECK", "DEL", "GC", "STATUS"]))
    if verb == "GC" and not keeps_other(conf):
        verb = "CHECK"
    if verb == "CHECK":
        assert fuzzing.call(node.world, node.env("ADD"), as_bytes(node.conf())).code == 0
        fuzzing.call(node.world, node.env("CHECK"), stdin)
        verb = "DEL"
    node.call(node.env(verb), stdin)


def keeps_other(conf: dict[str, Any]) -> bool:
    """Only such a GC must leave the world as it is."""
    other = {"containerID": "other", "ifname": "net1"}
    lists = [conf.get(key) for key in ("cni.dev/valid-attachments", "cni.dev/attachments")]
    return all(given is None for given in lists) or any(isinstance(x, list) and other in x for x in lists)


ANSWER = {
    "cniVersion": "1.0.0", "ips": [{"address": "10.1.0.5/16", "gateway": "10.1.0.1"}],
    "routes": [{"dst": "10.0.0.0/8", "gw": "10.1.0.1", "priority": 5}], "dns": {"domain": "a"},
    "ip4": {"ip": "10.1.0.6/16", "routes": [{"dst": "10.3.0.0/16"}]}, "code": 11, "msg": "no", "details": "x",
}  # fmt: skip


@budget(200)
@given(data=st.data())
def test_anything_that_a_delegate_answers(root: Path, data: st.DataObject) -> None:
    node = shared(root)
    document = data.draw(st.composite(lambda draw: mutated(draw, ANSWER, draw(st.integers(0, 3))))())
    text = data.draw(st.one_of(st.just(json.dumps(document)), st.text(max_size=20)))
    node.said = (data.draw(st.sampled_from([0, 0, 0, 1, 1, -9, 255])), text)
    conf = node.world.conf(vlan=7, ipam={"type": "host-local"})
    answered = fuzzing.call(node.world, node.env("ADD"), as_bytes(conf))
    node.said = (0, "")
    assert fuzzing.call(node.world, node.env("DEL"), as_bytes(conf)).code == 0, answered.stdout
    assert node.look() == node.before


# every place, one after the other ------------------------------------------------------------------------------------

VALUES: list[Any] = [None, True, 0, -1, 1.5, 2**70, "", "x", "\ud800", [], ["x"], [{}], {}, {"x": 1}]


def each_wrong(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for at in paths_of(document):
        for value in VALUES:
            wrong = json.loads(json.dumps(document))
            put(wrong, at, value)
            yield f"{at} {value!r}", wrong


def test_a_wrong_value_in_each_place_of_what_a_runtime_adds(node: Node) -> None:
    for _, wrong in each_wrong(RUNTIME):
        conf = as_bytes(node.inside(node.conf(cniVersion="1.1.0") | wrong))
        node.call(node.env("ADD"), conf)
        fuzzing.call(node.world, node.env("CHECK"), conf)


def test_a_wrong_value_in_each_place_of_a_configuration(node: Node) -> None:
    pools = [{"subnet": ["10.10.0.0/16"], "prefixLength": 24, "gateway": "last", "exclude": ["10.10.0.9"]}]
    ipam = {
        "pools": pools,
        "routes": [{"dst": "10.99.0.0/16", "gw": "10.10.0.1", "priority": 5}],
        "dns": {"search": ["x"]},
    }
    knobs = {
        "mac": "02:00:00:00:aa:01",
        "mtu": 1400,
        "spoofchk": "off",
        "trust": "on",
        "link_state": "enable",
    }
    conf = node.conf(**knobs, pf={"names": ["enp1s0f0"], "vfs": "0-3"}) | {"verifyTimeout": 0}
    conf["ipam"] |= ipam
    for place, wrong in each_wrong(conf):
        for verb in ("ADD", "STATUS"):
            node.call(node.env(verb), as_bytes(wrong))
        if "'ipam'" in place:
            node.call(node.env("ADD"), as_bytes(wrong), "host-subnet")


def test_a_wrong_value_in_each_place_of_a_delegates_answer(node: Node) -> None:
    conf = as_bytes(node.world.conf(ipam={"type": "host-local"}))
    for status in (0, 1):
        for place, wrong in each_wrong(ANSWER):
            node.said = (status, as_bytes(wrong).decode())
            fuzzing.call(node.world, node.env("ADD"), conf)
            node.said = (0, "")
            assert node.call(node.env("DEL"), conf).code == 0, place


# found, and fixed ----------------------------------------------------------------------------------------------------


def test_a_refused_call_leaves_no_lock_file(node: Node) -> None:
    conf = node.conf(cniVersion="1.0.0")
    assert node.call(node.env("CHECK"), as_bytes(conf)).code == 107
    assert node.call(node.env("CHECK"), as_bytes(conf), "host-subnet").code == 107
    conf["ipam"]["pools"] = 7
    assert node.call(node.env("ADD"), as_bytes(conf), "host-subnet").code == 7


@pytest.mark.parametrize(
    "part",
    [{"ips": [{"address": None}]}, {"ips": [{"address": "10.1.0.5/16", "gateway": 7}]}, {"dns": "x"}, {"routes": {"a": 1}},
     {"routes": [{"dst": None}]}, {"routes": [{"dst": "10.0.0.0/8", "gw": "x"}]}, {"ip4": {"ip": 7}},
     {"ip4": [1]}, {"routes": [{"dst": "10.0.0.0/8", "priority": 2**32}]}],
)  # fmt: skip
def test_a_delegates_nonsense_is_its_own_error(node: Node, part: dict[str, Any]) -> None:
    answer = {"ips": [{"address": "10.1.0.5/16"}]} | part
    node.said = (0, json.dumps(answer))
    env, conf = node.env("ADD"), as_bytes(node.world.conf(ipam={"type": "host-local"}))
    assert fuzzing.call(node.world, env, conf).code == 5
    node.said = (0, "")
    assert node.call(node.env("DEL"), conf).code == 0
