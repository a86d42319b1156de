"""Chains and delegation with Debian's real plugins: what they promise happens, CHECK stays clean, DEL puts all back.

Chains go through cnitool, the real runtime library. What is expected comes from `ip` and files in the guest.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from .guest import Done
from .node import CONF, PLUGIN_DIR, Node, Reply
from .vm import PORTS

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

V4: dict[str, Any] = {"subnet": "10.10.0.0/16", "prefixLength": 24}
V6: dict[str, Any] = {"subnet": "fd00:10::/48", "prefixLength": 64}
IPAM: dict[str, Any] = {"type": "host-subnet", "pools": [V4, V6], "onlink": True}
NET_D = "/etc/cni/net.d"
PF = "0000:01:00.0"
HOST_LOCAL = "/run/host-local"
DEFAULT_RULES = {"0", "32766", "32767"}


class Chain:
    """A conflist with sriov first, run for the netns c1 by cnitool."""

    def __init__(self, node: Node, *later: dict[str, Any], **keys: Any) -> None:
        self.node = node
        first = {"type": "sriov", "master": PORTS[0], "vlan": 100, "ipam": IPAM} | keys
        conflist = {"cniVersion": "1.0.0", "name": "chain", "plugins": [first, *later]}
        node.add_netns("c1")
        node.vm.run(f"mkdir -p {NET_D}")
        node.vm.put(f"{NET_D}/10-chain.conflist", json.dumps(conflist))

    def run(self, verb: str, check: bool = True) -> Done:
        env = {"CNI_PATH": f"{PLUGIN_DIR}:/usr/lib/cni", "NETCONFPATH": NET_D, "CNI_IFNAME": "net1"}
        return self.node.vm.run(f"cnitool {verb} chain /run/netns/c1", check=check, env=env)

    def add(self) -> dict[str, Any]:
        return dict(json.loads(self.run("add").stdout))

    def drift(self) -> str:
        """What CHECK says that is wrong; "" = nothing."""
        done = self.run("check", check=False)
        return done.stdout + done.stderr if done.returncode else ""

    def delete(self) -> None:
        self.run("del")
        assert set(self.node.links("c1")) == {"lo"}
        self.node.vm.run("rm -rf /var/lib/cni/results")


def routes(node: Node, table: str, family: int = 4) -> set[str]:
    return {
        route["dst"] for route in node.vm.json(f"ip -n c1 -{family} -j route show table {table} dev net1")
    }


def test_tuning_changes_what_it_likes_and_check_still_finds_drift(node: Node) -> None:
    """IPv4 alone: a promiscuous port of QEMU's igb hears its own neighbour solicitation, and DAD fails."""
    tuning = {
        "type": "tuning",
        "sysctl": {"net.ipv4.conf.net1.arp_filter": "1"},  # its CHECK knows no IFNAME
        "mac": "02:00:00:00:cc:01",
        "mtu": 1400,
        "promisc": True,
    }
    chain = Chain(node, tuning, ipam=IPAM | {"pools": [V4]})

    added = chain.add()

    assert added["interfaces"][0]["mac"] == "02:00:00:00:cc:01"
    link = node.links("c1")["0000:01:10.0"]
    assert (link["address"], link["mtu"], "PROMISC" in link["flags"]) == ("02:00:00:00:cc:01", 1400, True)
    assert node.vm.run("ip netns exec c1 sysctl -n net.ipv4.conf.net1.arp_filter").stdout == "1\n"
    assert chain.drift() == ""
    node.vm.run("ip -n c1 route del 10.10.0.0/16")
    assert "route 10.10.0.0/16 is missing" in chain.drift()
    chain.delete()


def test_what_tuning_left_when_its_delete_never_came_does_not_stay(node: Node) -> None:
    """The netns dies first: a later DEL of the chain finds only what we recorded."""
    tuning = {"type": "tuning", "mac": "02:00:00:00:cc:01", "mtu": 1400, "promisc": True, "allmulti": True}
    chain = Chain(node, tuning, ipam={})
    chain.add()
    node.vm.run("ip netns del c1")
    node.wait_for(lambda: "0000:01:10.0" in node.links())

    assert node.cni("DEL", CONF | {"name": "chain"}, container_of(node), netns="").code == 0

    node.vm.run("rm -rf /var/lib/cni/results /run/cni/tuning")


