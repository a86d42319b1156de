"""`sriovctl bind`, `unbind`, `restore` of the bundle on the emulated card; what is expected comes from `ip` and sysfs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import bundle

from . import machine
from .guest import Done
from .node import CONF, Node, changes
from .ready import Lab
from .vm import PORTS, Vm

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

VF, PF = "0000:01:10.0", "0000:01:00.0"
NAME = f"{PORTS[0]}v0"
# opens a node, and by "device" the device of the group as well, as DPDK does (Documentation/driver-api/vfio.rst)
HOLD = """
import fcntl, os, signal, struct, sys
group = os.open(sys.argv[1], os.O_RDWR)
if sys.argv[2:] == ["device"]:
    container = os.open("/dev/vfio/vfio", os.O_RDWR)
    fcntl.ioctl(group, 0x3B68, struct.pack("i", container))  # VFIO_GROUP_SET_CONTAINER
    fcntl.ioctl(container, 0x3B66, 1)  # VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU
    device = fcntl.ioctl(group, 0x3B6A, b"0000:01:10.0\\0")  # VFIO_GROUP_GET_DEVICE_FD
    assert device > 0
open("/run/held", "w").write(str(os.getpid()))
signal.pause()
"""


@pytest.fixture(scope="session")
def lab_share() -> Path:
    return bundle.directory()


def sriovctl(vm: Vm, arguments: str) -> Done:
    return vm.run(f"/mnt/host/cni-sriov/sriovctl {arguments}", check=False)


def document(vm: Vm, arguments: str) -> dict[str, Any]:
    done = sriovctl(vm, f"{arguments} --json")
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["device"]
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

    away = document(node.vm, f"bind {NAME} vfio-pci")
    assert (away["before"], away["driver"], away["changed"], away["netdev"]) == (
        "igbvf",
        "vfio-pci",
        True,
        "",
    )
    assert (driver(node.vm), override(node.vm), VF in node.card()) == ("vfio-pci", "vfio-pci", False)
    vf = node.vf(PORTS[0], 0)
    assert (vf["vlan_list"][0]["vlan"], vf["spoofchk"], vf["trust"]) == (100, False, True)
    assert document(node.vm, f"bind {VF} auto")["changed"] is False
    home = document(node.vm, f"restore {PORTS[0]}:0")

    assert (home["changed"], home["netdev"], home["notes"]) == (True, NAME, [])
    assert (driver(node.vm), override(node.vm)) == ("igbvf", "(null)")
    assert changes(before, node.card()) == []
    undo = f"ip link set {PORTS[0]} vf 0 vlan 0 spoofchk on trust off; ip link set {NAME} down mtu 1500"
    node.vm.run(f"{undo}; ip link property del dev {NAME} altname first-of-them")


def test_auto_takes_vfio_and_uio_comes_when_it_is_asked_for(node: Node) -> None:
    before = node.card()

    assert document(node.vm, f"bind {VF} auto")["driver"] == driver(node.vm) == "vfio-pci"
    uio = document(node.vm, f"bind {VF} uio_pci_generic")
    assert (uio["before"], uio["driver"], driver(node.vm)) == (
        "vfio-pci",
        "uio_pci_generic",
        "uio_pci_generic",
    )
    assert document(node.vm, f"unbind {VF}")["driver"] == driver(node.vm) == ""
    assert document(node.vm, f"bind {VF} kernel")["driver"] == driver(node.vm) == "igbvf"

    assert changes(before, node.card()) == []
    missing = sriovctl(node.vm, f"bind {VF} igb_uio")
    assert (missing.returncode, driver(node.vm)) == (1, "igbvf")
    assert "dpdk-igb-uio-dkms" in missing.stderr


@pytest.mark.parametrize("what", ["group", "device"])
def test_a_process_that_has_the_device_is_named_and_then_lets_it_go(node: Node, what: str) -> None:
    """The kernel would let the write to driver/unbind wait for its end."""
    document(node.vm, f"bind {VF} vfio-pci")
    group = Path(node.vm.run(f"readlink /sys/bus/pci/devices/{VF}/iommu_group").stdout.strip()).name
    node.vm.run("rm -f /run/held")
    holder = node.vm.spawn(
        ["python3", "-c", HOLD, f"/dev/vfio/{group}", *(["device"] if what == "device" else [])], check=False
    )
    node.wait_for(lambda: node.vm.run("test -s /run/held", check=False).returncode == 0)
    pid = node.vm.run("cat /run/held").stdout

    refused = [sriovctl(node.vm, f"{verb} --force") for verb in (f"unbind {VF}", f"restore {VF}")]

    assert [done.returncode for done in refused] == [1, 1]
    assert all(f"it is open in python3 (pid {pid})" in done.stderr for done in refused)
    assert driver(node.vm) == "vfio-pci"
    node.vm.run(f"kill {pid}")
    holder.wait()
    assert document(node.vm, f"restore {VF}")["driver"] == driver(node.vm) == "igbvf"


def test_never_from_a_container_and_never_to_one(node: Node) -> None:
    node.add_netns("c1", "c2")
    document(node.vm, f"bind {VF} vfio-pci")

    added = node.cni("ADD", CONF, "c1")
    refused = sriovctl(node.vm, f"bind {PORTS[0]}:1 vfio-pci --force")
    of_pf = sriovctl(node.vm, f"bind {PORTS[0]} vfio-pci --force")

    assert added.code == 0, added.text
    assert "0000:01:10.2" in node.links("c1")  # the first VF is no choice
    assert (refused.returncode, of_pf.returncode) == (1, 1)
    assert "attached to c1/net1 (/run/netns/c1)" in refused.stderr
    assert "vf 1 (0000:01:10.2): attached to c1/net1" in of_pf.stderr
    document(node.vm, f"restore {VF}")
    other = node.cni("ADD", CONF, "c2")
    assert VF in node.links("c2"), other.text
    assert (node.cni("DEL", CONF, "c1").code, node.cni("DEL", CONF, "c2").code) == (0, 0)


def test_a_golden_baseline_holds_through_it(node: Node) -> None:
    node.add_netns("c1")
    assert node.cni("ADD", CONF, "c1").code == 0
    assert node.cni("DEL", CONF, "c1").code == 0
    before = node.card()

    document(node.vm, f"bind {VF} vfio-pci")
    document(node.vm, f"restore {VF}")

    row = json.loads(sriovctl(node.vm, f"baseline {VF} --json").stdout)["vfs"][0]
    assert (row["pci"], row["differs"], row["golden"]["state"]["own_mac"]) == (VF, [], before[VF]["address"])
    assert changes(before, node.card()) == []


@pytest.mark.parametrize(("verb", "ends"), [("bind", "vfio-pci"), ("restore", "igbvf")])
def test_a_kill_at_each_write_is_made_good(node: Node, verb: str, ends: str) -> None:
    """By SIGKILL when the k-th of the files is opened that it writes; then the same command again, or restore."""
    before, device = node.card(), f"/sys/bus/pci/devices/{VF}"
    files = (f"{device}/driver_override", f"{device}/driver/unbind", "/sys/bus/pci/drivers_probe")
    paths = " ".join(f"-P {path}" for path in files)
    argv = f"bind {VF} vfio-pci" if verb == "bind" else f"restore {VF}"
    killed = 0
    for k in range(2, 7):  # the first is the look, which opens driver_override, too
        if verb == "restore":
            document(node.vm, f"bind {VF} vfio-pci")
        inject = f"-e trace=openat -e inject=openat:signal=KILL:when={k}"
        done = node.vm.run(
            f"strace -f -qq -o /dev/null {paths} {inject} /mnt/host/cni-sriov/sriovctl {argv}", check=False
        )
        killed += done.returncode != 0
        if k % 2:
            assert document(node.vm, argv)["driver"] == driver(node.vm) == ends
        document(node.vm, f"restore {VF}")
        assert (driver(node.vm), override(node.vm)) == ("igbvf", "(null)")
        assert changes(before, node.card()) == [], k
    assert killed >= 4


def test_a_pf_goes_by_force_alone_and_comes_back(lab: Vm) -> None:
    node = Node(lab)
    node.create_vfs(2, PORTS[:1])
    lab.run(f"ip link set {PORTS[0]} mtu 1450")
    before = {PF: node.card()[PF]}

    refused = sriovctl(lab, f"bind {PORTS[0]} vfio-pci")
    assert (refused.returncode, driver(lab, PF)) == (1, "igb")
    assert "it is a PF, and without igb its 2 VFs go" in refused.stderr
    away = document(lab, f"bind {PORTS[0]} vfio-pci --force")
    assert (away["driver"], driver(lab, PF), PF in node.card()) == ("vfio-pci", "vfio-pci", False)
    home = document(lab, f"restore {PF}")

    assert (home["netdev"], driver(lab, PF), override(lab, PF)) == (PORTS[0], "igb", "(null)")
    assert home["notes"] == [f"it had 2 VFs: sriovctl vfs {PF} 2 makes them anew"]
    assert lab.run(home["notes"][0].partition(": ")[2].replace("sriovctl", "/mnt/host/cni-sriov/sriovctl", 1)
                   .removesuffix(" makes them anew")).returncode == 0  # fmt: skip
    after = {PF: node.card()[PF]}
    vfs = {key for key in before[PF] | after[PF] if key.startswith("vf ")}
    assert vfs == {"vf 0", "vf 1"}
    for card in (before, after):
        card[PF] = {key: value for key, value in card[PF].items() if key not in vfs}
    assert changes(before, after) == []


def test_without_an_iommu_nothing_unsafe_is_chosen_and_lockdown_forbids_the_rest(
    saved_lab: Lab, lab_share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A boot for real: the kernel's command line is part of the saved machine."""
    monkeypatch.setattr(machine, "CMDLINE", machine.CMDLINE.replace("intel_iommu=on", "intel_iommu=off"))
    with Vm(saved_lab.image, saved_lab.accelerator, lab_share) as vm:
        vm.boot()
        node = Node(vm)
        node.create_vfs(1, PORTS[:1])
        assert vm.run("ls /sys/kernel/iommu_groups").stdout == ""
        before = node.card()

        auto, vfio = sriovctl(vm, f"bind {VF} auto"), sriovctl(vm, f"bind {VF} vfio-pci")
        assert (auto.returncode, vfio.returncode, driver(vm)) == (1, 1, "igbvf")
        assert f"sriovctl bind {VF} uio_pci_generic" in auto.stderr
        assert "no-IOMMU mode is off" in vfio.stderr
        document(vm, f"bind {VF} uio_pci_generic")
        assert driver(vm) == "uio_pci_generic"
        document(vm, f"restore {VF}")
        assert changes(before, node.card()) == []

        # the look before it says otherwise, and the probe binds nothing: the write itself succeeds
        vm.run(
            "modprobe vfio-pci; mkdir -p /run/fake/parameters; echo Y > /run/fake/parameters/enable_unsafe_noiommu_mode"
        )
        vm.run("mount --bind /run/fake /sys/module/vfio")
        nothing = sriovctl(vm, f"bind {VF} vfio-pci")
        assert (nothing.returncode, driver(vm), override(vm)) == (1, "igbvf", "(null)")
        assert "nothing bound: its probe refused the device, which is in no IOMMU group" in nothing.stderr
        assert f"{VF} is on igbvf again" in nothing.stderr
        assert changes(before, node.card()) == []

        vm.run(
            "mount -t securityfs none /sys/kernel/security; echo integrity > /sys/kernel/security/lockdown"
        )
        locked = sriovctl(vm, f"bind {VF} uio_pci_generic --force")
        assert (locked.returncode, driver(vm)) == (1, "igbvf")
        assert "the kernel is locked down (integrity)" in locked.stderr
