"""Root of a pod means ill: what it does with the VF that it was given never reaches the host or the next pod.

Black box: what was before the pod, and what is after DEL, is told by `ip -j -d`, sysfs, `ip monitor` and udev's own
listener in the guest. What it stacks on its VF is in test_stacked.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .node import CONF, FULL, IPAM, Node
from .vm import PORTS

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

VF, OTHER, ROUTER = "0000:01:10.0", "0000:01:10.2", "0000:01:10.4"
HOME = f"{PORTS[0]}v0"
PLAIN: dict[str, Any] = CONF | {"master": None, "deviceID": VF, "ipam": IPAM}
IN_VLAN = PLAIN | {"vlan": 100, "trust": "on", "spoofchk": "off"}
LONG = "x" * 100  # an altname may have up to 127 bytes, a name 15
ADVERTISE = """
import socket, struct, sys, time
index = socket.if_nametoindex("net1")
prefix = struct.pack("!BBBBIII16s", 3, 4, 64, 0xC0, 1800, 600, 0, socket.inet_pton(socket.AF_INET6, "2001:db8:66::"))
advertisement = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix  # RFC 4861, 4.2 and 4.6.2
with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as link:
    link.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    for _ in range(int(sys.argv[1])):
        link.sendto(advertisement, ("ff02::1", 0, 0, index))
        time.sleep(float(sys.argv[2]))
"""


def attach(node: Node, conf: dict[str, Any], container: str = "c1", **rest: Any) -> list[str]:
    """ADD that has to work; the addresses that it was given."""
    added = node.cni("ADD", conf, container, **rest)
    assert added.code == 0, added.text
    return added.addresses


def detach(node: Node, conf: dict[str, Any], container: str = "c1", **rest: Any) -> str:
    """DEL that has to work; its log."""
    deleted = node.cni("DEL", conf, container, **rest)
    assert deleted.code == 0, deleted.text
    return deleted.log


def slaac(node: Node, device: str) -> list[str]:
    """What router advertisements gave an interface of the host."""
    found = node.vm.json(f"ip -6 -j addr show dev {device}")
    told = [address for entry in found for address in entry.get("addr_info", [])]
    return [address["local"] for address in told if address["scope"] == "global"]


# router advertisements ------------------------------------------------------------------------------------------------


@pytest.fixture
def router(node: Node) -> Iterator[Node]:
    """c1 and c2 have no VF yet; `ra` is a pod that can advertise once it has one."""
    node.vm.put("/root/advertise.py", ADVERTISE)
    node.add_netns("c1", "c2", "ra")
    yield node
    node.vm.run(f"for v in $(ls -d /sys/class/net/{PORTS[0]}v*); do ip link set ${{v##*/}} down; done")


def ready(node: Node) -> None:
    """The router's own link-local address is what a receiver wants to see as source."""

    def addresses() -> list[dict[str, Any]]:
        (entry,) = node.vm.json("ip -n ra -6 -j addr show net1")
        return list(entry.get("addr_info", []))

    node.wait_for(lambda: any(one["scope"] == "link" and not one.get("tentative") for one in addresses()), 15)


def test_a_vf_that_is_up_in_the_host_hears_nothing_of_the_pods_vlan_on_its_way_back(router: Node) -> None:
    """It is DOWN until it is out of the VLAN: a router there gives it no address, in six DELs."""
    attach(router, IN_VLAN | {"deviceID": ROUTER}, "ra")
    ready(router)
    router.vm.run(f"ip link set {HOME} up")
    router.vm.run(
        "(ip netns exec ra python3 /root/advertise.py 20000 0.002 > /run/ra.log 2>&1 & echo $! > /run/ra.pid)"
    )
    heard = []

    for _ in range(6):  # without it, 5 of 12 heard something
        attach(router, IN_VLAN)
        detach(router, IN_VLAN)
        assert "UP" in router.links()[VF]["flags"], "as it was before the pod"
        heard += slaac(router, HOME)

    router.vm.run("kill $(cat /run/ra.pid); cat /run/ra.log >&2")
    assert heard == []
    attach(router, PLAIN, "c2")
    for conf, container in ((PLAIN, "c2"), (IN_VLAN | {"deviceID": ROUTER}, "ra")):
        detach(router, conf, container)


