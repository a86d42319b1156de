"""What a container does to its VF's netdev ends with it: the next tenant's is as the card's driver made it.

Dirt is set from inside the pod, also by a user namespace's root. What is expected, `ip`, ethtool and sysfs told before.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .node import CONF, MOVING, Node
from .vm import PORTS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

VF = "0000:01:10.0"
ASKED: dict[str, Any] = CONF | {"master": None, "deviceID": VF}
XDP = (Path(__file__).parent / "inside/xdp.py").read_text()
QUEUES = "/sys/class/net/net1/queues"
# what one message and the features put back
BY_MESSAGE = {
    "noarp": "ip link set net1 arp off",
    "multicast": "ip link set net1 multicast off",
    "dynamic": "ip link set net1 dynamic on",
    "alias": "ip link set net1 alias 'of a tenant'",
    "group": "ip link set net1 group 7",
    "mode": "ip link set net1 mode dormant",
    "broadcast": "ip link set net1 broadcast 02:00:00:00:00:ff",
    "txqueuelen": "ip link set net1 txqueuelen 7",
    "gso": "ip link set net1 gso_max_size 4000 gso_max_segs 3",
    "gro": "ip link set net1 gro_max_size 4000",
    "features": "ethtool -K net1 tx off rx off gro off",
}
# what needs a netdev made anew
BY_DRIVER = {
    "rings": "ethtool -G net1 rx 512 tx 512",
    "coalescing": "ethtool -C net1 rx-usecs 200",
    "messages": "ethtool -s net1 msglvl 0xff",
    "threaded": "echo 1 > /sys/class/net/net1/threaded",
    "flush": "echo 20000 > /sys/class/net/net1/gro_flush_timeout",
    "defer": "echo 3 > /sys/class/net/net1/napi_defer_hard_irqs",
    "rps": f"echo 1 > {QUEUES}/rx-0/rps_cpus",
    "byte limit": f"echo 3000 > {QUEUES}/tx-0/byte_queue_limits/limit_max",
}
# what the product calls these
TOLD = (
    *("rings", "coalesce", "message-level", "threaded", "gro_flush_timeout", "napi_defer_hard_irqs"),
    *("rps_cpus", "limit_max"),
)
ANEW = "made anew"


def look(node: Node, name: str, netns: str = "") -> dict[str, Any]:
    """The netdev as the guest's own tools tell it."""
    within = f"ip netns exec {netns}" if netns else ""
    (link,) = node.vm.json(f"{within} ip -j -d link show {name}")
    link["flags"] = sorted({*link["flags"]} - {"UP", "LOWER_UP", "NO-CARRIER", "M-DOWN", "LOWERLAYERDOWN"})
    told = {
        key: value
        for key, value in link.items()
        if key not in {*MOVING, "ifname", "altnames", "link_netnsid"}
    }
    told |= {"txqlen": link["txqlen"]}
    for letter in "kgcalnTx":
        told[f"ethtool -{letter}"] = node.vm.run(
            f"{within} ethtool -{letter} {name} 2>&1; true"
        ).stdout.splitlines()[1:]
    told["msglvl"] = node.vm.run(f"{within} ethtool {name} | grep -A1 -i 'message level'").stdout
    files = (
        "threaded gro_flush_timeout napi_defer_hard_irqs queues/*/rps_* queues/*/byte_queue_limits/limit_m*"
    )
    shown = node.vm.run(f"{within} sh -c 'cd /sys/class/net/{name} && grep -H . {files}; true'").stdout
    told["sysfs"] = sorted(shown.splitlines())
    return told


def name_of(node: Node) -> str:
    node.wait_for(lambda: VF in node.links())
    return str(node.links()[VF]["ifname"])


