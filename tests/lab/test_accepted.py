"""Issue 7 on the card: what is stacked on a VF, who hears of an address, who has it, and cnitool.

Written from the issue's text. What is expected comes from `ip -j`, tcpdump and libcni (Debian's cnitool) in the guest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from .node import CONF, PLUGIN_DIR, Node, Reply
from .vm import PORTS

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

VF, VF_NAME = "0000:01:10.0", f"{PORTS[0]}v0"
BY_ADDRESS = CONF | {"deviceID": VF}
MAC = "02:00:00:00:aa:01"


def must(reply: Reply) -> Reply:
    assert reply.code == 0, reply.text
    return reply


# 8: stacked on the VF ------------------------------------------------------------------------------------------------

STACKS = {
    "a VLAN": "ip -n c1 link add link net1 name st0 type vlan id 7",
    "a macvlan": "ip -n c1 link add link net1 name st0 type macvlan mode bridge",
    "a macvlan in passthru mode": "ip -n c1 link add link net1 name st0 type macvlan mode passthru",
    "an ipvlan": "ip -n c1 link add link net1 name st0 type ipvlan",
    "a VLAN on a VLAN": "ip -n c1 link add link net1 name st1 type vlan id 7;"
    "ip -n c1 link add link st1 name st0 type vlan id 8; ip -n c1 link set st1 up",
}
PASSTHRU_LATER = "ip -n c1 link set st0 netns other; ip -n other link set st0 up"


def stacked(node: Node, commands: str) -> None:
    node.add_netns("c1", "c2", "other")
    must(node.cni("ADD", BY_ADDRESS, "c1"))
    node.vm.run(f"{commands}; ip -n c1 link set st0 up; ip -n c1 addr add 10.99.0.1/24 dev st0")


def is_clean(node: Node) -> None:
    """The VF is home, as it was called, and nothing holds on to it."""
    vf = node.links()[VF]
    assert (vf["ifname"], vf.get("promiscuity", 0), vf.get("allmulti", 0)) == (VF_NAME, 0, 0)


@pytest.mark.parametrize("commands", STACKS.values(), ids=STACKS)
def test_what_a_container_stacks_on_its_vf_goes_with_it(node: Node, commands: str) -> None:
    """The container lives on after DEL, and the next one has the VF."""
    stacked(node, commands)

    must(node.cni("DEL", BY_ADDRESS, "c1"))

    assert set(node.links("c1")) == {"lo"}
    is_clean(node)
    must(node.cni("ADD", BY_ADDRESS, "c2"))
    must(node.cni("DEL", BY_ADDRESS, "c2"))


@pytest.mark.parametrize("kind", ["macvlan mode bridge", "macvlan mode passthru", "vlan id 7"])
def test_nor_does_it_keep_it_from_another_netns(node: Node, kind: str) -> None:
    stacked(node, f"ip -n c1 link add link net1 name st0 type {kind}")
    node.vm.run(PASSTHRU_LATER)

    must(node.cni("DEL", BY_ADDRESS, "c1"))

    assert set(node.links("other")) == {"lo"}
    is_clean(node)
    must(node.cni("ADD", BY_ADDRESS, "c2"))
    must(node.cni("DEL", BY_ADDRESS, "c2"))


@pytest.mark.parametrize("kind", ["macvlan mode bridge", "vlan id 7"])
def test_a_vf_that_somebody_elsewhere_is_stacked_on_is_given_to_nobody(node: Node, kind: str) -> None:
    """From another netns the host's sysfs shows no upper_*. Refused, or made anew so that the other has nothing left."""
    node.add_netns("c1", "other")
    node.vm.run(f"ip link add link {VF_NAME} name st0 type {kind}; ip link set st0 netns other")

    reply = node.cni("ADD", BY_ADDRESS, "c1")

    left = set(node.links("other")) - {"lo"}
    if reply.code == 0:
        must(node.cni("DEL", BY_ADDRESS, "c1"))
        assert left == set()
    else:
        assert (reply.code in {7, 11}, left) == (True, {"st0"}), reply.text
    node.vm.run("ip netns del other")


# 14: an answer on the wire, and in the tables ------------------------------------------------------------------------

ANSWER = """\
#!/bin/sh
cat > /dev/null
[ $CNI_COMMAND != ADD ] || echo '{"cniVersion": "1.1.0", "ips": [IPS], "routes": [ROUTES]}'
"""


