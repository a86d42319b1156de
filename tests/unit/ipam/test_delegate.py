"""Foreign IPAM plugins, chains and capabilities, through the front door on the fake kernel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.words.errors import TryAgain
from tests.world import World


class HostLocal:
    """An IPAM plugin with a memory; records what it was given and what it saw of the pod."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.calls: list[dict[str, Any]] = []
        self.held: set[str] = set()
        self.fails: dict[str, str] = {}
        self.said: str | None = None
        world.plugins = self

    def __call__(self, executable: str, env: dict[str, str], stdin: str) -> tuple[int, str]:
        verb = env["CNI_COMMAND"]
        pod = self.world.kernel.pods.get(env["CNI_NETNS"])
        link = pod.find(env["CNI_IFNAME"]) if pod else None
        self.calls.append(
            {"exe": executable, "env": env, "conf": json.loads(stdin), "up": bool(link and link[1].is_up)}
        )
        if verb in self.fails:
            return 1, self.fails[verb]
        name = f"{env['CNI_CONTAINERID']}/{env['CNI_IFNAME']}"
        if verb == "ADD":
            self.held.add(name)
            return 0, json.dumps(
                self.answer(json.loads(stdin)["cniVersion"])
            ) if self.said is None else self.said
        self.held.discard(name) if verb == "DEL" else None
        return 0, ""

    def answer(self, version: str) -> dict[str, Any]:
        if version < "0.3.0":
            routes = [{"dst": "10.0.0.0/8"}]
            return {
                "cniVersion": version,
                "ip4": {"ip": "10.1.0.5/16", "gateway": "10.1.0.1", "routes": routes},
            }
        ips = [{"address": "10.1.0.5/16", "gateway": "10.1.0.1"}, {"address": "fd01::5/64"}]
        return {"cniVersion": version, "ips": ips, "routes": [{"dst": "10.0.0.0/8"}], "dns": {"domain": "a"}}

    @property
    def verbs(self) -> list[str]:
        return [call["env"]["CNI_COMMAND"] for call in self.calls]


@pytest.fixture
def ipam(world: World, tmp_path: Path) -> HostLocal:
    (tmp_path / "bin").mkdir()
    for name in ("host-local", "dhcp"):
        (tmp_path / "bin" / name).write_text("")
        (tmp_path / "bin" / name).chmod(0o755)
    world.cni_path = str(tmp_path / "bin")
    return HostLocal(world)


def conf(world: World, **keys: Any) -> dict[str, Any]:
    return world.conf(vlan=100, ipam={"type": "host-local", "subnet": "10.1.0.0/16"}, **keys)


def test_a_delegates_addresses_are_the_interfaces(world: World, ipam: HostLocal) -> None:
    before = world.snapshot()
    added = world.call("ADD", conf(world), args="IgnoreUnknown=1;K8S_POD_NAME=web;FOO=bar")

    assert [ip["address"] for ip in added.document["ips"]] == ["10.1.0.5/16", "fd01::5/64"]
    assert added.document["routes"] == [{"dst": "10.0.0.0/8", "gw": "10.1.0.1"}]
    assert added.document["dns"] == {"domain": "a"}
    (link,) = [
        link
        for link in world.snapshot()["kernel"]["pods"]["/run/netns/pod1"]["links"]
        if link["name"] == "net1"
    ]
    assert link["addresses"] == ["10.1.0.5/16", "fd01::5/64"]
    call = ipam.calls[0]
    assert call["up"], "dhcp needs the interface in the netns, and UP"
    assert call["conf"]["ipam"] == {"type": "host-local", "subnet": "10.1.0.0/16"}
    assert call["env"]["CNI_ARGS"] == "IgnoreUnknown=1;K8S_POD_NAME=web;FOO=bar"
    assert call["env"]["CNI_NETNS"] == "/run/netns/pod1"
    assert world.call("CHECK", conf(world)).code == 0
    assert world.call("DEL", conf(world), netns="").code == 0
    assert (ipam.verbs, ipam.held) == (["ADD", "CHECK", "DEL"], set())
    assert world.snapshot() == before


