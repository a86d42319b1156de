"""A node in good health for the doctor's rules: two ports of a card, one with seven VFs; each test makes it ill."""

from __future__ import annotations

from cni_sriov.decide.facts import Facts, Rule
from cni_sriov.decide.facts_card import Card, CardVf
from cni_sriov.decide.facts_machine import Machine
from cni_sriov.decide.slot import Slot
from cni_sriov.decide.trouble import Trouble
from cni_sriov.words.device import Device
from cni_sriov.words.hugepages import HugePages
from cni_sriov.words.pcispace import Space, Sriov

PF0, PF1 = "0000:01:00.0", "0000:01:00.1"
NODE0 = "/sys/devices/system/node/node0/hugepages/hugepages-2048kB"
NODE1 = "/sys/devices/system/node/node1/hugepages/hugepages-2048kB"


def port(address: str = PF0, ifname: str = "enp1s0f0", numvfs: int = 7) -> Card:
    device = Device(address, 0x0200, 0x8086, 0x1521, "igb", netdevs=[ifname], totalvfs=7, numvfs=numvfs)
    device.group, device.members, device.numa_node = "12", [address], 0
    vfs = [CardVf(n, vf_device(f"0000:01:{0x10 + n // 4:02x}.{n % 4 * 2}", address)) for n in range(numvfs)]
    return Card(device, ifname, is_up=True, has_carrier=True, slot=slot(address, 7), vfs=vfs)


def slot(address: str, total: int | None, is_whole: bool = True) -> Slot:
    """`total`: of the capability, None = there is none. Alone on a root bus: nothing limits it."""
    card = Sriov(total, total, 0, 0x80, 2, False, False, True, 0, 0x1520, 1) if total is not None else None
    space = Space(4096 if is_whole else 64, is_whole, is_gone=False, is_express=True, sriov=card)
    return Slot(address, driver="igb", total=total or None, offset=0x80, stride=2, space=space)


def vf_device(address: str, pf: str = PF0) -> Device:
    return Device(address, 0x0200, 0x8086, 0x1520, "igbvf", pf=pf, group="20", members=[address], numa_node=0)


def machine() -> Machine:
    return Machine(
        vendor="GenuineIntel",
        release="6.12.0",
        cmdline="root=/dev/sda1 intel_iommu=on iommu=pt",
        groups=20,
        iommus=["dmar0"],
        iommu_tables=["DMAR"],
        lockdown="none",
        secure_boot=False,
        modules={"vfio-pci": "loaded", "uio_pci_generic": "loadable", "igb_uio": "missing"},
        hugepages=[HugePages(0, 2048, 256, 200, NODE0)],
        hugetlbfs=["/dev/hugepages"],
    )


def healthy() -> Facts:
    return Facts(machine(), [port()])


def ill(rule: Rule, facts: Facts) -> list[Trouble]:
    return list(rule(facts))


def one(rule: Rule, facts: Facts) -> Trouble:
    (trouble,) = rule(facts)
    assert trouble.rule == getattr(rule, "__name__", "").replace("_", "-")
    return trouble


def said(trouble: Trouble) -> dict[str, str]:
    return {evidence.source: evidence.said for evidence in trouble.evidence}