def test_three_advertisements_of_a_pod_make_no_vf_busy(router: Node) -> None:
    """Every VF of the card that is UP in the host takes an address for half an hour; that is nobody's use of it."""
    attach(router, PLAIN | {"deviceID": ROUTER, "ipam": {}}, "ra")
    ready(router)
    for name in (HOME, f"{PORTS[0]}v1"):
        router.vm.run(f"ip link set {name} up")
    router.wait_for(lambda: "NO-CARRIER" not in router.links()[OTHER]["flags"])
    router.vm.run("sleep 1; ip netns exec ra python3 /root/advertise.py 3 0.1")
    router.wait_for(lambda: bool(slaac(router, HOME) and slaac(router, f"{PORTS[0]}v1")), 10)

    attach(router, PLAIN, "c1")
    attach(router, PLAIN | {"master": PORTS[0], "deviceID": OTHER}, "c2")

    for conf, container in (
        (PLAIN, "c1"),
        (PLAIN | {"deviceID": OTHER}, "c2"),
        (PLAIN | {"deviceID": ROUTER}, "ra"),
    ):
        detach(router, conf, container)


# the VF is kept --------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["root of the node", "root of a user namespace"])
def pod(node: Node, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """What to put before a command so that it runs in the pod, and the pod's netns path."""
    owned = "U" if "user" in request.param else ""
    flag = "-Urn" if owned else "-n"
    node.add_netns("c2")
    node.vm.run(f"unshare {flag} sleep 613 > /dev/null 2>&1 & echo $! > /run/pod.pid; sleep 0.5")
    pid = node.vm.run("cat /run/pod.pid").stdout.strip()
    yield f"nsenter -t {pid} {'-U --preserve-credentials ' if owned else ''}-n", f"/proc/{pid}/ns/net"
    node.vm.run(f"kill {pid}; sleep 0.2", check=False)


def test_a_vf_kept_in_a_netns_inside_the_pod_keeps_its_address_or_comes_home(
    node: Node, pod: tuple[str, str]
) -> None:
    """A process holds that netns, no path leads there. Nobody gets the address while the VF is out there."""
    within, netns = pod
    (address,) = attach(node, IN_VLAN, netns=netns)
    node.vm.run(f"{within} unshare -n sleep 614 > /dev/null 2>&1 & sleep 0.5")
    inner = node.vm.run("pgrep -xf 'sleep 614'").stdout.strip()
    node.vm.run(f"{within} ip link set net1 netns {inner}")
    plain = PLAIN | {"deviceID": OTHER}

    deleted = node.cni("DEL", IN_VLAN, netns=netns)

    assert deleted.code in {0, 11}, deleted.text
    is_home = VF in node.links()
    taken = node.cni(
        "ADD", plain | {"runtimeConfig": {"ips": [address]}, "capabilities": {"ips": True}}, "c2"
    )
    assert taken.code == (0 if is_home else 104), f"home: {is_home}, {taken.text}"
    if taken.code:
        other = attach(node, plain, "c2")
        assert other != [address]
    detach(node, plain, "c2")
    node.vm.run(f"kill {inner}", check=False)
    node.wait_for(lambda: VF in node.links())
    detach(node, IN_VLAN, netns="")


def test_the_pods_netns_ends_and_a_process_of_it_keeps_the_vf_elsewhere(node: Node) -> None:
    """DEL has no path at all. Another pod's ADD and GC go on, and the address stays with the VF."""
    node.add_netns("c1", "c2")
    (address,) = attach(node, IN_VLAN)
    node.vm.run("ip netns exec c1 unshare -n sleep 615 > /dev/null 2>&1 & sleep 0.5")
    inner = node.vm.run("pgrep -xf 'sleep 615'").stdout.strip()
    node.vm.run(f"ip -n c1 link set net1 netns {inner}; ip netns del c1")
    plain = PLAIN | {"deviceID": OTHER}

    deleted = node.cni("DEL", IN_VLAN, netns="")
    collected = node.cni(
        "GC",
        CONF
        | {"cniVersion": "1.1.0", "cni.dev/valid-attachments": [{"containerID": "c2", "ifname": "net1"}]},
    )

    assert deleted.code in {0, 11}, deleted.text
    assert collected.code in {0, 11}, collected.text
    is_home = VF in node.links()
    taken = node.cni(
        "ADD", plain | {"runtimeConfig": {"ips": [address]}, "capabilities": {"ips": True}}, "c2"
    )
    assert taken.code == (0 if is_home else 104), f"home: {is_home}, {taken.text}"
    detach(node, plain, "c2")
    node.vm.run(f"kill {inner}", check=False)
    node.wait_for(lambda: VF in node.links())
    detach(node, IN_VLAN, netns="")


# names -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("altname", [LONG, f"{PORTS[0]}v3", "d0"], ids=["long", "of another VF", "of a link"])
def test_an_altname_that_the_host_has_stops_no_del(node: Node, altname: str) -> None:
    """Whether the host had it before, or another pod's VF brought it: no DEL fails, and no altname comes home."""
    node.add_netns("c1", "c2")
    node.vm.run("ip link add d0 type dummy")
    if altname == LONG:
        node.vm.run(f"ip link property add dev d0 altname {LONG}")
    before = node.card()
    for container, vf in (("c1", VF), ("c2", OTHER)):
        attach(node, IN_VLAN | {"deviceID": vf}, container)
        node.vm.run(f"ip -n {container} link property add dev net1 altname {altname}")

    detach(node, IN_VLAN, "c1")
    detach(node, IN_VLAN | {"deviceID": OTHER}, "c2")

    assert node.changed(before) == []
    (dummy,) = node.vm.json("ip -j link show dev d0")
    assert dummy.get("altnames", []) == ([LONG] if altname == LONG else []), "the host's own stays"
    assert node.changed(before) == []
    node.vm.run("ip link del d0")


def test_a_pod_has_a_link_of_the_vfs_host_name(node: Node) -> None:
    """The VF cannot have its own name before it is out of there."""
    node.add_netns("c1")
    before = node.card()
    attach(node, IN_VLAN)
    node.vm.run(f"ip -n c1 link add {HOME} type dummy; ip -n c1 link property add dev net1 altname {LONG}")

    detach(node, IN_VLAN)

    assert node.changed(before) == []


@pytest.mark.parametrize("name", ["evil0", f"{PORTS[0]}v3"], ids=["odd", "of another VF"])
def test_a_name_that_a_pod_gave_is_never_seen_in_the_host(node: Node, name: str) -> None:
    """Neither by who listens to rtnetlink nor by udev, whose rules may act on names."""
    node.add_netns("c1")
    attach(node, IN_VLAN)
    node.vm.run(
        f"ip -n c1 link set net1 down; ip -n c1 link set net1 name {name};"
        f"ip -n c1 link property add dev {name} altname evil1;"
        "(ip -o monitor link > /run/links 2>&1 & echo $! > /run/listeners);"
        "(udevadm monitor --kernel --subsystem-match=net > /run/uevents 2>&1 & echo $! >> /run/listeners); sleep 1"
    )
    others = {link["ifname"]: link["ifindex"] for link in node.links().values()}

    detach(node, IN_VLAN)

    node.vm.run("udevadm settle; sleep 0.5; kill $(cat /run/listeners)")
    links, uevents = (node.vm.run(f"cat /run/{what}").stdout for what in ("links", "uevents"))
    assert HOME in links + uevents, "it was listened to"
    home = node.links()[VF]["ifindex"]
    mine = [line for line in links.splitlines() if line.removeprefix("Deleted ").startswith(f"{home}: ")]
    assert [line for line in mine if f" {HOME}" not in line and f"{HOME}:" not in line] == []
    assert [word for word in ("evil", "net1") if word in links + uevents] == []
    assert name not in uevents, f"{name} is of {others.get(name)}"


@pytest.mark.parametrize("ifname", ["all", "default", "nét1"])
def test_a_name_that_means_something_else_in_proc_sys_is_refused_at_once(node: Node, ifname: str) -> None:
    node.add_netns("c1")
    before = node.card()

    refused = node.cni("ADD", PLAIN, ifname=ifname)

    assert (refused.code, ifname in refused.text) == (4, True), refused.text
    assert (node.changed(before), node.state_files()) == ([], [])
    assert set(node.links("c1")) == {"lo"}


# the node forgets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("knob", ["VLAN and trust", "MAC too"])
def test_a_lost_record_gives_the_next_tenant_nothing_of_the_last_one(node: Node, knob: str) -> None:
    """Claims, Records and leases are removed while the pod runs; the VF comes home as the pod had it."""
    node.add_netns("c1", "c2")
    asked = IN_VLAN if knob == "VLAN and trust" else FULL | {"master": None, "deviceID": VF}
    before, (seen, *_) = node.card(), node.vfs(PORTS[0])
    attach(node, asked)
    node.vm.run(
        "find /run/cni-sriov/claims /run/cni-sriov/locks /var/lib/cni/sriov /var/lib/cni/host-subnet -type f -delete"
    )
    detach(node, asked, netns="")
    node.vm.run("ip netns del c1")
    node.wait_for(lambda: VF in node.links())
    node.vm.run("udevadm settle")

    attach(node, PLAIN, "c2")

    now = node.vf(PORTS[0], 0)
    assert [(key, now[key]) for key in seen if key != "address" and now[key] != seen[key]] == []
    assert node.links("c2")[VF]["address"] != FULL["mac"]
    assert node.links("c2")[VF]["mtu"] == before[VF]["mtu"]
    detach(node, PLAIN, "c2")
    # its name is the operator's to give: the one that the container had for it stays (docs/security.md)
    node.vm.run(f"ip link property del dev net1 altname {HOME}; ip link set net1 name {HOME}; udevadm settle")
    assert node.changed(before) == []