def test_a_failed_delegate_is_deleted_and_its_error_passed_on(world: World, ipam: HostLocal) -> None:
    before = world.snapshot()
    ipam.fails["ADD"] = json.dumps(
        {"cniVersion": "1.0.0", "code": 11, "msg": "no addresses left", "details": "sorry"}
    )

    failed = world.call("ADD", conf(world))

    assert (failed.code, failed.text) == (11, "ipam host-local: no addresses left | sorry")
    assert ipam.verbs == ["ADD", "DEL"]
    assert world.snapshot() == before


@pytest.mark.parametrize(("told", "code"), [(2, 2), (11, 11), (99, 99), (100, 5), (103, 5), (999, 5)])
def test_a_delegates_own_codes_are_not_taken_for_ours(
    world: World, ipam: HostLocal, told: int, code: int
) -> None:
    """From 100 on each plugin has its own; skel's 999 would read as a bug of ours."""
    ipam.fails["ADD"] = json.dumps({"code": told, "msg": "no addresses left"})

    failed = world.call("ADD", conf(world))

    assert (failed.code, "no addresses left" in failed.text) == (code, True)
    assert (str(told) in failed.text) == (told >= 100)


def test_a_delegate_that_fails_its_delete_too_does_not_keep_the_vf(world: World, ipam: HostLocal) -> None:
    """host-local without ranges: it can read its conf neither for ADD nor for DEL."""
    before = world.snapshot()
    ipam.fails |= {
        verb: json.dumps({"code": 999, "msg": "no IP ranges specified"}) for verb in ("ADD", "DEL")
    }

    failed = world.call("ADD", conf(world))

    assert (failed.code, "no IP ranges" in failed.text) == (5, True)
    assert ipam.verbs == ["ADD", "DEL"]
    assert world.snapshot() == before


@pytest.mark.parametrize(
    "answer", ["", "garbage", "[]", "{}", '{"ips": [{"address": "x"}]}', '{"ips": 7}', '{"ips": [{}]}']
)
def test_a_delegate_that_answers_nonsense_is_undone(world: World, ipam: HostLocal, answer: str) -> None:
    before = world.snapshot()
    ipam.said = answer

    failed = world.call("ADD", conf(world))

    assert failed.code == 5
    assert ipam.verbs == ["ADD", "DEL"]
    assert world.snapshot() == before


def test_an_old_delegate_answers_by_family(world: World, ipam: HostLocal) -> None:
    added = world.call("ADD", conf(world, cniVersion="0.2.0"))
    assert added.document["ip4"] == {
        "ip": "10.1.0.5/16",
        "gateway": "10.1.0.1",
        "routes": [{"dst": "10.0.0.0/8", "gw": "10.1.0.1"}],
    }


def test_a_failing_delete_keeps_the_record_for_the_next(world: World, ipam: HostLocal) -> None:
    before = world.snapshot()
    assert world.call("ADD", conf(world)).code == 0
    ipam.fails["DEL"] = "not json"

    failed = world.call("DEL", conf(world))

    assert (failed.code, "ended with status 1" in failed.text) == (5, True)
    ipam.fails.clear()
    assert world.call("DEL", conf(world)).code == 0
    assert (ipam.held, world.snapshot()) == (set(), before)


def test_a_reclaimed_vf_gives_its_foreign_address_back(world: World, ipam: HostLocal) -> None:
    assert world.call("ADD", conf(world)).code == 0
    world.kernel.kill_netns("/run/netns/pod1")
    world.kernel.add_pod("/run/netns/pod2")
    assert world.call("ADD", world.conf(deviceID="0000:01:10.0"), "c2", "/run/netns/pod2").code == 0
    assert (ipam.held, ipam.verbs) == (set(), ["ADD", "DEL"])


def test_gc_and_status_are_forwarded(world: World, ipam: HostLocal) -> None:
    new = conf(world, cniVersion="1.1.0", **{"cni.dev/valid-attachments": []})
    assert world.call("STATUS", new, "", "", "").code == 0
    assert world.call("GC", new, "", "", "").code == 0
    ipam.fails["STATUS"] = json.dumps({"code": 50, "msg": "empty"})
    assert world.call("STATUS", new, "", "", "").code == 50
    assert ipam.verbs == ["STATUS", "GC", "STATUS"]


