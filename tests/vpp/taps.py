"""The kernel's side of a tap: real ones, as VPP makes them, or those of the fake kernel."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from typing import TYPE_CHECKING, Protocol

from tests.fakes import FakeLink

from .refusals import NO_NETNS, NO_TAP, Refused

if TYPE_CHECKING:
    from tests.fakes import FakeKernel

_TUNSETIFF = 0x400454CA  # linux/if_tun.h
_IFF_TAP, _IFF_NO_PI, _IFF_MULTI_QUEUE, _IFF_VNET_HDR = 0x2, 0x1000, 0x100, 0x4000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCSIFMTU, _SIOCSIFHWADDR = 0x8913, 0x8914, 0x8922, 0x8924
_CLONE_NEWNET, _ARPHRD_ETHER, _IFF_UP = 0x40000000, 1, 1


class Taps(Protocol):
    def open(self, key: int, netns: str, ifname: str, mac: bytes, mtu: int) -> None:
        """A tap of that name, UP. One that is one already gets another queue. `mtu` 0 = the kernel's."""

    def close(self, key: int) -> None:
        """With its last queue it goes; where its netns is gone it went before."""


class FakeTaps:
    def __init__(self, kernel: FakeKernel) -> None:
        self.kernel = kernel
        self._links: dict[int, FakeLink] = {}

    def open(self, key: int, netns: str, ifname: str, mac: bytes, mtu: int) -> None:
        """The netns by a path, or by a descriptor of this process."""
        own = f"/proc/{os.getpid()}/fd/"
        if netns.startswith(own):
            there = self.kernel.namespace_of_fd(int(netns.removeprefix(own)))
        elif netns in self.kernel.pods:
            there = self.kernel.pods[netns]
        else:
            raise Refused(NO_NETNS)
        found = there.find(ifname)
        if found is None:
            link = self.kernel.add_link(there, ifname, "tun")
            link.mac = mac.hex(":") if any(mac) else link.mac
            link.mtu = mtu or 1500
            self.kernel.set_up(link)
        elif found[1].kind == "tun":
            link = found[1]
        else:
            raise Refused(NO_TAP)
        self._links[key] = link

    def close(self, key: int) -> None:
        link = self._links.pop(key)
        if link not in self._links.values():
            self.kernel.destroy(link)


class RealTaps:
    """The calling thread goes into the netns and back."""

    def __init__(self) -> None:
        self._queues: dict[int, int] = {}

    def open(self, key: int, netns: str, ifname: str, mac: bytes, mtu: int) -> None:
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            there = os.open(netns, os.O_RDONLY)
        except OSError as error:
            os.close(own)
            raise Refused(NO_NETNS) from error
        try:
            _setns(there)
            self._queues[key] = _make(ifname, mac, mtu)
        finally:
            _setns(own)
            os.close(there)
            os.close(own)

    def close(self, key: int) -> None:
        os.close(self._queues.pop(key))


def _setns(fd: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(fd, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def _make(ifname: str, mac: bytes, mtu: int) -> int:
    queue = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    name = ifname.encode()
    flags = _IFF_TAP | _IFF_NO_PI | _IFF_MULTI_QUEUE | _IFF_VNET_HDR
    try:
        fcntl.ioctl(queue, _TUNSETIFF, struct.pack("16sH22x", name, flags))
    except OSError as error:
        os.close(queue)
        raise Refused(NO_TAP) from error
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        address = mac if any(mac) else b"\x02\xfe" + os.urandom(4)
        fcntl.ioctl(control, _SIOCSIFHWADDR, struct.pack("16sH6s16x", name, _ARPHRD_ETHER, address))
        if mtu:
            fcntl.ioctl(control, _SIOCSIFMTU, struct.pack("16si20x", name, mtu))
        now = struct.unpack_from("16xH", fcntl.ioctl(control, _SIOCGIFFLAGS, struct.pack("16s24x", name)))[0]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", name, now | _IFF_UP))
    return queue
