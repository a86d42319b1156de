"""What happens to a PF, a name, a pod, the state and the clock between ADD and DEL.

Each ends in a named error or a clean state: the fixture `node` holds that the card is as it was. Accidents that make
new VFs are in test_vfs_anew.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from .node import CONF, FULL, IPAM, Node
from .vm import PORTS

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

PF, VF = "0000:01:00.0", "0000:01:10.0"
PLAIN: dict[str, Any] = CONF | {"vlan": 200, "ipam": IPAM}


def attach(node: Node, conf: dict[str, Any], container: str = "c1") -> str:
    """ADD that has to work; the VF that the pod has then."""
    added = node.cni("ADD", conf, container)
    assert added.code == 0, added.text
    (vf,) = (pci for pci in node.links(container) if pci.startswith("0000:"))
    return vf


def rename(node: Node, old: str, new: str) -> None:
    """Also where udev has given the new name as an altname, as it then does with the old one."""
    without = "ip link property del dev {} altname {} 2> /dev/null"
    node.vm.run(
        f"{without.format(old, new)}; set -e; ip link set {old} name {new}; udevadm settle;"
        f"{without.format(new, old)} || true"
    )


# the PF is elsewhere or has another name ------------------------------------------------------------------------------


def test_the_pf_is_in_another_netns(node: Node) -> None:
    """DEL frees the lease and keeps the VF as "released": its settings went away with the PF, and come back with it."""
    node.add_netns("c1", "c2", "other")
    attach(node, FULL)
    node.vm.run(f"ip link set {PORTS[0]} netns other")
    by_device = PLAIN | {"master": None, "deviceID": VF}

    checked = node.cni("CHECK", FULL)
    refused = node.cni("ADD", FULL, "c2")
    another = node.cni("ADD", by_device | {"deviceID": "0000:01:10.2"}, "c2")
    deleted = [node.cni("DEL", FULL, netns=netns) for netns in (None, "")]

    assert (checked.code, f"PF {PF} is gone from the host" in checked.text) == (107, True), checked.text
    assert (refused.code, another.code) == (101, 101), another.text
    assert [reply.code for reply in deleted] == [0, 0], deleted[0].text
    assert f"PF {PF} is in another netns" in deleted[0].log, deleted[0].log
    assert '"status": "released"' in node.vm.get("/var/lib/cni/sriov/c1@net1").decode()
    assert not [path for path in node.state_files() if "host-subnet" in path and "/leases/" in path]
    assert node.links()[VF]["ifname"] == f"{PORTS[0]}v0", "its netdev is home"
    (seen,) = node.vm.json(f"ip -n other -j -d link show {PORTS[0]}")
    assert seen["vfinfo_list"][0]["vlan_list"] == [{"vlan": 100}], "and yet it is not as it was"
    taken = node.cni("ADD", by_device, "c2")
    assert (taken.code, "claimed" in taken.text) == (11, True), taken.text
    node.vm.run(f"ip -n other link set {PORTS[0]} netns 1; ip link set {PORTS[0]} up; udevadm settle")
    node.wait_for(lambda: "NO-CARRIER" not in node.links()[PF]["flags"])  # before that, igb refuses rates

    assert attach(node, by_device, "c2") == VF, "it is reclaimed"

    assert node.vf(PORTS[0], 0)["vlan_list"] == [{"vlan": 200}]
    assert [node.cni("DEL", conf, c).code for conf, c in ((by_device, "c2"), (FULL, "c1"))] == [0, 0]
    # igb has no address of a VF from its own reset to the VF's next one, which comes with `up`
    node.vm.run(f"ip link set {PORTS[0]}v0 up; ip link set {PORTS[0]}v0 down")


def test_the_pf_has_another_name(node: Node) -> None:
    node.add_netns("c1", "c2")
    attach(node, FULL)
    rename(node, PORTS[0], "wan0")

    checked = node.cni("CHECK", FULL)
    refused = node.cni("ADD", PLAIN, "c2")
    deleted = node.cni("DEL", FULL)

    assert (checked.code, deleted.code) == (0, 0), checked.text + deleted.text
    assert (refused.code, "no such interface" in refused.text) == (101, True), refused.text
    node.vm.run(f"ip link property add dev wan0 altname {PORTS[0]}")
    assert attach(node, PLAIN, "c2") == VF, "by the altname that udev leaves it"
    assert node.cni("DEL", PLAIN, "c2").code == 0
    node.vm.run(f"ip link property del dev wan0 altname {PORTS[0]}")
    rename(node, "wan0", PORTS[0])


def test_two_pfs_have_swapped_their_names(node: Node) -> None:
    node.add_netns("c1", "c2")
    attach(node, FULL)
    swap_pfs(node)

    checked = node.cni("CHECK", FULL)
    second = attach(node, FULL | {"mac": "02:00:00:00:aa:02"}, "c2")
    deleted = node.cni("DEL", FULL)

    assert (checked.code, deleted.code) == (0, 0), checked.text + deleted.text
    assert second == "0000:01:10.1"
    assert node.vf(PORTS[0], 0)["vlan_list"] == [{"vlan": 100}], "the other PF's VF is still attached"
    assert node.cni("DEL", FULL, "c2").code == 0
    swap_pfs(node)


def swap_pfs(node: Node) -> None:
    for old, new in ((PORTS[0], "x"), (PORTS[1], PORTS[0]), ("x", PORTS[1])):
        rename(node, old, new)


# netns, names, addresses ----------------------------------------------------------------------------------------------


def test_a_process_keeps_the_netns_alive(node: Node) -> None:
    """No path leads there, and it does not die: the VF's driver takes it out, and DEL leaves nothing."""
    node.add_netns("c1", "c2")
    before = node.card()
    attach(node, FULL)
    node.vm.run("ip netns exec c1 sleep 611 > /dev/null 2>&1 & sleep 0.3; ip netns del c1")

    deleted = node.cni("DEL", FULL, netns="")

    assert (deleted.code, "made anew" in deleted.log) == (0, True), deleted.text
    assert node.state_files() == []
    assert node.changed(before) == []
    assert attach(node, FULL | {"master": None, "deviceID": VF}, "c2") == VF
    assert node.cni("DEL", FULL, "c2").code == 0
    node.vm.run("pkill -xf 'sleep 611'")