def container_of(node: Node) -> str:
    """The name that cnitool made up for the netns."""
    (name,) = node.vm.run("ls /var/lib/cni/sriov").stdout.split()
    return name.partition("@")[0]


def test_sbr_moves_the_routes_and_check_finds_them(node: Node) -> None:
    chain = Chain(node, {"type": "tuning", "mtu": 1400}, {"type": "sbr"})

    chain.add()

    assert routes(node, "main") == set()
    assert routes(node, "100") == {"default", "10.10.0.0/16", node.addresses("c1")[0].replace(".2/", ".0/")}
    assert "fd00:10::/48" in routes(node, "101", 6)
    assert chain.drift() == ""
    node.vm.run("ip -n c1 route del 10.10.0.0/16 table 100")
    assert "route 10.10.0.0/16 is missing" in chain.drift()
    chain.delete()
    rules = node.vm.run("ip -n c1 rule").stdout.splitlines()
    assert {rule.partition(":")[0] for rule in rules} == DEFAULT_RULES


def test_portmap_and_firewall_pass_through(node: Node) -> None:
    chain = Chain(node, {"type": "portmap", "capabilities": {"portMappings": True}}, {"type": "firewall"})

    added = chain.add()

    assert [ip["address"] for ip in added["ips"]] == node.addresses("c1")
    assert [entry["name"] for entry in added["interfaces"]] == ["net1"]
    assert chain.drift() == ""
    chain.delete()


def test_bandwidth_passes_through_but_for_its_check(node: Node) -> None:
    """Whoever upgrades it to one that knows VFs may drop the sentence in docs/configuration.md."""
    chain = Chain(node, {"type": "bandwidth", "capabilities": {"bandwidth": True}})

    added = chain.add()

    assert [entry["name"] for entry in added["interfaces"]] == ["net1"]
    assert "no veth peer" in chain.drift()
    chain.delete()


def test_device_info(node: Node) -> None:
    """As Multus asks for it: below /var/run, which is a symlink, in a directory that is not there yet."""
    node.add_netns("c1")
    top = "/var/run/k8s.cni.cncf.io"
    path = f"{top}/devinfo/cni/fast-c1_net1"
    conf = CONF | {"vlan": 100, "runtimeConfig": {"CNIDeviceInfoFile": path}}

    added = node.cni("ADD", conf)

    assert added.code == 0, added.text
    (vf,) = (pci for pci in node.links("c1") if pci.startswith("0000:"))
    told = {"type": "pci", "version": "1.1.0", "pci": {"pci-address": vf, "pf-pci-address": PF}}
    assert json.loads(node.vm.get(path)) == told
    assert node.vm.run(f"stat -c %a {path} {top}/devinfo/cni").stdout.split() == ["644", "755"]
    assert node.cni("DEL", CONF, netns="").code == 0
    assert node.vm.run(f"find {top} -type f").stdout == ""

    another = told | {"pci": {"pci-address": "0000:01:10.2"}}
    node.vm.put(path, json.dumps(another))
    refused = node.cni("ADD", conf | {"master": None, "deviceID": vf})
    assert (refused.code, path in refused.text) == (7, True), refused.text
    assert json.loads(node.vm.get(path)) == another

    for elsewhere in ("/etc/cron.d/x", f"{top}/x"):
        refused = node.cni("ADD", conf | {"runtimeConfig": {"CNIDeviceInfoFile": elsewhere}})
        assert (refused.code, "deviceInfoDirs" in refused.text) == (7, True), refused.text
        assert node.vm.run(f"test -e {elsewhere}", check=False).returncode == 1
    node.vm.run(f"rm -r {top}")


# delegation ----------------------------------------------------------------------------------------------------------