@pytest.fixture
def answer(node: Node) -> Iterator[Any]:
    def act(ips: list[Any], routes: list[Any]) -> dict[str, Any]:
        text = ANSWER.replace("[IPS]", json.dumps(ips)).replace("[ROUTES]", json.dumps(routes))
        node.vm.run("mkdir -p /opt/cni/bin")
        node.vm.put("/opt/cni/bin/answer", text, 0o755)
        return CONF | {"cniVersion": "1.1.0", "ipam": {"type": "answer"}}

    yield act
    node.vm.run("rm -f /opt/cni/bin/answer")


def test_an_address_of_a_foreign_ipam_is_announced(node: Node, answer: Any) -> None:
    """Seen by the other port of the wire, without `announceWait` and before anybody asks."""
    node.add_netns("c1")
    conf = answer([{"address": "10.3.0.7/24"}], [])
    capture = (
        f"setsid tcpdump -l -n -e -i {PORTS[1]} arp > /run/arp.log 2> /run/arp.err & echo $! > /run/arp.pid"
    )
    node.vm.run(f"ip link set {PORTS[1]} up; {capture}")
    node.wait_for(lambda: "listening" in node.vm.run("cat /run/arp.err").stdout)
    try:
        mac = must(node.cni("ADD", conf)).document["interfaces"][0]["mac"]

        def heard() -> bool:
            lines = node.vm.run("cat /run/arp.log").stdout.splitlines()
            return any(f" {mac} > " in f" {line}" and "10.3.0.7" in line for line in lines)

        node.wait_for(heard, 10)
    finally:
        node.vm.run("kill $(cat /run/arp.pid)")
    must(node.cni("DEL", conf))


def test_a_neighbour_of_a_reused_address_learns_the_new_mac(node: Node, answer: Any) -> None:
    node.add_netns("near", "c1", "c2")
    near = answer([{"address": "10.3.0.9/24"}], [])
    must(node.cni("ADD", near, "near"))
    conf = answer([{"address": "10.3.0.7/24"}], [])
    must(node.cni("ADD", conf | {"mac": MAC}, "c1"))
    assert node.pings_soon("near", "10.3.0.7")
    must(node.cni("DEL", conf, "c1"))
    assert MAC in node.vm.run("ip -n near neigh show 10.3.0.7").stdout

    must(node.cni("ADD", conf | {"mac": "02:00:00:00:aa:02"}, "c2"))

    shown = "ip -n near neigh show 10.3.0.7"
    node.wait_for(lambda: "02:00:00:00:aa:02" in node.vm.run(shown).stdout, 10)
    for container in ("near", "c2"):
        must(node.cni("DEL", conf, container))


def test_a_route_of_another_table_takes_no_traffic_from_the_main_one(node: Node, answer: Any) -> None:
    """The issue's: service traffic of a pod went from eth0 to net1."""
    node.add_netns("c1")
    node.vm.run(
        "ip -n c1 link add eth0 type dummy; ip -n c1 addr add 192.0.2.2/24 dev eth0; ip -n c1 link set eth0 up;"
        "ip -n c1 route add default via 192.0.2.1"
    )
    route = {"dst": "10.96.0.0/12", "gw": "10.3.0.1", "table": 100}
    conf = answer([{"address": "10.3.0.7/24", "gateway": "10.3.0.1"}], [route])

    added = must(node.cni("ADD", conf))

    assert node.vm.json("ip -n c1 -j route get 10.96.0.1")[0]["dev"] == "eth0"
    (held,) = node.vm.json("ip -n c1 -j route show table 100")
    assert (held["dst"], held["gateway"], held["dev"]) == ("10.96.0.0/12", "10.3.0.1", "net1")
    assert [told.get("table") for told in added.document["routes"]] == [100]
    must(node.cni("CHECK", conf | {"prevResult": added.document}))
    must(node.cni("DEL", conf))


# 6, 7: the dead ------------------------------------------------------------------------------------------------------

POOL = {"subnet": "10.10.0.0/16", "prefixLength": 24}
WEB = "IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=web"


def test_what_a_dead_container_had_is_had_by_who_asks_for_it(node: Node) -> None:
    node.add_netns("c1", "c2")
    ipam = {"type": "host-subnet", "pools": [POOL], "sticky": True}
    conf = CONF | {"ipam": ipam, "runtimeConfig": {"mac": MAC}}
    first = must(node.cni("ADD", conf, "c1", args=WEB))
    node.vm.run("ip netns del c1")
    node.wait_for(lambda: VF in node.links())

    again = must(node.cni("ADD", conf, "c2", args=WEB))

    assert (again.addresses, again.document["interfaces"][0]["mac"]) == (first.addresses, MAC)
    asked = conf | {"runtimeConfig": {"mac": MAC, "ips": first.addresses}}
    node.add_netns("c3")
    refused = node.cni("ADD", asked, "c3")
    assert (refused.code in {103, 104}, "c2" in refused.text) == (True, True), refused.text
    must(node.cni("DEL", conf, "c2"))
    node.vm.run("rm -rf /var/lib/cni/host-subnet /run/cni-sriov/subnets")