def test_the_vf_was_renamed_before(node: Node) -> None:
    node.add_netns("c1")
    rename(node, f"{PORTS[0]}v0", "uplink")
    node.vm.run("ip link property add dev uplink altname lan0")
    attach(node, FULL)

    assert node.cni("DEL", FULL).code == 0

    home = node.links()[VF]
    assert (home["ifname"], "lan0" in home["altnames"]) == ("uplink", True)
    node.vm.run("ip link property del dev uplink altname lan0")
    rename(node, "uplink", f"{PORTS[0]}v0")


@pytest.mark.parametrize(("by", "netns"), [("name", "died"), ("altname", "lives")])
def test_its_name_is_taken_meanwhile(node: Node, by: str, netns: str) -> None:
    """The VF comes home under another name, is told, and serves the next pod; it gets its own when that is free."""
    name = f"{PORTS[0]}v0"
    node.add_netns("c1", "c2")
    attach(node, FULL)
    node.vm.run(
        f"ip link add {name if by == 'name' else 'd0'} type dummy;"
        f"[ {by} = name ] || ip link property add dev d0 altname {name};"
        f"[ {netns} = lives ] || ip netns del c1"
    )

    deleted = node.cni("DEL", FULL, netns=None if netns == "lives" else "")

    assert deleted.code == 0, deleted.text
    assert "name is taken" in deleted.log
    assert node.links()[VF]["ifname"] != name
    assert attach(node, FULL, "c2") == VF
    assert node.cni("DEL", FULL, "c2").code == 0
    assert node.links()[VF]["ifname"] != name
    node.vm.run(f"ip link del {name}; udevadm settle")
    collected = node.cni("GC", CONF | {"cniVersion": "1.1.0", "cni.dev/valid-attachments": []})
    assert collected.code == 0, collected.text
    assert node.links()[VF]["ifname"] == name


def test_an_altname_of_the_vf_is_taken_in_the_pod(node: Node) -> None:
    node.add_netns("c1")
    node.vm.run(f"ip link property add dev {PORTS[0]}v0 altname lan0; ip -n c1 link add lan0 type dummy")
    before = node.card()

    refused = node.cni("ADD", FULL)

    assert (refused.code, "altname" in refused.text) == (102, True), refused.text
    assert (node.changed(before), node.state_files()) == ([], [])
    node.vm.run(f"ip link property del dev {PORTS[0]}v0 altname lan0; ip -n c1 link del lan0")
    attach(node, FULL)
    assert node.cni("DEL", FULL).code == 0


def test_the_pod_changes_its_mac(node: Node) -> None:
    node.add_netns("c1")
    attach(node, FULL)
    node.vm.run("ip -n c1 link set net1 address 02:00:00:00:bb:01")

    checked = node.cni("CHECK", FULL)

    assert (checked.code, "MAC of net1 is 02:00:00:00:bb:01" in checked.text) == (107, True), checked.text
    assert node.cni("DEL", FULL).code == 0


def test_the_mac_is_somebody_elses(node: Node) -> None:
    """Of another container's VF, of the PF itself: igb would take either and then send frames to one of them. Where a
    free VF has it, that VF is the one that can be given with it.
    """
    node.add_netns("c1", "c2")
    of_vf, of_pf = (node.links()[pci]["address"] for pci in ("0000:01:10.6", PF))

    assert attach(node, FULL | {"mac": of_vf}) == "0000:01:10.6"
    refused = [node.cni("ADD", FULL | {"mac": mac}, "c2") for mac in (of_vf, of_pf)]

    assert [reply.code for reply in refused] == [103, 103], [reply.text for reply in refused]
    assert f"vf 3 of {PORTS[0]} has it: c1/net1" in refused[0].text
    assert f"{PORTS[0]} itself has it" in refused[1].text
    assert node.cni("DEL", FULL).code == 0


