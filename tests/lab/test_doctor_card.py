"""`sriovctl doctor` of the bundle on the emulated card: a trouble is made, the finding is read, its remedy is followed
literally by a shell, and the finding is gone. What is expected comes from `ip` and sysfs in the guest.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import bundle

from . import vfoffset
from .guest import Done
from .node import CONF, PLUGIN_DIR, Node
from .ready import Lab
from .vm import PORTS, Vm

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

PF, SECOND = "0000:01:00.0", "0000:01:00.1"
DEVICES = "/sys/bus/pci/devices"
PAGES = "/sys/devices/system/node/node0/hugepages/hugepages-2048kB"
PATH = f"{PLUGIN_DIR}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
Findings = dict[str, dict[str, Any]]
# maps a file of eight huge pages, and stays
HUGE = """
import mmap, time
with open("/dev/hugepages/rtemap_0", "w+b") as file:
    file.truncate(8 << 21)
    pages = mmap.mmap(file.fileno(), 8 << 21)
    for page in range(8):
        pages[page << 21] = 1
    print("mapped", flush=True)
    time.sleep(600)
"""
HOLD = "import os, sys, time; os.open(sys.argv[1], os.O_RDWR); time.sleep(600)"


@pytest.fixture(scope="session")
def lab_share() -> Path:
    return bundle.directory()


@pytest.fixture
def card(lab_module: Vm) -> Iterator[Node]:
    """Each test finds and leaves both ports up on igb, with seven VFs each on igbvf."""
    node = Node(lab_module)
    if drivers(node) != ["igb", "igb"] + ["igbvf"] * 14:
        node.create_vfs(7)
    yield node
    assert drivers(node) == ["igb", "igb"] + ["igbvf"] * 14


def drivers(node: Node) -> list[str]:
    said = node.vm.run(f"readlink {DEVICES}/0000:01:00.[01]/driver {DEVICES}/0000:01:1*/driver; true").stdout
    return [line.rpartition("/")[2] for line in said.split()]


def doctor(vm: Vm, where: str = "") -> tuple[int, Findings]:
    """(exit status, findings by rule; the first of each)."""
    done = vm.run(f"{PLUGIN_DIR}/sriovctl doctor {where} --json", check=False)
    assert done.stderr == ""
    return done.returncode, {found["rule"]: found for found in reversed(json.loads(done.stdout)["findings"])}


def follow(vm: Vm, finding: dict[str, Any]) -> Done:
    """As it stands there."""
    return vm.run(["sh", "-ec", finding["remedy"]], env={"PATH": PATH})


def evidence(finding: dict[str, Any]) -> dict[str, str]:
    return {one["source"]: one["said"] for one in finding["evidence"]}


def test_who_else_has_a_card_and_its_vfs_and_max_vfs_in_modprobe_d(card: Node) -> None:
    """One port is down, with a VF that lost its driver and one that did not get vfio-pci; the other one is the notes' VPP
    case: a PF that a user-space driver has cannot make VFs. All remedies are followed, and all of it is gone.
    """
    second, third = f"{DEVICES}/0000:01:10.2", f"{DEVICES}/0000:01:10.4"
    group, pid = pf_in_user_space(card)
    card.vm.run(f"ip link set {PORTS[0]} down; echo 0000:01:10.2 > {second}/driver/unbind")
    card.vm.run(f"echo vfio-pci > {third}/driver_override; echo 0000:01:10.4 > {third}/driver/unbind")
    card.vm.put("/etc/modprobe.d/igb.conf", "# by hand\noptions igb max_vfs=9\n")
    made = ["pf-held", "pf-in-userspace", "pf-down", "vf-without-driver", "driver-not-bound", "max-vfs"]

    status, found = doctor(card.vm)
    assert (status, [rule for rule in made if rule not in found]) == (1, [])
    for rule in made:
        follow(card.vm, found[rule])
    card.wait_for(lambda: set(PORTS) <= set(card.vm.run("ls /sys/class/net").stdout.split()))
    after = doctor(card.vm)[1]

    assert after.keys() & {*made, "totalvfs-exceeded"} == set()
    assert f"python3 (pid {pid})" in found["pf-held"]["why"]
    assert list(evidence(found["pf-held"]).values()) == [f"/dev/vfio/{group}"]
    assert evidence(found["pf-in-userspace"]) == {f"{DEVICES}/{SECOND}/driver": "vfio-pci"}
    assert (found["pf-down"]["subject"], "1 of the 7 VFs" in found["vf-without-driver"]["why"]) == (
        PORTS[0],
        True,
    )
    assert "UP" in card.vm.json(f"ip -j link show {PORTS[0]}")[0]["flags"]
    assert found["driver-not-bound"]["subject"] == f"{PORTS[0]} vf 2"
    assert card.vm.run(f"readlink {third}/driver").stdout.strip().endswith("/vfio-pci")
    assert evidence(found["max-vfs"]) == {"/etc/modprobe.d/igb.conf": "options igb max_vfs=9"}
    assert "give enp1s0f0 9 VFs, and it can have 7 at most" in found["totalvfs-exceeded"]["why"]
    assert card.vm.get("/etc/modprobe.d/igb.conf") == b"# by hand\n"
    card.vm.run(f"echo 0000:01:10.4 > {third}/driver/unbind; echo > {third}/driver_override")
    card.vm.run("echo 0000:01:10.4 > /sys/bus/pci/drivers_probe")
    follow(card.vm, after["no-vfs"])
    assert after["no-vfs"]["subject"] == PORTS[1]


def pf_in_user_space(card: Node) -> tuple[str, str]:
    """(its IOMMU group, the process that has it open)."""
    where = f"{DEVICES}/{SECOND}"
    card.vm.run(
        f"modprobe vfio-pci; echo 0 > {where}/sriov_numvfs; echo vfio-pci > {where}/driver_override;"
        f" echo {SECOND} > {where}/driver/unbind; echo {SECOND} > /sys/bus/pci/drivers_probe"
    )
    group = card.vm.run(f"basename $(readlink {where}/iommu_group)").stdout.strip()
    started = f"python3 -c '{HOLD}' /dev/vfio/{group} >/dev/null 2>&1 & echo $!"
    pid = card.vm.run(started).stdout.strip()
    card.wait_for(lambda: "/dev/vfio/" in card.vm.run(f"ls -l /proc/{pid}/fd").stdout)
    assert (
        card.vm.run(f"echo 1 > {where}/sriov_numvfs", check=False).returncode != 0
    )  # the kernel says so, too
    return group, pid


def test_a_number_that_is_in_use_a_slot_that_is_too_small_a_cable_and_no_huge_pages(
    card: Node, saved_lab: Lab
) -> None:
    """VFs are in use by what a dead container left. The slot is the notes': VFs would leave the bus, as of an I350 behind a
    port without ARI; its remedy is another slot, here the end of the module that makes it so.
    """
    ko = vfoffset.module(saved_lab.image.release).read_bytes()
    card.vm.run("base64 -d > /tmp/vfoffset.ko", input=base64.b64encode(ko).decode())
    card.vm.run("umount -a -t hugetlbfs")
    card.vm.run(f"echo 0 > {DEVICES}/{SECOND}/sriov_numvfs; insmod /tmp/vfoffset.ko pf={SECOND}")
    card.create_vfs(3, (PORTS[0],))
    card.add_netns("c1")
    assert card.cni("ADD", CONF, "c1").code == 0
    card.vm.run("ip netns del c1")
    card.wait_for(lambda: "0000:01:10.0" in card.links())
    card.vm.cable(0, plugged=False)
    card.wait_for(lambda: "NO-CARRIER" in card.vm.json(f"ip -j link show {PORTS[0]}")[0]["flags"])

    status, found = doctor(card.vm)
    card.vm.run(f"echo 7 > {DEVICES}/{SECOND}/sriov_numvfs", check=False)
    said = card.vm.run("dmesg | grep 'out of range'").stdout
    card.vm.cable(0, plugged=True)
    card.vm.run("rmmod vfoffset")
    for rule in ("numvfs-busy", "hugepages-none"):
        follow(card.vm, found[rule])
    card.wait_for(lambda: "LOWER_UP" in card.vm.json(f"ip -j link show {PORTS[0]}")[0]["flags"])
    after = doctor(card.vm)[1]

    assert "vf 0 (0000:01:10.0): attached to c1/net1" in evidence(found["numvfs-busy"])["in use"]
    assert (card.vm.run(f"cat {DEVICES}/{PF}/sriov_numvfs").stdout.strip(), card.state_files()) == ("7", [])
    assert (status, found["slot-too-small"]["severity"], found["slot-too-small"]["subject"]) == (
        1,
        "error",
        PORTS[1],
    )
    assert "bus 02 out of range of [bus 01]" in said
    assert "the VFs need bus 02" in found["slot-too-small"]["why"]
    assert evidence(found["no-carrier"]) == {f"ip link show {PORTS[0]}": "UP, NO-CARRIER"}
    assert int(card.vm.run(f"cat {PAGES}/nr_hugepages").stdout) > 0
    assert after.keys() & {"numvfs-busy", "slot-too-small", "no-carrier", "hugepages-none"} == set()
    follow(card.vm, after["hugetlbfs-missing"])
    assert "hugetlbfs" in card.vm.run("cat /proc/mounts").stdout
    card.create_vfs(7, (PORTS[1],))


def test_huge_pages_that_are_used_up_and_then_nothing_is_wrong(card: Node) -> None:
    """By a process that has them mapped; then by the file that it left when it was killed."""
    card.vm.run(
        "mkdir -p /dev/hugepages; grep -q hugetlbfs /proc/mounts || mount -t hugetlbfs x /dev/hugepages"
    )
    card.vm.run(f"echo 8 > {PAGES}/nr_hugepages")
    card.vm.put("/root/huge.py", HUGE)
    pid = card.vm.run("python3 /root/huge.py >/root/said 2>&1 & echo $!").stdout.strip()
    card.wait_for(lambda: "mapped" in card.vm.run("cat /root/said").stdout)

    used = doctor(card.vm)[1]["hugepages-used-up"]
    card.vm.run(f"kill {pid}; tail --pid={pid} -f /dev/null")
    left = doctor(card.vm)[1]["hugepages-used-up"]

    assert f"# in use: /dev/hugepages/rtemap_0: python3 (pid {pid})" in used["remedy"]
    assert evidence(used)[f"{PAGES}/free_hugepages"] == "0 of 8"
    assert left["remedy"] == "rm /dev/hugepages/rtemap_0"
    follow(card.vm, used)  # more pages
    assert int(card.vm.run(f"cat {PAGES}/free_hugepages").stdout) > 0
    card.vm.run(f"echo 8 > {PAGES}/nr_hugepages")
    follow(card.vm, left)
    sound = card.vm.run(f"{PLUGIN_DIR}/sriovctl doctor", check=False)
    assert sound.stdout.splitlines()[-1].startswith("no errors, no warnings, "), sound.stdout
    assert (sound.returncode, "iommu-off" in sound.stdout, "hugepages" in sound.stdout) == (0, False, False)
    card.vm.run(f"echo 0 > {PAGES}/nr_hugepages")
