"""The bundle as it is installed, on real netns, netlink and files; veth ends stand in for the card (rig.py)."""

from __future__ import annotations

import random
import time
from ipaddress import ip_interface
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.rig import BUNDLE, Rig, answer_of, call, conf, vf_pci

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.root, pytest.mark.bundle]
MANY = 32


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    assert BUNDLE.exists(), "no bundle: run `make build`"
    with Rig(vfs=MANY) as rig:
        for index in range(MANY):
            rig.add_pod(f"pod{index}")
        yield rig


def pod(index: int) -> str:
    return f"/run/netns/pod{index}"


def shown(rig: Rig, name: str) -> dict[str, Any]:
    """What `ip` tells of net1 in the pod, without what differs from run to run."""
    link = rig.ip("-n", name, "addr", "show", "dev", "net1")[0]
    v4 = [f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"] if a["family"] == "inet"]
    routes = [(r["dst"], r.get("gateway"), r["dev"]) for r in rig.ip("-n", name, "route", "show")]
    return {
        "mac": link["address"],
        "mtu": link["mtu"],
        "up": "UP" in link["flags"],
        "v4": v4,
        "routes": routes,
    }


def test_one_vf_goes_into_the_pod_and_comes_back(rig: Rig) -> None:
    before = rig.links()
    vf = next(link for link in before if link.name == "vf3")
    routes = [{"dst": "10.99.0.0/16"}]
    pools = [{"subnet": "10.30.0.0/16", "prefixLength": 24}]
    mine = conf(deviceID=vf_pci(3), ipam={"type": "host-subnet", "pools": pools, "routes": routes})

    added = rig.answer(call("ADD", "one", pod(0), mine))
    seen, host = shown(rig, "pod0"), [link.name for link in rig.links()]
    checked = rig.answer(call("CHECK", "one", pod(0), mine | {"prevResult": added[1]}))
    deleted = rig.answer(call("DEL", "one", pod(0), mine))

    assert added == (
        0,
        {
            "cniVersion": "1.0.0",
            "interfaces": [{"name": "net1", "mac": vf.mac, "sandbox": pod(0)}],
            "ips": [{"address": "10.30.0.2/24", "gateway": "10.30.0.1", "interface": 0}],
            "routes": [{"dst": "10.99.0.0/16", "gw": "10.30.0.1"}],
            "dns": {},
        },
    )
    connected = [("10.30.0.0/24", None, "net1"), ("10.99.0.0/16", "10.30.0.1", "net1")]
    assert seen == {"mac": vf.mac, "mtu": 1500, "up": True, "v4": ["10.30.0.2/24"], "routes": connected}
    assert host == [link.name for link in before if link.name != "vf3"]
    assert (checked, deleted) == ((0, None), (0, None))
    assert rig.links() == before
    assert rig.leftovers() == []


def test_a_mac_of_the_hosts_own_interfaces_is_theirs(rig: Rig) -> None:
    """The host's end of a container's veth; the other end is none of its own."""
    rig.run("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1", "netns", "wire")
    try:
        (near,), (far,) = (
            rig.ip("link", "show", "dev", "lan0"),
            rig.ip("-n", "wire", "link", "show", "dev", "lan1"),
        )
        refused, other = (
            rig.answer(call("ADD", "mac", pod(0), conf(mac=link["address"])))[1] for link in (near, far)
        )
        assert (refused["code"], "interface lan0 of the host has it" in refused["msg"]) == (103, True), (
            refused
        )
        assert other["code"] == 101, "veth ends list no VFs: it went that far"
    finally:
        rig.run("ip", "link", "del", "lan0")
    assert rig.leftovers() == []


def test_check_sees_what_was_changed_in_the_pod(rig: Rig) -> None:
    added = rig.answer(call("ADD", "drift", pod(0), conf()))
    mine = conf() | {"prevResult": added[1]}
    address = added[1]["ips"][0]["address"]
    rig.run("ip", "-n", "pod0", "addr", "del", address, "dev", "net1")

    status, error = rig.answer(call("CHECK", "drift", pod(0), mine))
    rig.answer(call("DEL", "drift", pod(0), mine))

    assert status == 1
    assert address.partition("/")[0] in error["msg"] + error.get("details", "")
    assert rig.leftovers() == []


def test_the_plugins_own_netns_is_refused_unless_that_is_meant(rig: Rig) -> None:
    before, mine = rig.links(), conf(deviceID=vf_pci(0), ipam={})

    def ask(verb: str, container: str, override: str) -> tuple[int, Any]:
        given = call(verb, container, "/proc/self/ns/net", mine)
        status, answer = rig.answer(given._replace(env=given.env | {"CNI_NETNS_OVERRIDE": override}))
        return (answer["code"] if status else 0), answer

    assert [ask("ADD", "own", word)[0] for word in ("", "0", "no")] == [8, 8, 8]
    assert (rig.links(), rig.leftovers()) == (before, [])

    code, added = ask("ADD", "own", "true")

    assert code == 0, added
    (link,) = rig.ip("link", "show", "dev", "net1")
    assert link["address"] == added["interfaces"][0]["mac"]
    assert ask("DEL", "own", "1") == (0, None)
    assert (rig.links(), rig.leftovers()) == (before, [])


def test_the_log_has_the_trace_and_what_the_level_lets_through(rig: Rig) -> None:
    """One level after the other in one file; a call at "none" says nothing."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"  # W3C Trace Context, its own example
    told = {}
    for level in ("debug", "info", "warning", "error", "none"):
        log = f"/run/{level}.log"
        for verb in ("ADD", "DEL"):
            given = call(verb, "traced", pod(0), conf(logFile=log, logLevel=level, deviceID=vf_pci(0)))
            status, answer = rig.answer(given._replace(env=given.env | {"TRACEPARENT": trace}))
            assert status == 0, answer
        lines = rig.run("cat", log).splitlines()
        assert all(f" traceparent={trace} " in line for line in lines), lines
        told[level] = {line.partition(" level=")[2].partition(" ")[0] for line in lines}

    assert "info" in told["info"]
    assert told["info"] <= {"info", "warning", "error"}
    assert (told["warning"] <= {"warning", "error"}, told["error"], told["none"]) == (True, set(), set())
    assert told["debug"] >= told["info"]


def test_many_at_once_get_disjoint_subnets_and_leave_nothing(rig: Rig) -> None:
    """All 32 VFs; each call picks its own, and the one after the last is told that there is none."""
    before = rig.links()
    adds = [rig.start(call("ADD", f"many{i}", pod(i), conf())) for i in range(MANY)]
    added = [answer_of(process) for process in adds]
    status, refused = rig.answer(call("ADD", "toomany", pod(0), conf(), ifname="net2"))
    rig.answer(call("DEL", "toomany", pod(0), conf(), ifname="net2"))  # as runtimes do
    seen = [shown(rig, f"pod{i}")["v4"] for i in range(MANY)]
    dels = [rig.start(call("DEL", f"many{i}", pod(i), conf())) for i in range(MANY)]
    deleted = [answer_of(process) for process in dels]

    assert [code for code, _ in added] == [0] * MANY
    subnets = [ip_interface(answer["ips"][0]["address"]).network for _, answer in added]
    assert len({*subnets}) == MANY
    assert not any(a.overlaps(b) for i, a in enumerate(subnets) for b in subnets[:i])
    assert len({answer["interfaces"][0]["mac"] for _, answer in added}) == MANY
    assert seen == [[answer["ips"][0]["address"]] for _, answer in added]
    assert (status, refused["code"]) == (1, 11)
    assert deleted == [(0, None)] * MANY
    assert rig.links() == before
    assert rig.leftovers() == []


def test_delete_after_a_kill_anywhere_in_an_add_leaves_nothing(rig: Rig) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")  # pytest shows it if the test fails
    chance = random.Random(seed)
    before = rig.links()

    for round_number in range(20):
        process = rig.start(call("ADD", "killed", pod(1), conf()))
        time.sleep(chance.uniform(0.005, 0.08))
        process.kill()
        process.communicate()
        held = rig.leftovers()

        deleted = rig.answer(call("DEL", "killed", pod(1), conf()))

        assert deleted == (0, None), f"round {round_number}, the killed ADD had left {held}"
        assert (rig.links(), rig.leftovers()) == (before, []), f"round {round_number}, had left {held}"


def test_add_after_a_killed_add_takes_back_what_that_one_left(rig: Rig) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    before = rig.links()

    for round_number in range(10):
        process = rig.start(call("ADD", "again", pod(2), conf()))
        time.sleep(chance.uniform(0.005, 0.05))
        process.kill()
        process.communicate()
        status, answer = rig.answer(call("ADD", "again", pod(2), conf()))
        rig.answer(call("DEL", "again", pod(2), conf()))

        # 106: it was through with its work when the signal came
        assert status == 0 or answer["code"] == 106, f"round {round_number}: {answer}"
        assert (rig.links(), rig.leftovers()) == (before, [])
