"""IP addresses and prefixes as (version, integer): text in, text out, containment.

The stdlib's ipaddress costs 5.6 ms of start-up (docs/speed.md), so the CNI path does without: `_socket` parses and
prints, arithmetic is plain integers.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from dataclasses import dataclass

from .jsontext import words

BITS = {4: 32, 6: 128}
_FAMILY = {4: AF_INET, 6: AF_INET6}

# (first, last, length, what it is) of what is no interface's address on a wire (RFC 6890; RFC 4291 2.5.5.2). The kernel
# takes most of it, 224.0.0.9 too, and the pod is deaf. 240.0.0.0/4 is reserved as well, but Linux and routers carry it.
RESERVED = {
    4: (
        (0, (1 << 24) - 1, 8, '"this network"'),
        (127 << 24, (128 << 24) - 1, 8, "loopback"),
        (0xA9FE << 16, (0xA9FF << 16) - 1, 16, "link-local"),
        (224 << 24, (240 << 24) - 1, 4, "multicast"),
        ((1 << 32) - 1, (1 << 32) - 1, 32, "the broadcast address"),
    ),
    6: (
        (0, 0, 128, "the unspecified address"),
        (1, 1, 128, "loopback"),
        (0xFFFF << 32, (1 << 48) - 1, 96, "IPv4-mapped"),
        (0xFE80 << 112, (0xFEC0 << 112) - 1, 10, "link-local"),
        (0xFF << 120, (1 << 128) - 1, 8, "multicast"),
    ),
}


def parse_address(text: str) -> tuple[int, int]:
    """(version, value) of an address without prefix length; ValueError if it is none."""
    version = 6 if ":" in text else 4
    try:
        packed = inet_pton(_FAMILY[version], text)
    except (OSError, ValueError) as error:  # ValueError: an embedded NUL, a surrogate
        raise ValueError(f"{words(text)} is not an IP address") from error
    return version, int.from_bytes(packed, "big")


def render_address(version: int, value: int) -> str:
    return inet_ntop(_FAMILY[version], pack_address(version, value))


def pack_address(version: int, value: int) -> bytes:
    return value.to_bytes(BITS[version] // 8, "big")


def unpack_address(packed: bytes) -> tuple[int, int]:
    return (4 if len(packed) == 4 else 6), int.from_bytes(packed, "big")


def parse_length(text: str, version: int) -> int:
    # isdecimal would take other scripts' digits, which no peer of ours does
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= BITS[version]):
        raise ValueError(f"/{text} is not a prefix length of IPv{version}")
    return int(text)


@dataclass(slots=True, unsafe_hash=True)
class Prefix:
    """A network: `value` has no bits set below `length`."""

    version: int
    value: int
    length: int

    @property
    def last(self) -> int:
        """The highest address in it, as a number (v4: the broadcast address)."""
        return self.value | ((1 << (BITS[self.version] - self.length)) - 1)

    def contains(self, other: Prefix) -> bool:
        return (
            self.version == other.version
            and self.length <= other.length
            and self.value <= other.value <= self.last
        )

    def overlaps(self, other: Prefix) -> bool:
        return self.contains(other) or other.contains(self)

    def has(self, version: int, value: int) -> bool:
        return self.version == version and self.value <= value <= self.last

    def __str__(self) -> str:
        return f"{render_address(self.version, self.value)}/{self.length}"


def parse_prefix(text: str) -> Prefix:
    """A CIDR without host bits ("10.0.0.0/8"); ValueError names what is wrong, and the network that was meant."""
    prefix, value = parse_interface(text)
    if value != prefix.value:
        raise ValueError(f"{words(text)} has host bits set; the network is {prefix}")
    return prefix


def parse_interface(text: str) -> tuple[Prefix, int]:
    """(network, address) of "10.0.0.7/24"."""
    address, slash, length = text.partition("/")
    if not slash:
        raise ValueError(f"{words(text)} has no /prefix-length")
    version, value = parse_address(address)
    return prefix_around(version, value, parse_length(length, version)), value


def prefix_around(version: int, value: int, length: int) -> Prefix:
    """The aligned prefix of that length that contains the address."""
    shift = BITS[version] - length
    return Prefix(version, value >> shift << shift, length)


def name_of(prefix: Prefix | str) -> str:
    """As the name of a file: 10.10.1.0/24 -> 10.10.1.0_24"""
    return str(prefix).replace("/", "_")


def prefix_of(name: str) -> Prefix | None:
    """None if no prefix has that file name."""
    try:
        prefix = parse_prefix(name.replace("_", "/"))
    except ValueError:
        return None
    return prefix if name_of(prefix) == name else None
