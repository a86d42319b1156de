"""The stand-in's socket: frames, the handshake, and each message by what a real VPP's bytes were."""

from __future__ import annotations

import ipaddress
import os
import random
import select
import socket
import struct
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

from cni_sriov.words.errors import KernelRefused
from tests.fakes import Crash

from .refusals import FAILED, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .rules import Node

HELLO, WELCOME = 15, 16
_BY_SOCKET = 1 << 31  # of a client's index: no shared memory
# name_crc of v23.06, in no order: the numbers are of the run
NAMES = [
    "control_ping_51077d14",
    "control_ping_reply_f6b0b8ca",
    "show_version_51077d14",
    "show_version_reply_c919bde1",
    "sw_interface_dump_aa610c27",
    "sw_interface_details_6c221fc7",
    "ip_address_dump_2d033de4",
    "ip_address_details_ee29b797",
    "sw_interface_get_table_2d033de4",
    "sw_interface_get_table_reply_a6eb0109",
    "sw_interface_set_table_df42a577",
    "sw_interface_set_table_reply_e8d4e804",
    "sw_interface_set_mtu_5cbe85e5",
    "sw_interface_set_mtu_reply_e8d4e804",
    "sw_interface_set_flags_f5aec1b8",
    "sw_interface_set_flags_reply_e8d4e804",
    "sw_interface_add_del_address_5463d73b",
    "sw_interface_add_del_address_reply_e8d4e804",
    "tap_create_v2_2d0d6570",
    "tap_create_v2_reply_5383d31f",
    "tap_create_v3_3f3fd1df",
    "tap_create_v3_reply_5383d31f",
    "tap_delete_v2_f9e6675e",
    "tap_delete_v2_reply_e8d4e804",
    "cli_inband_f8377302",
    "cli_inband_reply_05879051",
    "memif_create_v2_8c7de5f7",
    "want_interface_events_476f5a08",
    "sockclnt_delete_8ac76db6",
    "sockclnt_delete_reply_8f38b1ee",
    "sw_interface_event_2d3d95a7",
]


