"""`sriovctl bind`, `unbind`, `restore` of the bundle on the emulated card; what is expected comes from `ip` and sysfs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import bundle
from tests.cdi import check

from .ctl import document, sriovctl
from .node import ZERO_MAC, Node
from .vm import PORTS, Vm

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

VF, PF = "0000:01:10.0", "0000:01:00.0"
NAME = f"{PORTS[0]}v0"
CDI = f"/var/run/cdi/cni-sriov.dev-vf_{VF}.json"
# a group and its device, as DPDK does it (Documentation/driver-api/vfio.rst)
HOLD = """
import fcntl, os, signal, struct, sys
group = os.open(sys.argv[1], os.O_RDWR)
container = os.open("/dev/vfio/vfio", os.O_RDWR)
fcntl.ioctl(group, 0x3B68, struct.pack("i", container))  # VFIO_GROUP_SET_CONTAINER
fcntl.ioctl(container, 0x3B66, 1)  # VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU
assert fcntl.ioctl(group, 0x3B6A, bytearray(b"0000:01:10.0\\0"), True) > 0  # VFIO_GROUP_GET_DEVICE_FD
open("/run/held", "w").write(str(os.getpid()))
signal.pause()
"""


@pytest.fixture(scope="session")
def lab_share() -> Path:
    return bundle.directory()


def outcome(vm: Vm, arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = document(vm, arguments)["device"]
    return found


def driver(vm: Vm, address: str = VF) -> str:
    return Path(vm.run(f"readlink /sys/bus/pci/devices/{address}/driver", check=False).stdout.strip()).name


def override(vm: Vm, address: str = VF) -> str:
    return vm.run(f"cat /sys/bus/pci/devices/{address}/driver_override").stdout.strip()


def test_there_and_back_is_as_before_by_ip(node: Node) -> None:
    """Name, altname, MAC, MTU, UP, and what the PF has for it; the fixture compares once more."""
    set_up = f"ip link set {PORTS[0]} vf 0 vlan 100 spoofchk off trust on; ip link set {NAME} mtu 1400 up"
    node.vm.run(f"{set_up}; ip link property add dev {NAME} altname first-of-them")
    before = node.card()

    away = outcome(node.vm, f"bind {NAME} auto")
    assert (away["before"], away["driver"], away["changed"], away["netdev"]) == (
        "igbvf",
        "vfio-pci",
        True,
        "",
    )
    assert (driver(node.vm), override(node.vm), VF in node.card()) == ("vfio-pci", "vfio-pci", False)
    vf = node.vf(PORTS[0], 0)
    assert (vf["vlan_list"][0]["vlan"], vf["spoofchk"], vf["trust"]) == (100, False, True)
    assert outcome(node.vm, f"bind {VF} auto")["changed"] is False
    cdi_device = json.loads(node.vm.run(f"cat {CDI}").stdout)
    check(cdi_device)
    group = node.vm.run(f"basename $(readlink /sys/bus/pci/devices/{VF}/iommu_group)").stdout.strip()
    shown = [given["path"] for given in cdi_device["devices"][0]["containerEdits"]["deviceNodes"]]
    assert (cdi_device["devices"][0]["name"], shown) == (VF, ["/dev/vfio/vfio", f"/dev/vfio/{group}"])
    node.vm.run(" && ".join(f"test -c {path}" for path in shown))
    use_and_leave(node)
    home = outcome(node.vm, f"restore {PORTS[0]}:0")

    assert (home["changed"], home["netdev"], home["notes"]) == (True, NAME, [])
    assert (driver(node.vm), override(node.vm)) == ("igbvf", "(null)")
    assert node.changed(before) == []
    node.vm.run(f"! test -e {CDI}")
    undo = f"ip link set {PORTS[0]} vf 0 vlan 0 spoofchk on trust off; ip link set {NAME} down mtu 1500"
    node.vm.run(f"{undo}; ip link property del dev {NAME} altname first-of-them")
    # the ADD in between saw it first, as the operator had set it
    assert sriovctl(node.vm, f"baseline --take {VF}").returncode == 0


def use_and_leave(node: Node) -> None:
    """An ADD that names the VF has it as it is, with the MAC that its program will get; after DEL it is as it was. But igb
    forgets what the netdev had told it, as it does when a program resets the VF (igb_vf_reset_event).
    """
    conf = {"cniVersion": "1.1.0", "name": "fast", "type": "sriov", "deviceID": VF, "vlan": 200}
    found, cdi = node.vf(PORTS[0], 0), node.vm.get(CDI)
    node.add_netns("c1")
    added = node.cni("ADD", conf, "c1")
    (interface,) = added.document["interfaces"]
    vf = node.vf(PORTS[0], 0)
    assert (interface["pciID"], interface["mac"], vf["vlan_list"][0]["vlan"]) == (VF, vf["address"], 200)
    assert node.cni("DEL", conf, "c1").code == 0
    assert (driver(node.vm), override(node.vm), node.vm.get(CDI)) == ("vfio-pci", "vfio-pci", cdi)
    assert node.vf(PORTS[0], 0) == found | {"address": ZERO_MAC}


def test_a_process_that_has_the_device_is_named_and_then_lets_it_go(node: Node) -> None:
    """The kernel would let the write to driver/unbind wait for its end."""
    outcome(node.vm, f"bind {VF} vfio-pci")
    group = Path(node.vm.run(f"readlink /sys/bus/pci/devices/{VF}/iommu_group").stdout.strip()).name
    holder = node.vm.spawn(["python3", "-c", HOLD, f"/dev/vfio/{group}"], check=False, timeout=300)
    node.wait_for(lambda: node.vm.run("test -s /run/held", check=False).returncode == 0, 60)
    pid = node.vm.run("cat /run/held").stdout

    refused = sriovctl(node.vm, f"unbind {VF} --force")

    assert (refused.returncode, driver(node.vm)) == (1, "vfio-pci")
    assert f"it is open in python3 (pid {pid})" in refused.stderr
    node.vm.run(f"kill {pid}")
    holder.wait()
    assert outcome(node.vm, f"restore {VF}")["driver"] == driver(node.vm) == "igbvf"