def test_the_mac_is_somebody_elses_at_the_other_port_or_in_the_host(node: Node) -> None:
    """One machine's ports are mostly on one LAN."""
    node.add_netns("c1", "c2")
    other = FULL | {"master": PORTS[1], "mac": "02:00:00:00:bb:02"}
    attach(node, other)
    index = next(vf["vf"] for vf in node.vfs(PORTS[1]) if vf["address"] == other["mac"])
    node.vm.run(f"ip link add link {PORTS[1]} name lan0 type macvlan")
    try:
        links = node.links()
        port, lan = (next(e for e in links.values() if e["ifname"] == name) for name in (PORTS[1], "lan0"))
        macs = (other["mac"], port["address"], lan["address"])

        refused = [node.cni("ADD", FULL | {"mac": mac}, "c2") for mac in macs]
    finally:
        node.vm.run("ip link del lan0")

    assert [reply.code for reply in refused] == [103, 103, 103], [reply.text for reply in refused]
    assert f"vf {index} of {PORTS[1]} has it: c1/net1" in refused[0].text
    assert f"{PORTS[1]} itself has it" in refused[1].text
    assert "interface lan0 of the host has it" in refused[2].text
    assert node.cni("DEL", other).code == 0


def test_a_free_vf_of_the_other_port_that_has_the_mac_is_the_one_to_take(node: Node) -> None:
    node.add_netns("c1")
    own = node.links()["0000:01:10.7"]["address"]
    both = FULL | {"master": None, "pf": {"names": list(PORTS)}, "mac": own}

    assert attach(node, both) == "0000:01:10.7"
    assert node.cni("CHECK", both).code == 0
    assert node.cni("DEL", both).code == 0


# state, locks, clock --------------------------------------------------------------------------------------------------


def test_the_disk_is_full(node: Node) -> None:
    node.add_netns("c1", "c2")
    node.vm.run("mkdir -p /mnt/tiny; mount -t tmpfs -o size=64k,mode=700 tmpfs /mnt/tiny")
    conf = FULL | {"stateDir": "/mnt/tiny/state"}
    attach(node, conf)
    before = node.card()
    node.vm.run("dd if=/dev/zero of=/mnt/tiny/full bs=4k 2>/dev/null", check=False)

    refused = node.cni("ADD", conf | {"mac": None}, "c2")

    assert (refused.code, "No space left" in refused.text) == (5, True), refused.text
    assert node.changed(before) == []
    assert node.cni("CHECK", conf).code == 0
    assert [node.cni("DEL", conf, c).code for c in ("c1", "c2")] == [0, 0]
    node.vm.run("rm /mnt/tiny/full")
    attach(node, conf, "c2")
    assert node.cni("DEL", conf, "c2").code == 0
    assert node.vm.run("ls -A /mnt/tiny/state").stdout == ""
    node.vm.run("umount /mnt/tiny; rm -f /run/cni-sriov/dirs/*tiny*")


def test_the_state_directory_is_read_only(node: Node) -> None:
    """The VF is given back all the same; only the Record stays until it can be removed."""
    node.add_netns("c1", "c2")
    node.vm.run("mkdir -p /mnt/ro; mount -t tmpfs -o mode=700 tmpfs /mnt/ro")
    conf = FULL | {"stateDir": "/mnt/ro/state"}
    before = node.card()
    attach(node, conf)
    node.vm.run("mount -o remount,ro /mnt/ro")

    refused = node.cni("ADD", conf | {"mac": None}, "c2")
    deleted = node.cni("DEL", conf)

    assert (refused.code, "Read-only file system" in refused.text) == (5, True), refused.text
    assert (deleted.code, "Read-only file system" in deleted.text) == (5, True), deleted.text
    assert node.changed(before) == []
    node.vm.run("mount -o remount,rw /mnt/ro")
    assert node.cni("DEL", conf).code == 0
    assert node.vm.run("ls -A /mnt/ro/state").stdout == ""
    node.vm.run("umount /mnt/ro; rm -f /run/cni-sriov/dirs/*ro*")


def test_the_holder_of_a_lock_is_killed(node: Node) -> None:
    node.add_netns("c1")
    node.vm.run("mkdir -p -m 700 /run/cni-sriov /run/cni-sriov/locks")
    for verb, lock in (("ADD", "claims.lock"), ("DEL", "locks/c1@net1")):
        node.vm.run(f"flock -F /run/cni-sriov/{lock} sleep 612 > /dev/null 2>&1 & sleep 0.3")
        call = node.start(verb, FULL)
        node.wait_for(lambda: " -> FLOCK " in node.vm.run("cat /proc/locks").stdout)
        node.vm.run("pkill -KILL -xf 'sleep 612'")

        assert call.wait().code == 0, verb


def test_the_clock_is_set_back(node: Node) -> None:
    node.add_netns("c1", "c2")
    attach(node, FULL)
    node.vm.run("date -s @$(($(date +%s) - 31536000))")

    checked = node.cni("CHECK", FULL)
    attach(node, PLAIN, "c2")
    deleted = [node.cni("DEL", FULL, c).code for c in ("c1", "c2")]

    node.vm.run("date -s @$(($(date +%s) + 31536000))")
    assert (checked.code, deleted) == (0, [0, 0]), checked.text