def test_five_bridge_containers_that_died_fill_no_pool_of_four(node: Node) -> None:
    """Each new netns gets the inode number of the one before."""
    node.install()
    four = {
        "type": "host-subnet",
        "pools": [{"subnet": "10.40.0.0/22", "prefixLength": 24, "gateway": "none"}],
    }
    conf = {"cniVersion": "1.0.0", "name": "br", "type": "bridge", "bridge": "br7", "ipam": four}
    codes = []
    for n in range(5):
        node.add_netns(f"b{n}")
        codes.append(node.cni("ADD", conf, f"b{n}", plugin="/usr/lib/cni/bridge").code)
        if n < 4:
            node.vm.run(f"ip netns del b{n}")

    assert codes == [0] * 5
    assert node.cni("DEL", conf, "b4", plugin="/usr/lib/cni/bridge").code == 0
    node.vm.run(f"{PLUGIN_DIR}/sriovctl gc; ip link del br7")


# 1, 2, 5: the real runtime library -----------------------------------------------------------------------------------

NET_D = "/run/accepted.d"
CNITOOL = {"CNI_PATH": f"{PLUGIN_DIR}:/usr/lib/cni", "NETCONFPATH": NET_D, "CNI_IFNAME": "net1"}


@pytest.fixture
def net_d(node: Node) -> Iterator[Any]:
    def put(conf: dict[str, Any]) -> str:
        node.vm.run(f"rm -rf {NET_D}; mkdir -p {NET_D}")
        node.vm.put(f"{NET_D}/10-x.conflist", json.dumps(conf))
        return f"{NET_D}/10-x.conflist"

    yield put
    node.vm.run(f"rm -rf {NET_D} /var/lib/cni/results")


@pytest.mark.parametrize(
    ("version", "args"),
    [
        ({"cniVersion": "1.0.0"}, "IgnoreUnknown=true;K8S_POD_NAME=p;IgnoreUnknown=1;K8S_POD_NAME=p"),
        ({}, ""),
        ({"cniVersion": ""}, "IgnoreUnknown=1;FOO=a;FOO=b"),
    ],
    ids=["doubled args", "no cniVersion", "an empty one"],
)
def test_cnitool_adds_and_deletes(node: Node, net_d: Any, version: dict[str, str], args: str) -> None:
    node.add_netns("c1")
    file = net_d(version | {"name": "x", "plugins": [{"type": "sriov", "master": PORTS[0]}]})
    env = CNITOOL | ({"CNI_ARGS": args} if args else {})
    assert node.vm.run(f"{PLUGIN_DIR}/sriovctl validate {file}", check=False).returncode == 0

    for verb in ("add", "del"):
        done = node.vm.run(f"cnitool {verb} x /run/netns/c1", check=False, env=env)
        assert done.returncode == 0, done.stdout + done.stderr


SRIOV = {"type": "sriov", "master": PORTS[0]}
NO_CONFS: dict[str, dict[str, Any]] = {
    "dns of one string": {"plugins": [SRIOV | {"dns": {"nameservers": "10.0.0.1"}}]},
    "a capability of text": {"plugins": [SRIOV | {"capabilities": {"mac": "yes"}}]},
    "a plugin without a type": {"plugins": [SRIOV, {"name": "t"}]},
    "dns of another plugin": {"plugins": [SRIOV, {"type": "tuning", "dns": {"search": "a"}}]},
    "disableCheck": {"plugins": [SRIOV], "disableCheck": "adsf"},
    "no plugins": {"plugins": []},
}


@pytest.mark.parametrize("keys", NO_CONFS.values(), ids=NO_CONFS)
def test_validate_refuses_what_cnitool_refuses(node: Node, net_d: Any, keys: dict[str, Any]) -> None:
    node.add_netns("c1")
    file = net_d({"cniVersion": "1.0.0", "name": "x"} | keys)

    by_libcni = node.vm.run("cnitool add x /run/netns/c1", check=False, env=CNITOOL)
    by_us = node.vm.run(f"{PLUGIN_DIR}/sriovctl validate {file}", check=False)

    assert (by_libcni.returncode == 0, by_us.returncode) == (False, 1), by_libcni.stderr + by_us.stdout
    assert "pars" in by_libcni.stdout + by_libcni.stderr, "it is libcni that refuses"
