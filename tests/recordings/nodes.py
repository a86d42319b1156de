"""Nodes that nobody of us has, each by what its sysfs says: a tree is built, and the product's recorder takes it. Numbers are
those of the notes, of the specification (tests/unit/pcibytes.py), and of the drivers' sources.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cni_sriov.ctl.recording.answers import Answers, RecordedNetlink
from cni_sriov.ctl.recording.record import taken
from cni_sriov.ctl.recording.recording import Recording, document, unpacked
from cni_sriov.ctl.tool import Tool
from cni_sriov.kernel.files import Files
from cni_sriov.kernel.netlink import Netlink
from cni_sriov.kernel.netns import OWN as OWN_NETNS
from cni_sriov.kernel.rtnl import IFINFO
from cni_sriov.kernel.sysfs import Sysfs
from cni_sriov.state.ledger import Ledger
from cni_sriov.vf.host import Host
from cni_sriov.words.domain import Link
from cni_sriov.words.failures import Failures
from cni_sriov.words.log import Log
from cni_sriov.words.record import VfState
from tests.unit import pcibytes
from tests.unit.ctl.cards import ASSIGNED, NONE, OWN

BOOT = "5a17e4d0-0000-4000-8000-000000000001"
MIB = 1 << 20
UP = 0x11043  # IFF_UP, IFF_BROADCAST, IFF_RUNNING, IFF_MULTICAST, IFF_LOWER_UP: linux/if.h


@dataclass
class Machine:
    """Below `root`; `links` and `states` are what netlink says."""

    root: Path
    links: list[Link] = field(default_factory=lambda: [Link(1, "lo", flags=0x10049, mtu=65536)])
    states: dict[int, dict[int, VfState]] = field(default_factory=dict)
    names: dict[tuple[str, str], str] = field(default_factory=dict)

    def write(self, path: str, content: str | bytes) -> None:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else f"{content}\n".encode())

    def link(self, path: str, to: str) -> None:
        """As sysfs has them: relative."""
        place, target = self.root / path.lstrip("/"), self.root / to.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(os.path.relpath(target, place.parent))

    def base(self, cmdline: str, cpu: str, iommus: tuple[str, ...], kernel: str = "6.12.95-amd64") -> None:
        """What every node has."""
        self.write("/proc/cmdline", f"BOOT_IMAGE=/boot/vmlinuz-{kernel} root=/dev/sda1 ro {cmdline}".strip())
        self.write("/proc/cpuinfo", f"processor\t: 0\nvendor_id\t: {cpu}\nflags\t\t: fpu vme vmx\n")
        self.write("/proc/sys/kernel/osrelease", kernel)
        self.write("/proc/meminfo", "MemTotal: 65806456 kB")
        self.write("/proc/mounts", "sysfs /sys sysfs rw 0 0\nproc /proc proc rw 0 0")
        self.write("/proc/1/comm", "systemd")
        self.write("/proc/version", f"Linux version {kernel}")
        for size in (2048, 1048576):
            for which in ("nr", "free"):
                self.write(
                    f"/sys/devices/system/node/node0/hugepages/hugepages-{size}kB/{which}_hugepages", "0"
                )
        for name in iommus:
            (self.root / "sys/class/iommu" / name).mkdir(parents=True)
        (self.root / "sys/class/iommu").mkdir(parents=True, exist_ok=True)
        (self.root / "sys/kernel/iommu_groups").mkdir(parents=True, exist_ok=True)
        self.write("/sys/firmware/acpi/tables/DMAR", "")
        modules = ["kernel/drivers/vfio/pci/vfio-pci.ko:", "kernel/drivers/uio/uio_pci_generic.ko:"]
        self.write(f"/lib/modules/{kernel}/modules.dep", "\n".join(modules))
        self.write(f"/lib/modules/{kernel}/modules.alias", "alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci")
        for name in (
            "dev",
            "run/cni-sriov",
            "var/lib/cni/sriov",
            "etc/cni/net.d",
            "opt/cni/bin",
            "run/udev/data",
        ):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        self.write("/run/udev/control", "")

    def device(self, path: str, kind: int, vendor: int, device: int, config: bytes, driver: str = "") -> None:
        """`path` below /sys/devices/pci0000:00, bridges and all."""
        where, address = f"/sys/devices/pci0000:00/{path}", path.rpartition("/")[2]
        told = {"class": f"0x{kind:04x}00", "vendor": f"0x{vendor:04x}", "device": f"0x{device:04x}"}
        told |= {"numa_node": "0", "driver_override": "(null)", "revision": "0x01"}
        told["modalias"] = f"pci:v{vendor:08X}d{device:08X}sv00000000sd00000000bc02sc00i00"
        for name, text in told.items():
            self.write(f"{where}/{name}", text)
        self.write(f"{where}/config", config)
        self.link(f"/sys/bus/pci/devices/{address}", where)
        if driver:
            (self.root / f"sys/bus/pci/drivers/{driver}").mkdir(parents=True, exist_ok=True)
            self.link(f"{where}/driver", f"/sys/bus/pci/drivers/{driver}")

    def bridge(self, path: str, bus: int, last: int, config: bytes) -> None:
        self.device(path, 0x0604, 0x8086, 0x1901, config, "pcieport")
        where = f"/sys/devices/pci0000:00/{path}"
        self.write(f"{where}/secondary_bus_number", str(bus))
        self.write(f"{where}/subordinate_bus_number", str(last))

    def group(self, path: str, number: int) -> None:
        where, address = f"/sys/devices/pci0000:00/{path}", path.rpartition("/")[2]
        self.link(f"/sys/kernel/iommu_groups/{number}/devices/{address}", where)
        self.link(f"{where}/iommu_group", f"/sys/kernel/iommu_groups/{number}")

    def netdev(self, path: str, name: str, mac: str, flags: int = UP) -> None:
        where, index = f"/sys/devices/pci0000:00/{path}", len(self.links) + 1
        self.write(f"{where}/net/{name}/ifindex", str(index))
        self.write(f"{where}/net/{name}/address", mac)
        self.write(f"{where}/net/{name}/dev_port", "0")
        (self.root / where[1:] / f"net/{name}/device").symlink_to(f"../../../{where.rpartition('/')[2]}")
        self.link(f"/sys/class/net/{name}", f"{where}/net/{name}")
        self.write(f"/run/udev/data/n{index}", "")
        address = path.rpartition("/")[2]
        self.links.append(
            Link(
                index, name, flags=flags, mac=mac, mtu=1500, parent_dev=address, carrier=bool(flags & 0x10000)
            )
        )

    def pf(self, path: str, total: int, numvfs: int, offset: int, stride: int, resource: list[str]) -> None:
        where = f"/sys/devices/pci0000:00/{path}"
        told = {
            "totalvfs": total,
            "numvfs": numvfs,
            "offset": offset,
            "stride": stride,
            "drivers_autoprobe": 1,
        }
        for name, number in told.items():
            self.write(f"{where}/sriov_{name}", str(number))
        self.write(f"{where}/resource", "\n".join(resource))

    def vfs(
        self, pf: str, count: int, offset: int, stride: int, driver: str, device: int, vendor: int
    ) -> None:
        """On the PF's own bus and those behind it, with their netdevs; PCIe SR-IOV 2.1.2."""
        where, address = f"/sys/devices/pci0000:00/{pf}", pf.rpartition("/")[2]
        bus = int(address[5:7], 16)
        ifname = next(link for link in self.links if link.parent_dev == address).ifname
        states = self.states.setdefault(self.links[-1].ifindex, {})
        for index in range(count):
            vf = routed(address, offset + stride * index)
            path = f"{pf.rpartition('/')[0]}/{vf}"
            self.device(path, 0x0200, vendor, device, pcibytes.GONE[:64], driver)
            self.link(f"/sys/devices/pci0000:00/{path}/physfn", where)
            self.link(f"{where}/virtfn{index}", f"/sys/devices/pci0000:00/{path}")
            self.group(path, bus * 1000 + index)
            self.netdev(
                path, f"{ifname}v{index}", f"02:00:00:{bus:02x}:{index >> 8:02x}:{index & 255:02x}", 0x1002
            )
            states[index] = VfState(mac="", vlan=0, spoofchk=True, trust=False, link_state="auto")

    def recorded(self) -> Recording:
        """By the product, as on a node; then without what every day has another of."""
        failures, out = Failures(), io.StringIO()
        tool = Tool(
            out,
            out,
            0,
            self._host,
            data_dir=f"{self.root}/var/lib/cni/host-subnet",
            files=Files(str(self.root)),
            bundle="/none/sriov",
        )
        found = taken(tool, f"{self.root}/var/lib/cni/sriov", lambda _: None, failures)
        assert failures.told == [], failures.told
        text = json.dumps(document(found)).replace(str(self.root), "")
        again = unpacked(text.encode(), "x")
        node, again.by = again.node, "0.1.0"
        node.made, node.uptime, node.boot_id, node.sysfs = 1_764_115_200, 86_400.0, BOOT, "sysfs"
        node.inodes = {address: 1000 + number for number, address in enumerate(sorted(node.inodes))}
        again.tree.ages = dict.fromkeys(again.tree.ages, 0.0)
        for device in again.tree.lists.get("/sys/bus/pci/devices", []):
            assert device in node.inodes
        return again

    def _host(self, state_dir: str) -> Host:
        log = Log("none")
        ledger = Ledger(state_dir, log, f"{self.root}/run/cni-sriov", BOOT)
        told: dict[str, object] = {"links []": self.links, "addresses [0]": [], "routes [0, 254]": []}
        for link in self.links:
            told[f"whole_link [{link.ifindex}]"] = IFINFO.pack(0, 0, link.ifindex, link.flags, 0)
        for link in self.links:
            told[f"vf_states [{link.ifindex}, null]"] = self.states.get(link.ifindex, {})
        return Described(ledger, log, Sysfs(f"{self.root}/sys", f"{self.root}/run"), Answers(told))