def host_local(first: str = "10.1.0.10", last: str = "10.1.0.11") -> dict[str, Any]:
    pool = {"subnet": "10.1.0.0/16", "rangeStart": first, "rangeEnd": last, "gateway": "10.1.0.1"}
    return {
        "type": "host-local",
        "dataDir": HOST_LOCAL,
        "ranges": [[pool]],
        "routes": [{"dst": "10.2.0.0/16"}],
    }


def host_local_files(node: Node) -> set[str]:
    return set(node.vm.run(f"ls {HOST_LOCAL}/fast; true").stdout.split()) - {"lock", "last_reserved_ip.0"}


def test_host_local(node: Node) -> None:
    node.add_netns("c1", "c2", "c3")
    conf = CONF | {"vlan": 100, "ipam": host_local()}
    added = [node.cni("ADD", conf, container) for container in ("c1", "c2")]

    assert [reply.code for reply in added] == [0, 0], added[0].text + added[1].text
    assert [reply.addresses for reply in added] == [["10.1.0.10/16"], ["10.1.0.11/16"]]
    assert node.addresses("c2") == ["10.1.0.11/16"]
    assert host_local_files(node) == {"10.1.0.10", "10.1.0.11"}
    (route,) = node.vm.json("ip -n c1 -j route show 10.2.0.0/16")
    assert (route["gateway"], route["dev"]) == ("10.1.0.1", "net1")
    assert node.cni("CHECK", conf | {"prevResult": added[0].document}).code == 0

    card, files = node.card(), node.state_files()
    exhausted = node.cni("ADD", conf, "c3")
    assert (exhausted.code, "no IP addresses available" in exhausted.text) == (5, True), exhausted.text
    assert (node.card(), node.state_files(), set(node.links("c3"))) == (card, files, {"lo"})
    assert host_local_files(node) == {"10.1.0.10", "10.1.0.11"}

    node.vm.run(f"rm {HOST_LOCAL}/fast/10.1.0.10")
    lost = node.cni("CHECK", conf | {"prevResult": added[0].document})
    assert lost.code != 0, "CHECK is passed on"
    assert [node.cni("DEL", conf, container, netns="").code for container in ("c1", "c2", "c1")] == [0, 0, 0]
    assert host_local_files(node) == set()


def test_an_add_that_is_killed_gives_host_locals_address_back(node: Node) -> None:
    """The delegate has answered, and we die before its answer is of use to anybody."""
    node.add_netns("c1")
    late = "#!/bin/sh\n/usr/lib/cni/host-local; code=$?\n[ $CNI_COMMAND = ADD ] && echo > /run/there && sleep 5\nexit $code\n"
    node.vm.run("mkdir -p /opt/cni/bin; rm -f /run/there")
    node.vm.put("/opt/cni/bin/late-local", late, 0o755)
    conf = CONF | {"vlan": 100, "mac": "02:00:00:00:aa:01", "ipam": host_local() | {"type": "late-local"}}
    call = node.start("ADD", conf)
    node.wait_for(lambda: node.vm.run("test -e /run/there", check=False).returncode == 0)

    node.vm.run("kill -9 $(pidof sriov)")
    assert call.wait().exit_code != 0
    assert host_local_files(node) == {"10.1.0.10"}

    assert node.cni("DEL", conf).code == 0
    assert host_local_files(node) == set()


def test_static(node: Node) -> None:
    node.add_netns("c1")
    addresses = [{"address": "10.3.0.7/24", "gateway": "10.3.0.1"}, {"address": "fd03::7/64"}]
    routes = [{"dst": "0.0.0.0/0", "gw": "10.3.0.1"}, {"dst": "fd04::/64", "gw": "fd03::1"}]
    conf = CONF | {"vlan": 100, "ipam": {"type": "static", "addresses": addresses, "routes": routes}}
    added = node.cni("ADD", conf)

    assert added.code == 0, added.text
    assert node.addresses("c1") == ["10.3.0.7/24", "fd03::7/64"]
    assert node.vm.json("ip -n c1 -j route show default")[0]["gateway"] == "10.3.0.1"
    assert node.vm.json("ip -n c1 -6 -j route show fd04::/64")[0]["gateway"] == "fd03::1"
    checked = node.cni("CHECK", conf | {"prevResult": added.document})
    assert checked.code == 0, checked.text
    assert node.cni("DEL", conf).code == 0


