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

from . import machine, vfoffset
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
# two devices behind a PCI bridge: no ACS there, so one group
BEHIND_A_BRIDGE = [
    *("-device", "pcie-pci-bridge,id=old"),
    *("-device", "e1000,bus=old,addr=1,romfile=", "-device", "e1000,bus=old,addr=2,romfile="),
]


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
    """(exit status, findings by rule)."""
    done = vm.run(f"{PLUGIN_DIR}/sriovctl doctor {where} --json", check=False)
    assert done.stderr == ""
    return done.returncode, {found["rule"]: found for found in json.loads(done.stdout)["findings"]}


def follow(vm: Vm, finding: dict[str, Any]) -> Done:
    """As it stands there."""
    return vm.run(["sh", "-ec", finding["remedy"]], env={"PATH": PATH})


def evidence(finding: dict[str, Any]) -> dict[str, str]:
    return {one["source"]: one["said"] for one in finding["evidence"]}


def test_a_healthy_card_has_no_errors_and_no_warnings(card: Node) -> None:
    """dmesg and `ip` agree: both ports are up, and all VFs have their driver."""
    status, found = doctor(card.vm, PORTS[0])
    text = card.vm.run(f"{PLUGIN_DIR}/sriovctl doctor {PORTS[0]}", check=False)

    assert (status, {rule for rule, one in found.items() if one["severity"] != "note"}) == (0, set())
    assert (text.returncode, text.stdout.splitlines()[-1].startswith("no errors, no warnings, ")) == (0, True)


def test_a_port_that_is_down(card: Node) -> None:
    card.vm.run(f"ip link set {PORTS[0]} down")

    status, found = doctor(card.vm, PORTS[0])
    follow(card.vm, found["pf-down"])

    assert (status, found["pf-down"]["subject"]) == (1, PORTS[0])
    assert "UP" in card.vm.json(f"ip -j link show {PORTS[0]}")[0]["flags"]
    card.wait_for(lambda: "LOWER_UP" in card.vm.json(f"ip -j link show {PORTS[0]}")[0]["flags"])
    assert doctor(card.vm, PORTS[0])[1].keys() & {"pf-down", "no-carrier"} == set()


def test_a_cable_that_is_pulled(card: Node) -> None:
    card.vm.cable(0, plugged=False)
    card.wait_for(lambda: "NO-CARRIER" in card.vm.json(f"ip -j link show {PORTS[0]}")[0]["flags"])
    try:
        found = doctor(card.vm, PORTS[0])[1]
    finally:
        card.vm.cable(0, plugged=True)

    assert evidence(found["no-carrier"]) == {f"ip link show {PORTS[0]}": "UP, NO-CARRIER"}
    card.wait_for(lambda: "LOWER_UP" in card.vm.json(f"ip -j link show {PORTS[0]}")[0]["flags"])


def test_a_pf_in_user_space_and_who_has_it(card: Node) -> None:
    """The notes' VPP case: a PF that a user-space driver has cannot make VFs."""
    where = f"{DEVICES}/{SECOND}"
    card.vm.run(
        f"modprobe vfio-pci; echo 0 > {where}/sriov_numvfs; echo vfio-pci > {where}/driver_override;"
        f" echo {SECOND} > {where}/driver/unbind; echo {SECOND} > /sys/bus/pci/drivers_probe"
    )
    group = card.vm.run(f"basename $(readlink {where}/iommu_group)").stdout.strip()
    pid = card.vm.run(
        f"python3 -c '{HOLD}' /dev/vfio/{group} >/dev/null 2>&1 & echo $!; sleep 1"
    ).stdout.strip()

    status, found = doctor(card.vm, SECOND)

    assert (status, found["pf-in-userspace"]["subject"]) == (1, SECOND)
    assert evidence(found["pf-in-userspace"]) == {f"{where}/driver": "vfio-pci"}
    assert f"python3 (pid {pid})" in found["pf-held"]["why"]
    assert list(evidence(found["pf-held"]).values()) == [f"/dev/vfio/{group}"]
    assert (
        card.vm.run(f"echo 1 > {where}/sriov_numvfs", check=False).returncode != 0
    )  # the kernel says so, too
    follow(card.vm, found["pf-held"])
    assert "pf-held" not in doctor(card.vm, SECOND)[1]
    follow(card.vm, doctor(card.vm, SECOND)[1]["pf-in-userspace"])
    card.wait_for(lambda: PORTS[1] in card.vm.run("ls /sys/class/net").stdout.split())
    found = doctor(card.vm, PORTS[1])[1]
    assert found.keys() & {"pf-in-userspace", "pf-held"} == set()
    follow(card.vm, found["no-vfs"])
    card.vm.run(f"ip link set {PORTS[1]} up")