class StandIn:
    """`with StandIn(node, path):` it listens. `names` may be changed before `start`; `mangle` may change what it sends."""

    def __init__(self, node: Node, path: Path) -> None:
        self.node = node
        self.path = path
        self.names = NAMES.copy()
        self.is_silent = False
        self.events = 0  # how many that nobody asked for come before each answer
        self.heard: list[tuple[str, bytes]] = []
        self.mangle: Callable[[bytes], bytes] = bytes
        self._numbers: dict[str, int] = {}
        self._thread: threading.Thread | None = None
        self._stop = (-1, -1)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """A new process: other numbers than the one before."""
        numbers = random.sample(range(100, 3000), len(self.names))
        self._numbers = dict(zip(self.names, numbers, strict=True))
        self.path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.path))
        listener.listen()
        self._stop = os.pipe()
        self._thread = threading.Thread(target=self._serve, args=(listener, self._stop[0]), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """The socket file stays, as VPP's does."""
        if self._thread is not None:
            os.write(self._stop[1], b".")
            self._thread.join()
            self._thread = None
            for fd in self._stop:
                os.close(fd)

    def die(self) -> None:
        self.stop()
        self.node.die()

    def begin(self) -> None:
        """After `die`."""
        self.node.begin()
        self.start()

    # -- the socket ---------------------------------------------------------------------------------------------------

    def _serve(self, listener: socket.socket, stop: int) -> None:
        """By poll: select takes no descriptor over 1023, and a process of tests has many."""
        clients: dict[int, tuple[socket.socket, bytearray]] = {}
        with listener:
            while True:
                waiting = select.poll()
                for fd in (listener.fileno(), stop, *clients):
                    waiting.register(fd, select.POLLIN)
                ready = [fd for fd, _ in waiting.poll()]
                if stop in ready:
                    break
                for fd in ready:
                    if fd == listener.fileno():
                        client = listener.accept()[0]
                        clients[client.fileno()] = client, bytearray()
                    elif not self._hear(*clients[fd]):
                        clients.pop(fd)[0].close()
            for client, _ in clients.values():
                client.close()

    def _hear(self, client: socket.socket, unread: bytearray) -> bool:
        """False if that was the end of it."""
        try:
            data = client.recv(1 << 16)
            unread += data
            while len(unread) >= 16:
                _, length, _ = struct.unpack_from(">QII", unread)
                if len(unread) < 16 + length:
                    break
                message = bytes(unread[16 : 16 + length])
                del unread[: 16 + length]
                for answer in () if self.is_silent else self._answers(message, _BY_SOCKET | client.fileno()):
                    client.sendall(self.mangle(struct.pack(">QII", 0, len(answer), 0) + answer))
        except (OSError, Crash):
            return False
        return bool(data)

    def _answers(self, message: bytes, index: int) -> Iterator[bytes]:
        """`index`: which client the handshake said that it is. VPP sends its answer to whom the message names."""
        (number,) = struct.unpack_from(">H", message)
        if number == HELLO:
            context, _name = struct.unpack(">I64s", message[2:])
            entries = [struct.pack(">H64s", n, name.encode()) for name, n in self._numbers.items()]
            yield struct.pack(">HIIiIH", WELCOME, 7, context, 0, index, len(entries)) + b"".join(entries)
            return
        name = next((one for one, n in self._numbers.items() if n == number), "").rpartition("_")[0]
        answer = getattr(self, f"_{name}", None)
        if answer is None or len(message) < 10 or message[2:6] != struct.pack(">I", index):
            return  # dropped, without a word
        self.heard.append((name, message[10:]))
        context = message[6:10]
        try:
            found = list(answer(message[10:]))
        except struct.error:
            return  # a short message is dropped as well
        for _ in range(self.events):
            yield struct.pack(">HIIII", self._numbers["sw_interface_event_2d3d95a7"], 0, 1, 0, 0)
        for kind, body in found:
            number = next(n for one, n in self._numbers.items() if one.rpartition("_")[0] == kind)
            yield struct.pack(">H", number) + context + body

    def _done(self, name: str, act: Callable[[], object], form: str = ">i") -> Iterator[tuple[str, bytes]]:
        retval, more = 0, None
        try:
            more = act()
        except Refused as refused:
            retval = refused.retval
        except KernelRefused:
            retval = FAILED
        fields = (retval, 0xFFFFFFFF if more is None else more) if form == ">iI" else (retval,)
        yield f"{name}_reply", struct.pack(form, *fields)

    # -- messages -----------------------------------------------------------------------------------------------------

    def _sockclnt_delete(self, _: bytes) -> Iterator[tuple[str, bytes]]:
        yield "sockclnt_delete_reply", struct.pack(">i", 0)

    def _control_ping(self, _: bytes) -> Iterator[tuple[str, bytes]]:
        yield "control_ping_reply", struct.pack(">iII", 0, 7, os.getpid())

    def _show_version(self, _: bytes) -> Iterator[tuple[str, bytes]]:
        told = b"vpe", self.node.version.encode(), b"2023-06-28T12:00:00", b"/w/workspace"
        yield "show_version_reply", struct.pack(">i32s32s32s256s", 0, *told)

    def _sw_interface_dump(self, body: bytes) -> Iterator[tuple[str, bytes]]:
        _index, is_filtered, length = struct.unpack_from(">I?I", body)
        wanted = body[9 : 9 + length].decode() if is_filtered else ""
        for port in self.node.ports.values():
            if wanted in port.name:
                flags = 3 if port.up else 0
                told = struct.pack(">II6sI", port.index, port.index, b"\x02\xfe\0\0\0\1", flags)
                told += struct.pack(">IIIH4I", 0, 0, 0, 9000, port.mtu, 0, 0, 0)
                texts = struct.pack(">64s64s64s", port.name.encode(), port.device.encode(), port.tag.encode())
                yield "sw_interface_details", told.ljust(289 - 192, b"\0") + texts

    def _ip_address_dump(self, body: bytes) -> Iterator[tuple[str, bytes]]:
        index, six = struct.unpack(">I?", body)
        for address in self.node.ports[index].addresses if index in self.node.ports else ():
            if (address.version == 6) == six:
                packed = address.ip.packed.ljust(16, b"\0")
                prefix = struct.pack(">B16sB", six, packed, address.network.prefixlen)
                yield "ip_address_details", struct.pack(">I", index) + prefix

    def _sw_interface_get_table(self, body: bytes) -> Iterator[tuple[str, bytes]]:
        index, six = struct.unpack(">I?", body)
        port = self.node.ports.get(index)
        told = (0, port.tables[6 if six else 4]) if port else (-2, 0xFFFFFFFF)
        yield "sw_interface_get_table_reply", struct.pack(">iI", *told)

    def _sw_interface_set_table(self, body: bytes) -> Iterator[tuple[str, bytes]]:
        index, six, table = struct.unpack(">I?I", body)
        act = lambda: self.node.set_table(index, 6 if six else 4, table)  # noqa: E731
        return self._done("sw_interface_set_table", act)

    def _sw_interface_set_mtu(self, body: bytes) -> Iterator[tuple[str, bytes]]:
        index, mtu, *_ = struct.unpack(">I4I", body)
        return self._done("sw_interface_set_mtu", lambda: self.node.set_mtu(index, mtu))

    def _sw_interface_set_flags(self, body: bytes) -> Iterator[tuple[str, bytes]]:
        index, flags = struct.unpack(">II", body)
        return self._done("sw_interface_set_flags", lambda: self.node.set_up(index, bool(flags & 1)))

    def _sw_interface_add_del_address(self, body: bytes) -> Iterator[tuple[str, bytes]]:
        index, is_add, _all, six, packed, length = struct.unpack(">I??B16sB", body)
        address = ipaddress.ip_interface((packed if six else packed[:4], length))
        act = self.node.add_address if is_add else self.node.del_address
        return self._done("sw_interface_add_del_address", lambda: act(index, address))

    def _tap_create_v3(self, body: bytes) -> Iterator[tuple[str, bytes]]:
        (number,) = struct.unpack_from(">I", body)
        has_mtu, mtu, has_mac, mac = struct.unpack_from(">?I?6s", body, 19)
        has_netns, netns, has_name, ifname = struct.unpack_from(">?64s?64s", body, 81)
        (length,) = struct.unpack_from(">I", body, 276)
        tag = body[280:]
        if len(tag) != length:
            raise struct.error
        name = _text(ifname) if has_name else f"tap{number}"
        told = number, _text(netns) if has_netns else "", name, mac if has_mac else bytes(6), mtu * has_mtu
        return self._done("tap_create_v3", lambda: self.node.make_tap(*told, _text(tag)), ">iI")

    def _tap_delete_v2(self, body: bytes) -> Iterator[tuple[str, bytes]]:
        (index,) = struct.unpack(">I", body)
        return self._done("tap_delete_v2", lambda: self.node.delete_tap(index))

    def _cli_inband(self, body: bytes) -> Iterator[tuple[str, bytes]]:
        (length,) = struct.unpack_from(">I", body)
        retval, text = self.node.say(body[4 : 4 + length].decode())
        yield "cli_inband_reply", struct.pack(">iI", retval, len(text)) + text.encode()


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode()
