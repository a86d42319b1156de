"""The packets of an announcement, byte for byte; that neighbours believe them is in tests/lab/test_announce.py."""

from __future__ import annotations

import socket
import struct
from typing import Any

import pytest

from cni_sriov.kernel import announce

MAC = "02:00:00:0a:0b:0c"
HARDWARE = bytes.fromhex(MAC.replace(":", ""))


class Wire:
    """Sockets that note what is sent, with what was set on them."""

    sent: list[tuple[tuple[int, ...], dict[tuple[int, int], int], bytes, Any]]

    def __init__(self, *kind: int) -> None:
        self.kind, self.options = kind, dict[tuple[int, int], int]()

    def setsockopt(self, level: int, name: int, value: int) -> None:
        self.options[level, name] = value

    def sendto(self, packet: bytes, to: Any) -> None:
        self.sent.append((self.kind, self.options, packet, to))

    def close(self) -> None:
        self.kind = ()


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> type[Wire]:
    Wire.sent = []
    monkeypatch.setattr(announce, "Socket", Wire)
    return Wire


def test_ipv4_is_an_arp_request_for_itself(wire: type[Wire]) -> None:
    """RFC 826, RFC 5227 section 3: hardware and protocol, their lengths, request; sender, and itself as the target."""
    announce.send(1, MAC, ["10.0.0.7"])

    address = socket.inet_aton("10.0.0.7")
    ((kind, _, packet, to),) = wire.sent
    assert packet == struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, HARDWARE, address, bytes(6), address)
    assert kind[:2] == (socket.AF_PACKET, socket.SOCK_DGRAM)
    assert to == (socket.if_indextoname(1), 0x0806, 0, 0, b"\xff" * 6)


def test_ipv6_is_an_unsolicited_advertisement_to_all_nodes(wire: type[Wire]) -> None:
    """RFC 4861 sections 4.4 and 7.2.6: type 136, the override flag, the target's link-layer address; hop limit 255."""
    announce.send(1, MAC, ["fd00::7"])

    address = socket.inet_pton(socket.AF_INET6, "fd00::7")
    ((kind, options, packet, to),) = wire.sent
    assert packet == struct.pack("!BBHI16sBB6s", 136, 0, 0, 1 << 29, address, 2, 1, HARDWARE)
    assert kind == (socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    level = socket.IPPROTO_IPV6
    assert options == {
        (level, socket.IPV6_MULTICAST_HOPS): 255,
        (level, socket.IPV6_MULTICAST_IF): 1,
        (level, socket.IPV6_MULTICAST_LOOP): 0,
    }
    assert to == ("ff02::1", 0, 0, 1)


def test_each_address_is_announced(wire: type[Wire]) -> None:
    announce.send(1, MAC, ["10.0.0.7", "fd00::7", "10.0.0.8"])

    assert len(wire.sent) == 3