@pytest.mark.parametrize("name", ["nothere", "../host-local", "", "a/b"])
def test_a_delegate_that_is_not_there_is_code_7_and_nothing_changes(
    world: World, ipam: HostLocal, name: str
) -> None:
    before = world.snapshot()
    assert world.call("ADD", world.conf(ipam={"type": name, "x": 1})).code == 7
    assert (ipam.calls, world.snapshot()) == ([], before)


def test_a_chain_before_us_is_passed_on(world: World) -> None:
    prev = {
        "cniVersion": "1.0.0",
        "interfaces": [{"name": "lo"}, {"name": "eth0"}],
        "ips": [{"address": "192.0.2.1/24", "interface": 1}],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dns": {"domain": "prev"},
    }
    document = world.call("ADD", world.conf(ipam=world.ipam(), prevResult=prev)).document
    assert [entry["name"] for entry in document["interfaces"]] == ["lo", "eth0", "net1"]
    assert [(ip["address"], ip["interface"]) for ip in document["ips"]] == [
        ("192.0.2.1/24", 1),
        ("10.10.0.2/24", 2),
    ]
    assert (document["routes"], document["dns"]) == ([{"dst": "0.0.0.0/0"}], {"domain": "prev"})


@pytest.mark.parametrize(("bits", "mbits"), [(1, 1), (1_000_000, 1), (1_000_001, 2), (100_000_000, 100)])
def test_egress_bandwidth_is_the_vfs_rate(world: World, bits: int, mbits: int) -> None:
    keys = {
        "max_tx_rate": 500,
        "runtimeConfig": {"bandwidth": {"egressRate": bits, "ingressRate": 7, "egressBurst": 9}},
    }
    assert world.call("ADD", world.conf(**keys)).code == 0
    assert world.kernel.pfs[0].vfs[0].state.max_tx_rate == mbits


def test_runtime_dns_beats_the_confs_and_the_ipams(world: World) -> None:
    given = {"servers": ["192.0.2.53"], "searches": ["a.example"], "options": []}
    reply = world.call(
        "ADD",
        world.conf(dns={"domain": "b"}, runtimeConfig={"dns": given}, ipam=world.ipam(dns={"domain": "c"})),
    )
    assert reply.document["dns"] == {"nameservers": ["192.0.2.53"], "search": ["a.example"]}


@pytest.mark.parametrize(
    "bad",
    [{"bandwidth": 7}, {"bandwidth": {"egressRate": -1}}, {"bandwidth": {"egressRate": 1.5}}, {"dns": 7}],
)
def test_malformed_capabilities_are_code_7(world: World, bad: dict[str, Any]) -> None:
    assert world.call("ADD", world.conf(runtimeConfig=bad)).code == 7


def test_it_gets_the_conf_as_it_came_whatever_the_spelling(world: World, ipam: HostLocal) -> None:
    """SPEC 1.1.0, section 4: ours read keys in any case and leave nulls out; that is not for others to see."""
    given = world.conf(Vlan=100, mtu=None) | {"mac": None, "IPAM": {"Type": "host-local", "Subnet": None}}
    before = world.snapshot()

    codes = [world.call(verb, given).code for verb in ("ADD", "CHECK", "DEL")]

    assert (codes, world.snapshot()) == ([0, 0, 0], before)
    assert [call["conf"] for call in ipam.calls] == [given] * 3


def test_a_delegate_that_cannot_be_started_just_now_gets_its_delete_all_the_same(
    world: World, ipam: HostLocal
) -> None:
    """It failed its ADD, and there was no memory to start it for the DEL: it may have given something out before."""
    before, refused = world.snapshot(), ["start"]
    ipam.fails = {"ADD": json.dumps({"code": 11, "msg": "half done", "details": ""})}

    def start(executable: str, env: dict[str, str], stdin: str) -> tuple[int, str]:
        if env["CNI_COMMAND"] == "DEL" and refused:
            raise TryAgain(f"{refused.pop()} {executable}: Cannot allocate memory")
        return ipam(executable, env, stdin)

    world.plugins = start

    assert world.call("ADD", conf(world)).code == 11
    assert (ipam.verbs, world.snapshot()) == (["ADD", "DEL"], before)
