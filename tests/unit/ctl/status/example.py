"""A node worth drawing: two ports, containers on VLANs, one VF with DPDK, one that is in the way.

`python -m tests.unit.ctl.status.example` draws it anew as docs/status.svg.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from cni_sriov.kernel.replies import Address
from tests.pages import ROOT
from tests.unit.ctl.tool import files, sriovctl
from tests.world import World

PICTURE = ROOT / "docs" / "status.svg"
PCI_IDS = """\
# the vendors and devices of this card, as pci.ids of Debian 12 has them
8086  Intel Corporation
\t10c9  82576 Gigabit Network Connection
\t\t103c 31ef  NC362i Integrated Dual port Gigabit Server Adapter
\t10ca  82576 Virtual Function
C 02  Network controller
\t00  Ethernet controller
"""
ALIASES = """\
# Aliases extracted from modules themselves.
alias pci:v00008086d000010CAsv*sd*bc*sc*i* igbvf
alias pci:v00008086d000010C9sv*sd*bc*sc*i* igb
alias pci:v*d*sv*sd*bc06sc04i00* shpchp
alias vfio_pci:v00008086d000010CAsv*sd*bc*sc*i* never
"""
RELEASE = "6.12.95+deb12-amd64"
# container, its interface, VLAN, dual stack
ATTACHED = (
    ("web", "net1", 100, True),
    ("web", "net2", 200, False),
    ("db", "net1", 200, False),
    ("cache", "net1", 300, False),
    ("gateway", "ext0", 0, False),
)


def put(world: World, path: str, text: str) -> None:
    """A file of the node, where tool.files finds it."""
    where = Path(f"{world.root}{path}")
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_text(text)


def show_sysfs(world: World) -> None:
    """The fake kernel's /sys, where tool.files finds it, with what it leaves out: classes, groups, nodes."""
    files(world)
    for number, pf in enumerate(world.kernel.pfs):
        device = f"/sys/bus/pci/devices/{pf.pci_address}"
        put(world, f"{device}/modalias", "pci:v00008086d000010C9sv00008086sd00000000bc02sc00i00")
        for group, address in enumerate(
            (pf.pci_address, *(vf.pci_address for vf in pf.vfs)), 15 + 10 * number
        ):
            device = f"/sys/bus/pci/devices/{address}"
            put(world, f"{device}/class", "0x020000")
            put(world, f"{device}/numa_node", "0")
            os.symlink(f"../../../kernel/iommu_groups/{group}", f"{world.root}{device}/iommu_group")
            put(world, f"/sys/kernel/iommu_groups/{group}/devices/{address}", "")
        for vf in pf.vfs:
            alias = "pci:v00008086d000010CAsv00008086sd00000000bc02sc00i00"
            put(world, f"/sys/bus/pci/devices/{vf.pci_address}/modalias", alias)


def furnish(world: World) -> None:
    """On a world of one port with seven VFs."""
    world.kernel.add_pf("enp1s0f1", "0000:01:00.1", numvfs=7)
    for container in {who for who, *_ in ATTACHED} - {"pod1"}:
        world.kernel.add_pod(f"/run/netns/{container}")
    for number, (container, ifname, vlan, is_dual) in enumerate(ATTACHED):
        pools = [{"subnet": "10.20.0.0/16", "prefixLength": 24}]
        pools += [{"subnet": "fd00:20::/48", "prefixLength": 64}] if is_dual else []
        conf = world.conf(
            ipam=world.ipam(pools=pools),
            vlan=vlan,
            name={100: "front", 200: "back", 300: "cache", 0: "plain"}[vlan],
            master=f"enp1s0f{number % 2}",
        )
        reply = world.call("ADD", conf, container, f"/run/netns/{container}", ifname)
        assert reply.code == 0, reply.text
    first, second = world.kernel.pfs
    world.kernel.set_driver(first.vfs[5], "vfio-pci")
    world.kernel.set_driver(second.vfs[6], "")
    busy = next(link for link in world.kernel.host.links.values() if link.name == "enp1s0f1v3")
    ifindex = next(i for i, link in world.kernel.host.links.items() if link is busy)
    busy.addresses.append(Address("192.0.2.7/24", ifindex, 0x80))
    show_sysfs(world)
    put(world, "/usr/share/misc/pci.ids", PCI_IDS)
    put(world, "/proc/sys/kernel/osrelease", RELEASE + "\n")
    put(world, "/proc/sys/kernel/hostname", "node-3\n")
    put(world, f"/lib/modules/{RELEASE}/modules.alias", ALIASES)
    put(world, "/sys/module/vfio_pci/version", "")


def draw() -> str:
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory))
        world.kernel.add_pf("enp1s0f0", "0000:01:00.0", numvfs=7)
        furnish(world)
        run = sriovctl(world, "status", "--svg", "-")
        assert run.status == 0, run.err
        return run.out


if __name__ == "__main__":
    PICTURE.write_text(draw())