def test_a_pf_and_a_vf_without_driver(card: Node) -> None:
    card.vm.run(f"echo 0 > {DEVICES}/{SECOND}/sriov_numvfs; echo {SECOND} > {DEVICES}/{SECOND}/driver/unbind")
    card.vm.run(f"echo 0000:01:10.2 > {DEVICES}/0000:01:10.2/driver/unbind")

    found = doctor(card.vm)[1]
    for rule in ("pf-without-driver", "vf-without-driver"):
        follow(card.vm, found[rule])
    card.wait_for(lambda: PORTS[1] in card.vm.run("ls /sys/class/net").stdout.split())

    assert (found["pf-without-driver"]["subject"], found["vf-without-driver"]["subject"]) == (
        SECOND,
        PORTS[0],
    )
    assert "1 of the 7 VFs" in found["vf-without-driver"]["why"]
    found = doctor(card.vm)[1]
    assert found.keys() & {"pf-without-driver", "vf-without-driver"} == set()
    follow(card.vm, found["no-vfs"])
    card.vm.run(f"ip link set {PORTS[1]} up")


def test_a_vf_that_is_meant_for_vfio_and_did_not_get_it(card: Node) -> None:
    vf = f"{DEVICES}/0000:01:10.4"
    card.vm.run(f"echo vfio-pci > {vf}/driver_override; echo 0000:01:10.4 > {vf}/driver/unbind")

    found = doctor(card.vm, PORTS[0])[1]
    follow(card.vm, found["driver-not-bound"])

    assert found["driver-not-bound"]["subject"] == f"{PORTS[0]} vf 2"
    assert card.vm.run(f"readlink {vf}/driver").stdout.strip().endswith("/vfio-pci")
    assert "driver-not-bound" not in doctor(card.vm, PORTS[0])[1]
    card.vm.run(f"echo 0000:01:10.4 > {vf}/driver/unbind; echo > {vf}/driver_override")
    card.vm.run("echo 0000:01:10.4 > /sys/bus/pci/drivers_probe; udevadm settle")


def test_a_number_of_vfs_that_is_in_use(card: Node) -> None:
    """By what a dead container left."""
    card.create_vfs(3, (PORTS[0],))
    card.add_netns("c1")
    assert card.cni("ADD", CONF, "c1").code == 0
    card.vm.run("ip netns del c1")
    card.wait_for(lambda: "0000:01:10.0" in card.links())

    found = doctor(card.vm, PORTS[0])[1]["numvfs-busy"]
    follow(card.vm, found)

    assert "vf 0 (0000:01:10.0): attached to c1/net1" in evidence(found)["in use"]
    assert card.vm.run(f"cat {DEVICES}/{PF}/sriov_numvfs").stdout.strip() == "7"
    assert "numvfs-busy" not in doctor(card.vm, PORTS[0])[1]
    assert card.state_files() == []


def test_max_vfs_in_modprobe_d(card: Node) -> None:
    card.vm.put("/etc/modprobe.d/igb.conf", "# by hand\noptions igb max_vfs=9\n")

    found = doctor(card.vm)[1]
    follow(card.vm, found["max-vfs"])

    assert evidence(found["max-vfs"]) == {"/etc/modprobe.d/igb.conf": "options igb max_vfs=9"}
    assert "give enp1s0f0 9 VFs, and it can have 7 at most" in found["totalvfs-exceeded"]["why"]
    assert doctor(card.vm)[1].keys() & {"max-vfs", "totalvfs-exceeded"} == set()
    assert card.vm.get("/etc/modprobe.d/igb.conf") == b"# by hand\n"