ANSWERS = """\
#!/bin/sh
cat > /run/answers.$CNI_COMMAND
[ $CNI_COMMAND != ADD ] || cat /run/answer
"""


def test_routes_of_a_foreign_ipam_stand_where_they_were_told(node: Node) -> None:
    """The pod's service network stays on eth0, in the main table."""
    node.add_netns("c1")
    eth0 = "ip -n c1 link add eth0 type dummy; ip -n c1 link set eth0 up; ip -n c1 route add 10.96.0.0/12 dev eth0"
    node.vm.run(f"mkdir -p /opt/cni/bin; {eth0}")
    node.vm.put("/opt/cni/bin/answers", ANSWERS, 0o755)
    routes: list[dict[str, Any]] = [
        {"dst": "10.96.0.0/12", "table": 100, "mtu": 1400, "advmss": 1360},
        {"dst": "10.98.0.0/16", "table": 4000, "scope": 253, "priority": 7},
        {"dst": "fd07::5/64", "table": 100},
    ]
    ips = [{"address": "10.6.0.9/24", "gateway": "10.6.0.1"}, {"address": "fd06::9/64", "gateway": "fd06::1"}]
    node.vm.put("/run/answer", json.dumps({"cniVersion": "1.1.0", "ips": ips, "routes": routes}))
    conf = CONF | {
        "cniVersion": "1.1.0",
        "vlan": 100,
        "ipam": {"type": "answers"},
        "datastore_type": "kubernetes",
    }

    added = node.cni("ADD", conf)

    assert added.code == 0, added.text
    shown = [
        entry for v in "46" for entry in node.vm.json(f"ip -{v} -n c1 -N -j -d route show table all dev net1")
    ]
    told = {
        (route["dst"], int(route["table"])): {
            key: value for key, value in (route | route.get("metrics", [{}])[0]).items() if key in KEPT
        }
        for route in shown
        if route.get("table") in {"100", "4000"}
    }
    assert told == {
        ("10.96.0.0/12", 100): {"gateway": "10.6.0.1", "scope": "0", "mtu": 1400, "advmss": 1360},
        ("10.98.0.0/16", 4000): {"scope": "253", "metric": 7},
        ("fd07::/64", 100): {"gateway": "fd06::1", "scope": "0", "metric": 1024},
    }
    assert node.vm.json("ip -n c1 -j route get 10.96.0.1")[0]["dev"] == "eth0"
    checked = node.cni("CHECK", conf | {"prevResult": added.document})
    assert checked.code == 0, checked.text
    node.vm.run("ip -n c1 route del 10.96.0.0/12 table 100")
    drift = node.cni("CHECK", conf | {"prevResult": added.document})
    assert "route 10.96.0.0/12 via 10.6.0.1 table 100 mtu 1400 advmss 1360 is missing" in drift.text
    assert node.cni("DEL", conf).code == 0
    for verb in ("ADD", "CHECK", "DEL"):
        given = json.loads(node.vm.run(f"cat /run/answers.{verb}").stdout)
        assert (given["datastore_type"], given["vlan"]) == ("kubernetes", 100), verb


KEPT = {"gateway", "scope", "mtu", "advmss", "metric"}
UDHCPD = """\
start 10.5.0.50
end 10.5.0.60
interface net1
lease_file /run/udhcpd.leases
pidfile /run/udhcpd.pid
option subnet 255.255.255.0
option router 10.5.0.1
option lease 3600
"""


