"""VPP's interfaces and their addresses, in its own words. What it says of itself is judged by whoever asks."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from ..words.errors import KernelRefused
from ..words.inet import BITS, pack_address, parse_interface, render_address
from .rtnl import pack_mac
from .vppapi import Talk, text_of

UP = 1  # IF_STATUS_API_FLAG_ADMIN_UP
_ALL = Struct(">I?I").pack(0xFFFFFFFF, False, 0)
_FAMILY = {4: 0, 6: 1}
_TAP = Struct(">I?6sHHHH?I?6s?4sB?16sB?4s?16sI?64s?64s?64sI")
_ANY_ID, _QUEUES, _RING = 0xFFFFFFFF, 1, 256  # tap_create_v3's own defaults


@dataclass(frozen=True, slots=True)
class Found:
    """An interface of VPP's: `index` is its sw_if_index, `mtu` its L3 MTU."""

    index: int
    name: str
    tag: str
    is_up: bool
    mtu: int


class Vpp(Talk):
    """A connection to a running VPP, and the verbs of its interfaces. VppRefused where it says no."""

    __slots__ = ()

    def interfaces(self) -> list[Found]:
        rows = self.ask_all([("sw_interface_dump", _ALL)])[0]
        return [
            Found(index, text_of(name), text_of(tag), bool(flags & UP), mtu)
            for index, _, flags, mtu, name, _, tag in rows
        ]

    def tagged(self, tag: str) -> list[Found]:
        """By the tag, since a name may be given to another one."""
        return [found for found in self.interfaces() if found.tag == tag]

    def addresses(self, indexes: list[int], table: int | None = None) -> list[tuple[int, str]]:
        """(index, address/length) of each address of these interfaces; with `table`, of those in it. What went away while
        it was asked has none.
        """
        asked = [(index, six) for index in indexes for six in (False, True)]
        wanted = [Struct(">I?").pack(index, six) for index, six in asked]
        held = self.ask_all([("ip_address_dump", body) for body in wanted])
        tables = self.ask_all(
            [("sw_interface_get_table", body) for body in wanted] if table is not None else []
        )
        return [
            (index, address)
            for n, (index, _) in enumerate(asked)
            if table is None or any(retval == 0 and of == table for retval, of in tables[n])
            for row in held[n]
            if (address := self._address(row))
        ]

    def make_tap(self, netns: str, ifname: str, mac: str | None, mtu: int | None, tag: str) -> int:
        """Its sw_if_index. VPP's answer is 0 as well where a tap of VPP's has that name there already: look first."""
        body = _TAP.pack(
            *(_ANY_ID, True, bytes(6), _QUEUES, _QUEUES, _RING, _RING),
            *(mtu is not None, mtu or 0, mac is not None, pack_mac(mac) if mac else bytes(6)),
            *(False, bytes(4), 0, False, bytes(16), 0, False, bytes(4), False, bytes(16), 0),
            *(True, _field(netns), True, _field(ifname), False, b"", len(tag)),
        )
        found = self.ask(f"make tap {ifname} in {netns}", "tap_create_v3", body + tag.encode("ascii"))
        return int(found[0])

    def delete_tap(self, index: int) -> None:
        self.ask(f"delete VPP's interface {index}", "tap_delete_v2", Struct(">I").pack(index))

    def set_table(self, index: int, table: int) -> None:
        """Of both families; before it has an address."""
        for six in (False, True):
            what = f"put VPP's interface {index} into table {table}"
            self.ask(what, "sw_interface_set_table", Struct(">I?I").pack(index, six, table))

    def set_mtu(self, index: int, mtu: int) -> None:
        """The L3 MTU, of all families."""
        what = f"set the MTU of VPP's interface {index}"
        self.ask(what, "sw_interface_set_mtu", Struct(">I4I").pack(index, mtu, 0, 0, 0))

    def set_up(self, index: int) -> None:
        self.ask(f"set VPP's interface {index} up", "sw_interface_set_flags", Struct(">II").pack(index, UP))

    def add_address(self, index: int, address: str) -> None:
        prefix, value = parse_interface(address)
        packed = pack_address(prefix.version, value).ljust(16, b"\0")
        body = Struct(">I??B16sB").pack(index, True, False, _FAMILY[prefix.version], packed, prefix.length)
        self.ask(f"give VPP's interface {index} {address}", "sw_interface_add_del_address", body)

    def say(self, command: str) -> str:
        """A line of its CLI; "" = done, else what it says. It answers -1 to whatever fails, and the text tells why."""
        line = command.encode("ascii")
        found = self.ask_all([("cli_inband", Struct(">I").pack(len(line)) + line)])[0]
        return str(found[0][1] or f"retval {found[0][0]}") if found and found[0][0] else ""

    @staticmethod
    def _address(row: tuple[int, int, bytes, int]) -> str:
        """Nobody's word is taken for a prefix: "" where it is none."""
        _, family, packed, length = row
        version = 6 if family == _FAMILY[6] else 4
        if family not in _FAMILY.values() or length > BITS[version]:
            return ""
        value = int.from_bytes(packed[: BITS[version] // 8], "big")
        return f"{render_address(version, value)}/{length}"


def _field(text: str) -> bytes:
    """A string of at most 63 bytes: what is longer VPP would cut silently."""
    raw = text.encode("utf-8", "surrogateescape")
    if len(raw) > 63:
        raise KernelRefused(f"tell VPP of {text}", 36)  # ENAMETOOLONG
    return raw