class Described(Host):
    """A node of which netlink's answers are told."""

    __slots__ = ("answers",)

    def __init__(self, ledger: Ledger, log: Log, sysfs: Sysfs, answers: Answers) -> None:
        super().__init__(ledger, log, sysfs)
        self.answers = answers

    @property
    def netlink(self) -> Netlink:
        return RecordedNetlink(self.answers)

    def live_netns(self) -> dict[int, list[str]]:
        return {4026531840: [OWN_NETNS]}

    def blind_spot(self) -> str:
        return ""


def routed(pf: str, offset: int) -> str:
    """The address of a VF: the routing ID of its PF and so much more."""
    domain, bus, rest = pf.split(":")
    slot, _, function = rest.partition(".")
    number = (int(bus, 16) << 8 | int(slot, 16) << 3 | int(function, 16)) + offset
    return f"{domain}:{number >> 8:02x}:{number >> 3 & 31:02x}.{number & 7}"


# the nodes ------------------------------------------------------------------------------------------------------------


def i350_without_ari(root: Path) -> Recording:
    """The notes' case: an I350-T2 in the x16 slot at the processor's own root port, which forwards no ARI and ends at bus
    01; the VFs begin at bus 02. igb allows seven of eight.
    """
    node = Machine(root)
    node.base("quiet intel_iommu=on pci=assign-busses", "GenuineIntel", ("dmar0",))
    port = "0000:00:01.0"
    node.bridge(port, 1, 1, pcibytes.port(1, 1))
    for number, name in enumerate(("enp1s0f0", "enp1s0f1")):
        pf = f"{port}/0000:01:00.{number}"
        node.device(pf, 0x0200, 0x8086, 0x1521, pcibytes.function(offset=0x180), "igb")
        node.pf(pf, 7, 0, 0x180, 2, [*OWN, *ASSIGNED])
        node.group(pf, 1)
        node.netdev(pf, name, f"a0:36:9f:00:00:{number:02x}")
    node.group(port, 1)
    return node.recorded()