def test_dhcp(node: Node) -> None:
    """The daemon talks through the interface: it must be in the netns, UP, with the MAC that it will keep."""
    node.add_netns("c1", "server")
    static = {"type": "static", "addresses": [{"address": "10.5.0.1/24"}]}
    server = CONF | {"name": "server", "master": PORTS[1], "vlan": 100, "ipam": static}
    assert node.cni("ADD", server, "server").code == 0
    node.vm.put("/run/udhcpd.conf", UDHCPD)
    node.vm.run("touch /run/udhcpd.leases; ip netns exec server busybox udhcpd -S /run/udhcpd.conf")
    node.vm.run("mkdir -p /run/cni; setsid /usr/lib/cni/dhcp daemon > /run/dhcp.log 2>&1 &")
    node.wait_for(lambda: node.vm.run("test -S /run/cni/dhcp.sock", check=False).returncode == 0)
    conf = CONF | {"vlan": 100, "mac": "02:00:00:00:aa:05", "ipam": {"type": "dhcp"}}
    try:
        added = node.cni("ADD", conf)

        assert added.code == 0, added.text + node.vm.run("cat /run/dhcp.log").stdout
        (address,) = added.addresses
        assert address.startswith("10.5.0.5")
        assert node.addresses("c1") == [address]
        assert node.pings_soon("c1", "10.5.0.1")
        assert node.cni("DEL", conf).code == 0
        assert node.cni("DEL", server, "server").code == 0
    finally:
        node.vm.run("kill $(cat /run/udhcpd.pid); kill $(pidof dhcp); rm -rf /run/cni; true")


# GC and STATUS: cnitool 1.1.2 cannot call them -----------------------------------------------------------------------

NEW = CONF | {"cniVersion": "1.1.0"}
PROBE = """\
#!/bin/sh
conf=$(cat)
echo "$CNI_COMMAND $CNI_CONTAINERID" >> /run/probe.log
case "$CNI_COMMAND" in
ADD) echo '{"cniVersion": "1.1.0", "ips": [{"address": "10.6.0.9/24"}]}' ;;
STATUS) [ ! -e /run/probe.empty ] || { echo '{"cniVersion": "1.1.0", "code": 50, "msg": "pool is empty"}'; exit 1; } ;;
esac
"""


def gc(node: Node, conf: dict[str, Any], *keep: str) -> Reply:
    entries = [{"containerID": container, "ifname": "net1"} for container in keep]
    return node.cni("GC", conf | {"cni.dev/valid-attachments": entries}, "", netns="", ifname="")


def status(node: Node, conf: dict[str, Any]) -> Reply:
    return node.cni("STATUS", conf, "", netns="", ifname="")


def test_gc_and_status(node: Node) -> None:
    node.add_netns("c1", "c2")
    conf = NEW | {"vlan": 100, "ipam": IPAM}
    added = {container: node.cni("ADD", conf, container) for container in ("c1", "c2")}
    assert [reply.code for reply in added.values()] == [0, 0]
    assert added["c1"].document["interfaces"][0]["pciID"] == "0000:01:10.0"
    assert status(node, conf).document == {}

    assert (node.cni("GC", conf, "", netns="", ifname="").code, len(node.state_files())) == (0, 10)
    assert gc(node, conf, "c1").code == 0

    assert set(node.links("c2")) == {"lo"}
    assert node.links()["0000:01:10.2"]["ifname"] == "enp1s0f0v1"
    assert all("c2@" not in name for name in node.state_files())
    assert node.cni("CHECK", conf | {"prevResult": added["c1"].document}).code == 0
    assert [status(node, conf | {"master": name}).code for name in (PORTS[0], "gone0")] == [0, 51]
    assert gc(node, conf).code == 0
    assert status(node, conf | {"master": "gone0"}).code == 50


def test_gc_and_status_reach_a_foreign_ipam(node: Node) -> None:
    node.add_netns("c1")
    node.vm.run("mkdir -p /opt/cni/bin; rm -f /run/probe.*")
    node.vm.put("/opt/cni/bin/probe", PROBE, 0o755)
    conf = NEW | {"ipam": {"type": "probe"}}
    assert node.cni("ADD", conf).addresses == ["10.6.0.9/24"]
    assert status(node, conf).code == 0
    node.vm.run("touch /run/probe.empty")
    empty = status(node, conf)
    assert (empty.code, "pool is empty" in empty.text) == (50, True)

    assert gc(node, conf).code == 0

    calls = node.vm.run("cat /run/probe.log").stdout.split("\n")
    assert calls == ["ADD c1", "STATUS ", "STATUS ", "DEL c1", "GC ", ""]
    node.vm.run("rm -f /run/probe.* /opt/cni/bin/probe")
