"""A card in its slot, as sysfs has it: below bridges, with configuration spaces by the specification."""

from __future__ import annotations

import os
from pathlib import Path

from tests.unit import pcibytes

# as the lab's card has them: 6 BARs, the ROM, then the 6 of the VFs (begin, end, flags)
OWN = ["0x00000000fe400000 0x00000000fe41ffff 0x0000000000040200", *["0x0000000000000000 0x0000000000000000 0x0000000000000000"] * 6]  # fmt: skip
NONE = "0x0000000000000000 0x0000000000000000 0x0000000000000000"
ASSIGNED = [
    "0x00000000fe800000 0x00000000fe81ffff 0x000000000014220c", NONE, NONE,
    "0x00000000fe820000 0x00000000fe83ffff 0x000000000014220c", NONE, NONE,
]  # fmt: skip


class Card:
    """Below `root`, which is /: the PF 0000:01:00.0 of an I350 behind 0000:00:01.0, by default as in the notes."""

    def __init__(
        self, root: Path, pci: str = "0000:01:00.0", ports: tuple[str, ...] = ("0000:00:01.0",)
    ) -> None:
        self.root = root
        self.ports = ports
        above = root / "sys/devices/pci0000:00" / "/".join(ports)
        self.pf = above / pci
        self.pf.mkdir(parents=True)
        self.devices = root / "sys/bus/pci/devices"
        self.devices.mkdir(parents=True, exist_ok=True)
        for device in (self.pf, *[above.parents[n] / port for n, port in enumerate(ports[::-1])]):
            link = self.devices / device.name
            if not link.is_symlink():
                link.symlink_to(os.path.relpath(device, self.devices))
        self.write("class", "0x020000\n")
        self.write("vendor", "0x8086\n")
        self.write("device", "0x1521\n")

    def write(self, name: str, content: str | bytes, device: str = "") -> None:
        data = content if isinstance(content, bytes) else content.encode()
        ((self.devices / device) if device else self.pf).joinpath(name).write_bytes(data)

    def bind(self, driver: str) -> None:
        (self.pf / "driver").unlink(missing_ok=True)
        if driver:
            (self.pf / "driver").symlink_to(f"../../../../bus/pci/drivers/{driver}")

    def name(self, ifname: str) -> None:
        (self.pf / "net" / ifname).mkdir(parents=True)
        netdev = self.root / "sys/class/net" / ifname
        netdev.mkdir(parents=True)
        (netdev / "device").symlink_to(os.path.relpath(self.pf, netdev))


def i350(root: Path, offset: int = 0x180, numvfs: int = 0, ari: bool = False) -> Card:
    """The notes' card on igb: seven of its eight VFs allowed, bus 01 and no more."""
    card = Card(root)
    card.bind("igb")
    card.name("enp1s0f0")
    card.write("config", pcibytes.function(offset=offset, numvfs=numvfs, hierarchy=ari))
    card.write("resource", "\n".join([*OWN, *ASSIGNED]) + "\n")
    for name, value in (("totalvfs", 7), ("numvfs", numvfs), ("offset", offset), ("stride", 2)):
        card.write(f"sriov_{name}", f"{value}\n")
    card.write("config", pcibytes.port(1, 1, can_ari=ari, does_ari=ari), "0000:00:01.0")
    card.write("subordinate_bus_number", "1\n", "0000:00:01.0")
    return card