def mlx5_bifurcated(root: Path) -> Recording:
    """A ConnectX with four VFs, on which DPDK runs beside mlx5_core: nothing is to be bound. Its port forwards ARI."""
    node = Machine(root)
    node.base("quiet", "AuthenticAMD", ("ivhd0",))
    port, first = "0000:00:03.1", 0x2000000000
    config = pcibytes.port(0x41, 0x42, True, True, prefetchable=(first, first + 64 * MIB - 1))
    node.bridge(port, 0x41, 0x42, config)
    pf, bars = f"{port}/0000:41:00.0", {0: (first, pcibytes.MEM64_PREFETCHABLE)}
    space = pcibytes.function(total=8, offset=2, stride=1, hierarchy=True, numvfs=4, bars=bars)
    node.device(pf, 0x0200, 0x15B3, 0x101D, space, "mlx5_core")
    window = f"0x{first:016x} 0x{first + 8 * MIB - 1:016x} 0x000000000014220c"
    node.pf(pf, 8, 4, 2, 1, [*OWN, window, *[NONE] * 5])
    node.group(pf, 20)
    node.netdev(pf, "enp65s0f0np0", "b8:ce:f6:00:00:01")
    node.vfs(pf, 4, 2, 1, "mlx5_core", 0x101E, 0x15B3)
    return node.recorded()