def test_huge_pages_none_then_unmounted_then_used_up(card: Node) -> None:
    none = doctor(card.vm)[1]["hugepages-none"]
    follow(card.vm, none)
    assert int(card.vm.run(f"cat {PAGES}/nr_hugepages").stdout) > 0
    found = doctor(card.vm)[1]
    assert "hugepages-none" not in found
    if "hugetlbfs-missing" in found:
        follow(card.vm, found["hugetlbfs-missing"])
    assert "hugetlbfs" in card.vm.run("cat /proc/mounts").stdout

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
    assert "hugepages-used-up" not in doctor(card.vm)[1]
    card.vm.run(f"echo 0 > {PAGES}/nr_hugepages")


def test_the_notes_slot_whose_vfs_would_leave_the_bus(card: Node, saved_lab: Lab) -> None:
    """As for an I350 behind a port without ARI; the remedy is another slot, here the end of the module."""
    ko = vfoffset.module(saved_lab.image.release).read_bytes()
    card.vm.run("base64 -d > /tmp/vfoffset.ko", input=base64.b64encode(ko).decode())
    card.vm.run(f"echo 0 > {DEVICES}/{PF}/sriov_numvfs; insmod /tmp/vfoffset.ko")

    status, found = doctor(card.vm, PORTS[0])
    card.vm.run(f"echo 7 > {DEVICES}/{PF}/sriov_numvfs", check=False)
    said = card.vm.run("dmesg | grep 'out of range'").stdout
    card.vm.run("rmmod vfoffset")

    trouble = found["slot-too-small"]
    assert (status, trouble["severity"]) == (1, "error")
    assert "bus 02 out of range of [bus 01]" in said
    assert "the VFs need bus 02" in trouble["why"]
    assert "slot-too-small" not in doctor(card.vm, PORTS[0])[1]
    card.create_vfs(7, (PORTS[0],))


def test_an_iommu_that_is_off_and_the_option_that_switches_it_on(
    saved_lab: Lab, monkeypatch: pytest.MonkeyPatch, card: Node
) -> None:
    """The remedy is followed by a machine that was booted with what it says: the lab's own."""
    monkeypatch.setattr(
        machine, "CMDLINE", machine.CMDLINE.replace("intel_iommu=on iommu=pt", "intel_iommu=off")
    )
    with Vm(saved_lab.image, saved_lab.accelerator, bundle.directory()) as vm:
        vm.boot()
        groups = vm.run("ls /sys/kernel/iommu_groups").stdout
        status, found = doctor(vm)

    trouble = found["iommu-off"]
    assert (groups, status, trouble["severity"]) == ("", 0, "note")
    assert evidence(trouble)["/proc/cmdline"] == "intel_iommu=off"
    assert evidence(trouble)["/sys/firmware/acpi/tables"] == "DMAR"
    assert "take intel_iommu=off off the kernel's command line" in trouble["remedy"]
    monkeypatch.undo()
    wanted = trouble["remedy"].partition("# put ")[2].partition(" on the kernel's command line")[0].split()
    assert wanted, trouble["remedy"]
    assert set(wanted) <= set(card.vm.run("cat /proc/cmdline").stdout.split())
    assert "iommu-off" not in doctor(card.vm)[1]


def test_devices_behind_a_pci_bridge_share_a_group_and_have_no_sriov(
    saved_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = machine.argv
    monkeypatch.setattr(machine, "argv", lambda *given: [*real(*given), *BEHIND_A_BRIDGE])
    with Vm(saved_lab.image, saved_lab.accelerator, bundle.directory()) as vm:
        vm.boot()
        addresses = vm.run(f"grep -l 0x100e {DEVICES}/*/device").stdout.split()
        two = [Path(path).parent.name for path in addresses]
        group = vm.run(f"basename $(readlink {DEVICES}/{two[0]}/iommu_group)").stdout.strip()
        members = vm.run(f"ls /sys/kernel/iommu_groups/{group}/devices").stdout.split()
        found = doctor(vm)[1]
        status, asked = doctor(vm, two[1])

    shared = found["iommu-group-shared"]
    assert (len(two), set(two) <= set(members)) == (2, True)
    assert (shared["subject"], shared["severity"]) == (f"IOMMU group {group}", "note")
    assert [one["said"] for one in shared["evidence"]] == two
    assert (found["no-sriov-capability"]["severity"], asked["no-sriov-capability"]["severity"]) == (
        "note",
        "error",
    )
    assert (
        status,
        "not there" in evidence(asked["no-sriov-capability"])[f"{DEVICES}/{two[1]}/sriov_totalvfs"],
    ) == (1, True)
