"""Tell the neighbours by packet who has these addresses now: gratuitous ARP and unsolicited neighbour advertisement.

Only with `announceWait`, and for a second address of one subnet: closing an AF_PACKET socket waits for an RCU grace
period (6-14 ms, docs/speed.md), and the kernel can be had to announce the others (Netlink.announce). The caller is
inside the pod's netns.
"""

from __future__ import annotations

from _socket import AF_INET6, AF_PACKET, IPPROTO_ICMPV6, SOCK_DGRAM, SOCK_RAW, if_indextoname
from _socket import socket as Socket  # noqa: N812 # the class in C: socket.socket is a slower heir

from ..words.inet import pack_address, parse_address

_ETH_P_ARP = 0x0806  # linux/if_ether.h
_BROADCAST = b"\xff" * 6
_ALL_NODES = "ff02::1"
_SOL_IPV6, _MULTICAST_IF, _MULTICAST_HOPS, _MULTICAST_LOOP = 41, 17, 18, 19  # linux/in6.h


def send(ifindex: int, mac: str, addresses: list[str]) -> None:
    """OSError where a socket is refused."""
    hardware = bytes.fromhex(mac.replace(":", ""))
    for text in addresses:
        version, value = parse_address(text)
        packed = pack_address(version, value)
        if version == 4:
            _send_arp(ifindex, hardware, packed)
        else:
            _send_advertisement(ifindex, hardware, packed)


def _send_arp(ifindex: int, mac: bytes, address: bytes) -> None:
    """RFC 5227 section 3: an ARP request for the own address, from the own address."""
    packet = b"\x00\x01\x08\x00\x06\x04\x00\x01" + mac + address + bytes(6) + address
    packets = Socket(AF_PACKET, SOCK_DGRAM, 0)
    try:
        packets.sendto(packet, (if_indextoname(ifindex), _ETH_P_ARP, 0, 0, _BROADCAST))
    finally:
        packets.close()


def _send_advertisement(ifindex: int, mac: bytes, address: bytes) -> None:
    """RFC 4861 section 7.2.6: neighbour advertisement with the override flag; the kernel fills in the checksum."""
    packet = b"\x88\x00\x00\x00\x20\x00\x00\x00" + address + b"\x02\x01" + mac
    packets = Socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6)
    try:
        packets.setsockopt(_SOL_IPV6, _MULTICAST_HOPS, 255)
        packets.setsockopt(_SOL_IPV6, _MULTICAST_IF, ifindex)
        # heard by ourselves, it would be the proof of a duplicate: DAD fails and the address is lost
        packets.setsockopt(_SOL_IPV6, _MULTICAST_LOOP, 0)
        packets.sendto(packet, (_ALL_NODES, 0, 0, ifindex))
    finally:
        packets.close()
