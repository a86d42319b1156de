"""`status --devices`: dpdk-devbind's words, and whose each VF is."""

from __future__ import annotations

from cni_sriov.kernel.replies import KernelRoute
from cni_sriov.words.domain import Route
from tests.unit.ctl.tool import files, sriovctl
from tests.world import World


def test_sections(furnished: World) -> None:
    port = next(link for link in furnished.kernel.host.links.values() if link.name == "enp1s0f1")
    ifindex = next(i for i, link in furnished.kernel.host.links.items() if link is port)
    port.routes.append(KernelRoute(Route("192.0.2.0/24"), ifindex, 254))

    lines = sriovctl(furnished, "status", "--devices").out.splitlines()

    pf = "'Intel Corporation 82576 Gigabit Network Connection 10c9'"
    vf = "'Intel Corporation 82576 Virtual Function 10ca'"
    assert lines[:2] == [
        "Network devices using DPDK-compatible driver",
        f"0000:01:11.2 {vf} drv=vfio-pci unused=igbvf group=21 numa=0 vf=enp1s0f0/5",
    ]
    assert lines[2:5] == [
        "Network devices using kernel driver",
        f"0000:01:00.0 {pf} if=enp1s0f0 drv=igb unused=vfio-pci group=15 numa=0",
        f"0000:01:00.1 {pf} if=enp1s0f1 drv=igb unused=vfio-pci group=25 numa=0 *Active*",
    ]
    assert f"0000:01:10.0 {vf} drv=igbvf unused=vfio-pci group=16 numa=0 vf=enp1s0f0/0 web/net1" in lines
    assert f"0000:01:10.6 {vf} if=enp1s0f0v3 drv=igbvf unused=vfio-pci group=19 numa=0 vf=enp1s0f0/3" in lines
    assert lines[-3:] == [
        "Other Network devices",
        f"0000:01:11.5 {vf} unused=igbvf,vfio-pci group=32 numa=0 vf=enp1s0f1/6",
        "No Baseband, Crypto, DMA, Eventdev, Mempool, Compress, Misc (rawdev), Regex devices",
    ]


def test_a_node_without_names_shows_numbers(world: World) -> None:
    files(world)
    (world.kernel.root / "sys/bus/pci/devices/0000:01:00.0/class").write_text("0x020000\n")

    lines = sriovctl(world, "status", "--devices").out.splitlines()

    assert lines[1] == "0000:01:00.0 '8086:10c9' if=enp1s0f0 drv=igb unused="
