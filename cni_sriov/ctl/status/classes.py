"""Which PCI devices DPDK can drive, by what they are for. The lists are those of DPDK's usertools/dpdk-devbind.py."""

from __future__ import annotations

from typing import NamedTuple

from ...words.device import Device

_INTEL, _CAVIUM, _VIRTIO, _HUAWEI = 0x8086, 0x177D, 0x1AF4, 0x19E5
DPDK_DRIVERS = ("igb_uio", "vfio-pci", "uio_pci_generic")


class _Match(NamedTuple):
    """A base class (PCI Code and ID Assignment 1.1); a vendor, 0 = any; devices, none = any."""

    base_class: int
    vendor: int = 0
    devices: tuple[int, ...] = ()

    def fits(self, device: Device) -> bool:
        return (
            device.base_class == self.base_class
            and self.vendor in {0, device.vendor}
            and (not self.devices or device.device in self.devices)
        )


# title, and what belongs there; a device may be in two (an FPGA that is a network card is Baseband, too)
KINDS: dict[str, tuple[str, tuple[_Match, ...]]] = {
    "network": (
        "Network",
        (
            _Match(0x02),
            _Match(0x08, _CAVIUM, (0xA0DD, 0xA049)),  # PKX: the OCTEON TX's packet input
            _Match(0x05, _VIRTIO, (0x1110,)),  # Wind River's AVP
            _Match(0x12, _INTEL, (0x0B30,)),  # the N3000
        ),
    ),
    "baseband": ("Baseband", (_Match(0x12),)),
    # QuickAssist is 0b40, a co-processor
    "crypto": ("Crypto", (_Match(0x10), _Match(0x0B, _INTEL))),
    "dma": (
        "DMA",
        (
            _Match(0x08, _CAVIUM, (0xA081,)),
            _Match(0x08, _HUAWEI, (0xA122,)),
            _Match(0x08, _INTEL, (0x0B00, 0x0B25, 0x2021, *range(0x6F20, 0x6F28), 0x6F2E, 0x6F2F)),
        ),
    ),
    "eventdev": (
        "Eventdev",
        (
            _Match(0x08, _CAVIUM, (0xA04B, 0xA04D, 0xA051, 0xA0F9, 0xA0FA)),  # SSO and TIM
            _Match(0x0B, _INTEL, (0x270B, 0x2710, 0x2714)),  # DLB
        ),
    ),
    "mempool": ("Mempool", (_Match(0x08, _CAVIUM, (0xA053, 0xA0FB, 0xA0FC)),)),  # FPA and NPA
    "compress": ("Compress", (_Match(0x12, _CAVIUM, (0xA037,)),)),
    "misc": (
        "Misc (rawdev)",
        (
            _Match(0x08, _CAVIUM, (0xA089, 0xA059, 0xA060, 0xA0F0, 0xA0F1)),
            _Match(0x06, _INTEL, (0x201C, 0x347E)),  # NTB
            _Match(0x01, _VIRTIO, (0x1001, 0x1042)),  # block
        ),
    ),
    "regex": ("Regex", (_Match(0x08, _CAVIUM, (0xA0F4,)),)),
}


def kinds_of(device: Device) -> list[str]:
    """Its sections' names, in their order; [] for what DPDK does not drive."""
    return [kind for kind, (_, matches) in KINDS.items() if any(match.fits(device) for match in matches)]
