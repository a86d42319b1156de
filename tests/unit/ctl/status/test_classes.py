"""Devices by their IDs, as pci.ids and DPDK's guides name them; tests/lab/test_status.py asks dpdk-devbind itself."""

from __future__ import annotations

import pytest

from cni_sriov.ctl.status.classes import KINDS, kinds_of
from cni_sriov.words.device import Device


@pytest.mark.parametrize(
    ("kind", "vendor", "device", "sections"),
    [
        (0x0200, 0x8086, 0x1521, ["network"]),  # I350
        (0x0200, 0x15B3, 0x1019, ["network"]),  # ConnectX-5
        (0x0207, 0x15B3, 0x1003, ["network"]),  # ConnectX-3, InfiniBand
        (0x0280, 0x8086, 0x2723, ["network"]),  # Wi-Fi 6
        (0x0B40, 0x8086, 0x37C8, ["crypto"]),  # C62x QAT
        (0x0B40, 0x8086, 0x37C9, ["crypto"]),  # its VF
        (0x0B40, 0x8086, 0x0435, ["crypto"]),  # DH895xCC
        (0x1000, 0x177D, 0x0012, ["crypto"]),  # NITROX
        (0x0B40, 0x8086, 0x2710, ["crypto", "eventdev"]),  # DLB 2.0
        (0x0880, 0x177D, 0xA04D, ["eventdev"]),  # OCTEON TX SSO VF
        (0x0880, 0x177D, 0xA0F9, ["eventdev"]),  # OCTEON TX2 SSO
        (0x0880, 0x177D, 0xA053, ["mempool"]),  # OCTEON TX FPA VF
        (0x0880, 0x177D, 0xA0FB, ["mempool"]),  # OCTEON TX2 NPA
        (0x1200, 0x177D, 0xA037, ["baseband", "compress"]),  # OCTEON TX ZIP VF
        (0x1200, 0x8086, 0x0D5C, ["baseband"]),  # ACC100
        (0x1200, 0x8086, 0x0B30, ["network", "baseband"]),  # PAC N3000
        (0x0880, 0x8086, 0x2021, ["dma"]),  # Sky Lake CBDMA
        (0x0880, 0x8086, 0x6F29, []),  # not CBDMA: between two that are
        (0x0680, 0x8086, 0x201C, ["misc"]),  # NTB
        (0x0100, 0x1AF4, 0x1042, ["misc"]),  # virtio block
        (0x0880, 0x177D, 0xA0F4, ["regex"]),
        (0x0604, 0x8086, 0x2030, []),  # a root port
        (0x0300, 0x1234, 0x1111, []),  # a display
        (0x0106, 0x8086, 0x2922, []),  # AHCI
        (0, 0, 0, []),
    ],
)
def test_each_is_where_it_belongs(kind: int, vendor: int, device: int, sections: list[str]) -> None:
    assert kinds_of(Device("0000:01:00.0", kind, vendor, device)) == sections


def test_sections_have_devbinds_order() -> None:
    """Of `show_status`, usertools/dpdk-devbind.py, 22.11."""
    assert [title for title, _ in KINDS.values()] == [
        "Network", "Baseband", "Crypto", "DMA", "Eventdev", "Mempool", "Compress", "Misc (rawdev)", "Regex",
    ]  # fmt: skip