def unlike(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    return {
        key: (before.get(key), after.get(key))
        for key in before.keys() | after.keys()
        if before.get(key) != after.get(key)
    }


@pytest.fixture
def pod(node: Node) -> Iterator[tuple[Node, dict[str, Any], dict[str, Any]]]:
    """c1 has the VF. As it was before, and as it is in a clean pod; the next pod, c2, finds it like that."""
    node.add_netns("c1", "c2")
    before = look(node, name_of(node))
    added = node.cni("ADD", ASKED, "c1")
    assert added.code == 0, added.text
    clean = look(node, "net1", "c1")

    yield node, before, clean

    again = node.cni("ADD", ASKED, "c2")
    assert again.code == 0, again.text
    assert unlike(clean, look(node, "net1", "c2")) == {}
    checked = node.cni("CHECK", ASKED | {"prevResult": again.document}, "c2")
    assert checked.code == 0, checked.text
    assert node.cni("DEL", ASKED, "c2").code == 0
    assert unlike(before, look(node, name_of(node))) == {}


def dirty(node: Node, clean: dict[str, Any], *lines: str) -> None:
    """Each of them shows, else that it is gone later proves nothing."""
    seen = clean
    for line in lines:
        node.vm.run(["ip", "netns", "exec", "c1", "sh", "-c", line])
        now = look(node, "net1", "c1")
        assert unlike(seen, now) != {}, line
        seen = now


def test_what_a_message_can_put_back_is_put_back(pod: tuple[Node, dict[str, Any], dict[str, Any]]) -> None:
    node, before, clean = pod
    dirty(node, clean, *BY_MESSAGE.values())

    deleted = node.cni("DEL", ASKED, "c1")

    assert deleted.code == 0, deleted.text
    assert unlike(before, look(node, name_of(node))) == {}
    assert ANEW not in deleted.log


@pytest.mark.parametrize("kind", ["rings", "threaded"])
def test_what_no_message_can_put_back_ends_with_the_netdev(
    pod: tuple[Node, dict[str, Any], dict[str, Any]], kind: str
) -> None:
    node, before, clean = pod
    dirty(node, clean, BY_DRIVER[kind])

    deleted = node.cni("DEL", ASKED, "c1")

    assert deleted.code == 0, deleted.text
    assert unlike(before, look(node, name_of(node))) == {}
    assert ANEW in deleted.log


def test_an_xdp_program_is_taken_off(pod: tuple[Node, dict[str, Any], dict[str, Any]]) -> None:
    node, before, clean = pod
    node.vm.run(["ip", "netns", "exec", "c1", "python3", "-", "net1"], input=XDP)
    assert "xdp" in unlike(clean, look(node, "net1", "c1"))

    deleted = node.cni("DEL", ASKED, "c1")

    assert deleted.code == 0, deleted.text
    assert unlike(before, look(node, name_of(node))) == {}


def test_check_names_each_kind_of_dirt(pod: tuple[Node, dict[str, Any], dict[str, Any]]) -> None:
    node, _, clean = pod
    dirty(
        node, clean, *(BY_MESSAGE[kind] for kind in ("noarp", "alias", "gso", "features")), BY_DRIVER["rings"]
    )

    checked = node.cni("CHECK", ASKED, "c1")

    assert checked.code != 0
    for word in ("noarp", "of a tenant", "gso_max_size", "gso_max_segs", "features", "rings"):
        assert word in checked.text, checked.text
    assert node.cni("DEL", ASKED, "c1").code == 0


def test_after_the_pods_death(pod: tuple[Node, dict[str, Any], dict[str, Any]]) -> None:
    node, before, clean = pod
    dirty(node, clean, BY_MESSAGE["noarp"], BY_MESSAGE["alias"], BY_DRIVER["rings"])
    node.vm.run("ip netns del c1")
    name_of(node)

    deleted = node.cni("DEL", ASKED, "c1", netns="")

    assert deleted.code == 0, deleted.text
    assert unlike(before, look(node, name_of(node))) == {}
    node.add_netns("c1")


def test_without_its_record(pod: tuple[Node, dict[str, Any], dict[str, Any]]) -> None:
    """The node's state was lost, and the VF came home as the tenant left it: each kind is seen, and the next ADD puts it
    right.
    """
    node, before, clean = pod
    dirty(node, clean, BY_MESSAGE["noarp"], BY_MESSAGE["group"], *BY_DRIVER.values())
    node.vm.run("rm -rf /var/lib/cni/sriov /run/cni-sriov/claims; ip netns del c1")
    assert unlike(before, look(node, name_of(node))) != {}
    seen = node.vm.run(["/mnt/host/cni-sriov/sriovctl", "--json", "baseline", VF]).stdout
    for key in ("flags", "group", *TOLD):
        assert f'"{key} ' in seen, seen
    # its name was in the Record alone: the operator's to give back
    home = f"{PORTS[0]}v0"
    node.vm.run(f"udevadm settle; ip link property del dev net1 altname {home}; ip link set net1 name {home}")
    node.add_netns("c1")


def test_by_the_root_of_a_user_namespace(node: Node) -> None:
    """Who owns a netns by a user namespace may do all of this as well, and has sysfs of its own there."""
    before = look(node, name_of(node))
    node.vm.run("(unshare -Urn sleep 300 < /dev/null > /dev/null 2>&1 & echo $! > /run/pid); sleep 0.5")
    pid = node.vm.get("/run/pid").decode().strip()
    netns = f"/proc/{pid}/ns/net"
    added = node.cni("ADD", ASKED, "c1", netns=netns)
    assert added.code == 0, added.text
    # not rps: that wants CAP_NET_ADMIN of the host (store_rps_map, net/core/net-sysfs.c)
    lines = [*BY_MESSAGE.values(), *(BY_DRIVER[kind] for kind in ("rings", "coalescing", "threaded"))]
    enter = ["nsenter", "-t", pid, "-U", "-n", "--preserve-credentials", "unshare", "-m", "sh", "-e", "-c"]
    node.vm.run([*enter, "mount -t sysfs none /sys\n" + "\n".join(lines)])

    deleted = node.cni("DEL", ASKED, "c1", netns=netns)

    assert deleted.code == 0, deleted.text
    node.vm.run(f"kill {pid}")
    assert unlike(before, look(node, name_of(node))) == {}
