"""What a VPP has, and what it refuses: interfaces, tables, addresses. Retvals as a real one gave them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .refusals import BAD_INDEX, CONFLICT, HAS_ADDRESS, ID_TAKEN, NO_TABLE, NOT_HELD, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from .taps import Taps

    Change = Callable[[str, Callable[[], None]], None]
    Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface

TAP = "virtio"  # what VPP calls the device of a tap


@dataclass
class Port:
    """One interface of VPP's: `mtu` is L3, 9000 on whatever VPP makes, as it was seen."""

    index: int
    name: str
    device: str
    tag: str = ""
    up: bool = False
    mtu: int = 9000
    addresses: list[Interface] = field(default_factory=list)
    tables: dict[int, int] = field(default_factory=lambda: {4: 0, 6: 0})
    number: int = -1  # of a tap

    def snapshot(self) -> dict[str, Any]:
        told = {"name": self.name, "tag": self.tag, "up": self.up, "mtu": self.mtu, "tables": self.tables}
        return told | {"addresses": sorted(map(str, self.addresses))}


def _at_once(_what: str, act: Callable[[], None]) -> None:
    act()


class Node:
    """A VPP with a card of its own, whatever happens to its taps. `change` may count each change, fail it or end all."""

    def __init__(self, taps: Taps, change: Change = _at_once, version: str = "23.06-release") -> None:
        self.taps = taps
        self.change = change
        self.version = version
        self.tables = {(0, 4), (0, 6)}
        self.ports: dict[int, Port] = {}
        self._next = 0
        self.begin()

    def begin(self) -> None:
        """A new process: what its configuration gives it."""
        self.ports = {}
        self._next = 0
        self._add("local0", "local").mtu = 0
        self._add("net1", "dpdk").up = True

    def die(self) -> None:
        """The kernel takes the taps, which nobody holds open any more."""
        for port in self.ports.values():
            if port.device == TAP:
                self.taps.close(port.index)
        self.ports = {}

    def snapshot(self) -> list[dict[str, Any]]:
        """What can be seen from outside; an index is never given again, so none is in it."""
        return sorted((port.snapshot() for port in self.ports.values()), key=lambda told: str(told["name"]))

    def port(self, name: str) -> Port:
        return next(port for port in self.ports.values() if port.name == name)

    def _add(self, name: str, device: str) -> Port:
        port = self.ports[self._next] = Port(self._next, name, device)
        self._next += 1
        return port

    def _at(self, index: int) -> Port:
        if index not in self.ports:
            raise Refused(BAD_INDEX)
        return self.ports[index]

    # what is asked of it -----------------------------------------------------------------------------------------------

    def make_tap(self, number: int, netns: str, ifname: str, mac: bytes, mtu: int, tag: str) -> int:
        """A name over 15 characters is cut without a word; one that a tap of ours has there is a second queue of it."""
        taken = {port.number for port in self.ports.values()}
        if number == 0xFFFFFFFF:
            number = next(n for n in range(len(taken) + 1) if n not in taken)
        elif number in taken:
            raise Refused(ID_TAKEN)
        index = self._next

        def act() -> None:
            self.taps.open(index, netns, ifname[:15], mac, mtu)
            port = self._add(f"tap{number}", TAP)
            port.number, port.tag = number, tag

        self.change(f"VPP: make tap {ifname}", act)
        return index

    def delete_tap(self, index: int) -> None:
        if self._at(index).device != TAP:
            raise Refused(BAD_INDEX)

        def act() -> None:
            self.taps.close(index)
            del self.ports[index]

        self.change(f"VPP: delete tap {index}", act)

    def set_table(self, index: int, version: int, table: int) -> None:
        port = self._at(index)
        if (table, version) not in self.tables:
            raise Refused(NO_TABLE)
        if any(address.version == version for address in port.addresses):
            raise Refused(HAS_ADDRESS)
        self.change(f"VPP: table {table} of {port.name}", lambda: port.tables.update({version: table}))

    def set_mtu(self, index: int, mtu: int) -> None:
        port = self._at(index)
        self.change(f"VPP: mtu {mtu} of {port.name}", lambda: setattr(port, "mtu", mtu))

    def set_up(self, index: int, up: bool) -> None:
        port = self._at(index)
        self.change(f"VPP: {port.name} up", lambda: setattr(port, "up", up))

    def add_address(self, index: int, address: Interface) -> None:
        """Addresses conflict if one's subnet contains the other's, on any interface of the table, up or down; but for another
        address of the same length on the same interface.
        """
        port = self._at(index)
        for other in self.ports.values():
            if other.tables[address.version] != port.tables[address.version]:
                continue
            for held in other.addresses:
                if held.version == address.version and _conflict(held, address, same=other is port):
                    raise Refused(
                        CONFLICT[address.version],
                        f"failed to add {address} on {port.name} which conflicts with {held} for interface {other.name}",
                    )
        self.change(f"VPP: {address} on {port.name}", lambda: port.addresses.append(address))

    def del_address(self, index: int, address: Interface) -> None:
        port = self._at(index)
        if address not in port.addresses:
            raise Refused(NOT_HELD)
        self.change(f"VPP: no {address} on {port.name}", lambda: port.addresses.remove(address))

    def say(self, command: str) -> tuple[int, str]:
        """retval -1 for whatever fails."""
        words = command.split()
        if words[:4] == ["set", "interface", "ip", "address"] and len(words) == 6:
            index = next((port.index for port in self.ports.values() if port.name == words[4]), None)
            if index is None:
                return -1, f"set interface ip address: unknown interface `{words[4]} {words[5]}'"
            try:
                self.add_address(index, ipaddress.ip_interface(words[5]))
            except Refused as refused:
                return -1, f"set interface ip address: {refused.sentence}"
            return 0, ""
        if words == ["show", "version"]:
            return 0, f"vpp v{self.version} built by root on stand-in\n"
        return -1, f"unknown input `{command}'"


def _conflict(held: Interface, new: Interface, same: bool) -> bool:
    if not held.network.overlaps(new.network):
        return False
    return not (same and held.network.prefixlen == new.network.prefixlen and held.ip != new.ip)