def pf_of_256(root: Path) -> Recording:
    """All of its 256 VFs are there: they follow the PF one by one, over the end of its bus, and one bus more is enough."""
    node = Machine(root)
    node.base("quiet intel_iommu=on", "GenuineIntel", ("dmar0", "dmar1"))
    port, first = "0000:00:02.0", 0x4000000000
    config = pcibytes.port(0x3B, 0x3C, True, True, prefetchable=(first, first + 64 * MIB - 1))
    node.bridge(port, 0x3B, 0x3C, config)
    pf, bars = f"{port}/0000:3b:00.0", {0: (first, pcibytes.MEM64_PREFETCHABLE)}
    space = pcibytes.function(total=256, offset=2, stride=1, hierarchy=True, numvfs=256, bars=bars)
    node.device(pf, 0x0200, 0x8086, 0x1592, space, "ice")
    window = f"0x{first:016x} 0x{first + 16 * MIB - 1:016x} 0x000000000014220c"
    node.pf(pf, 256, 256, 2, 1, [*OWN, window, *[NONE] * 5])
    node.group(pf, 30)
    node.netdev(pf, "ens1", "b4:96:91:00:00:01")
    node.vfs(pf, 256, 2, 1, "iavf", 0x1889, 0x8086)
    return node.recorded()


def one_name_in_another(root: Path) -> Recording:
    """Two cards, of which one's interface is called as the beginning of the other's: enp1s0 and enp1s0f1; the VFs of one are
    not the other's. netplan and others match such names by their beginning.
    """
    node = Machine(root)
    node.base("quiet intel_iommu=on", "GenuineIntel", ("dmar0",))
    for slot, bus, name, numvfs in (("0000:00:01.0", 1, "enp1s0", 2), ("0000:00:01.1", 2, "enp1s0f1", 3)):
        node.bridge(slot, bus, bus, pcibytes.port(bus, bus, True, True))
        pf = f"{slot}/0000:{bus:02x}:00.0"
        space = pcibytes.function(offset=0x80, hierarchy=True, numvfs=numvfs)
        node.device(pf, 0x0200, 0x8086, 0x1521, space, "igb")
        node.pf(pf, 7, numvfs, 0x80, 2, [*OWN, *ASSIGNED])
        node.group(pf, bus)
        node.netdev(pf, name, f"a0:36:9f:00:{bus:02x}:00")
        node.vfs(pf, numvfs, 0x80, 2, "igbvf", 0x1520, 0x8086)
    return node.recorded()


NODES: dict[str, Callable[[Path], Recording]] = {
    "i350-without-ari": i350_without_ari,
    "mlx5-bifurcated": mlx5_bifurcated,
    "pf-of-256": pf_of_256,
    "one-name-in-another": one_name_in_another,
}
