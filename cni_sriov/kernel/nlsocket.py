"""The transport under kernel/netlink.py: one netlink socket, requests, acknowledgements, dumps, events.

Imported on every CNI call. It knows nothing of what the messages mean. A socket stays in the netns it was made in.
"""

from __future__ import annotations

import time
from _socket import socket as Socket  # noqa: N812 # the class in C: socket.socket is a slower heir
from collections.abc import Iterator
from errno import EBADMSG, EBUSY, EINTR, ENOBUFS
from select import POLLIN, poll
from sys import byteorder

from ..words.errors import KernelRefused, Unheard
from .attributes import HEADER, Malformed, attrs_of, message, text_of

_AF_NETLINK, _SOL_NETLINK = 16, 270  # linux/socket.h
_SOCK_RAW, _SOCK_CLOEXEC = 3, 0o2000000  # linux/net.h
_MSG_TRUNC, _MSG_DONTWAIT = 0x20, 0x40  # linux/socket.h
NETLINK_ROUTE, NETLINK_GENERIC = 0, 16  # linux/netlink.h
_NETLINK_CAP_ACK, _NETLINK_EXT_ACK, _NETLINK_GET_STRICT_CHK = 10, 11, 12
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300
_NLM_F_DUMP_INTR, _NLM_F_CAPPED, _NLM_F_ACK_TLVS, _NLMSGERR_ATTR_MSG = 0x10, 0x100, 0x200, 1
_DUMP_DEADLINE_S = 1.0
_PAUSES_S = (0.0, 0.0, 0.0, 0.0005, 0.001, 0.002, 0.004)  # between dumps, the last one again and again
_ROOM = 1 << 15  # bytes: as long as a dump's messages are wont to be (netlink_dump)
# Whoever rules a netns can give a link 64 KiB of altnames and as much of link info; 256 VFs of a PF take less.
_MOST = 1 << 20

Message = tuple[int, int, int, bytes]  # type, flags, sequence, body


class _TooLong(KernelRefused):
    """A datagram was cut off."""


class NetlinkSocket:
    """`groups` (RTMGRP_*): also hear of what changes."""

    __slots__ = ("_sequence", "raw")

    def __init__(self, groups: int = 0, protocol: int = NETLINK_ROUTE) -> None:
        try:
            self.raw = Socket(_AF_NETLINK, _SOCK_RAW | _SOCK_CLOEXEC, protocol)
            self.raw.bind((0, groups))
        except OSError as error:
            raise Unheard("open a netlink socket", error.errno or 0) from error
        self._sequence = 0
        for option in (_NETLINK_CAP_ACK, _NETLINK_EXT_ACK, _NETLINK_GET_STRICT_CHK):
            try:
                self.raw.setsockopt(_SOL_NETLINK, option, 1)
            except OSError:
                pass  # before 4.20: errors have no sentence, dumps no filter; callers filter again

    def close(self) -> None:
        self.raw.close()

    def ask(self, verb: str, kind: int, body: bytes, room: int = _ROOM) -> bytes:
        """One question; the answer's body. `room`: for how many bytes of it; where there are more it is asked again."""
        try:
            return self._answer(verb, self._send(verb, kind, NLM_F_REQUEST, body), room)
        except _TooLong:
            return self._answer(verb, self._send(verb, kind, NLM_F_REQUEST, body), _MOST)

    def tell(self, verb: str, kind: int, body: bytes, flags: int = 0) -> None:
        """One change. It has happened when this returns."""
        self._answer(verb, self._send(verb, kind, NLM_F_REQUEST | NLM_F_ACK | flags, body), _ROOM)

    def _answer(self, verb: str, sequence: int, room: int) -> bytes:
        """The first message to that request: the kernel sends one, or says why not."""
        while True:
            for kind, flags, answered, body in self._messages(verb, room):
                if answered != sequence:
                    continue  # left over by a request that an exception cut off
                if kind == _NLMSG_ERROR:
                    raise_refusal(verb, flags, body)
                return body

    def dump(self, verb: str, kind: int, body: bytes) -> list[bytes]:
        """Every answer's body. A dump that a change interrupted is asked again, ever more slowly, up to a deadline: whoever
        changes something all the time must not keep us from a look in between.
        """
        room, deadline, pauses = _ROOM, 0.0, iter(_PAUSES_S)
        while True:
            bodies = None
            try:
                bodies = self._dump_once(verb, kind, body, room)
            except KernelRefused as refused:
                if isinstance(refused, _TooLong):
                    room = _MOST
                elif refused.errno not in {EBUSY, ENOBUFS}:
                    raise
                self._drain()  # EBUSY: a signal left an earlier dump unread
            if bodies is not None:
                return bodies
            deadline = deadline or time.monotonic() + _DUMP_DEADLINE_S
            if time.monotonic() >= deadline:
                raise KernelRefused(verb, EINTR, "the list changed again and again while it was read")
            time.sleep(next(pauses, _PAUSES_S[-1]))

    def events(self, deadline: float) -> Iterator[Message | None]:
        """Messages until `deadline` (time.monotonic). None = some were lost: look at everything again."""
        waiter = poll()
        waiter.register(self.raw.fileno(), POLLIN)
        while (left := deadline - time.monotonic()) > 0 and waiter.poll(left * 1000):
            try:
                datagram = self.raw.recv(_ROOM, _MSG_TRUNC)
                yield from messages(datagram) if len(datagram) <= _ROOM else (None,)
            except Malformed as error:
                raise KernelRefused("listen for link changes", EBADMSG, str(error)) from error
            except OSError as error:
                if error.errno != ENOBUFS:
                    raise KernelRefused("listen for link changes", error.errno or 0) from error
                yield None

    def _dump_once(self, verb: str, kind: int, body: bytes, room: int) -> list[bytes] | None:
        """None = interrupted (NLM_F_DUMP_INTR): the parts need not fit together."""
        sequence = self._send(verb, kind, NLM_F_REQUEST | NLM_F_DUMP, body)
        bodies: list[bytes] = []
        interrupted = 0
        while True:
            for reply, flags, answered, reply_body in self._messages(verb, room):
                if answered != sequence:
                    continue
                interrupted |= flags & _NLM_F_DUMP_INTR
                if reply in {_NLMSG_ERROR, _NLMSG_DONE}:
                    raise_refusal(verb, flags, reply_body)
                    return None if interrupted else bodies
                bodies.append(reply_body)

    def _send(self, verb: str, kind: int, flags: int, body: bytes) -> int:
        self._sequence += 1
        try:
            self.raw.send(message(kind, flags, self._sequence, body))
        except OSError as error:
            raise Unheard(verb, error.errno or 0) from error
        return self._sequence

    def _messages(self, verb: str, room: int) -> list[Message]:
        """Those of the next datagram; _TooLong if that is longer than `room`."""
        try:
            datagram = self.raw.recv(room, _MSG_TRUNC)  # which tells how long it is, whatever fits
            if len(datagram) > room:
                raise _TooLong(verb, EBADMSG, f"message of length {len(datagram)} in {room} bytes")
            return messages(datagram)
        except OSError as error:
            raise Unheard(verb, error.errno or 0) from error
        except Malformed as error:
            raise KernelRefused(verb, EBADMSG, str(error)) from error

    def _drain(self) -> None:
        try:
            while True:
                self.raw.recv(1, _MSG_DONTWAIT)
        except OSError:
            pass  # EAGAIN: nothing is left


def messages(datagram: bytes) -> list[Message]:
    """What is in one datagram; Malformed where a length does not fit."""
    found, start = [], 0
    while start + HEADER.size <= len(datagram):
        size, kind, flags, sequence, _ = HEADER.unpack_from(datagram, start)
        if size < HEADER.size or start + size > len(datagram):
            raise Malformed(f"message of length {size} in {len(datagram) - start} bytes")
        found.append((kind, flags, sequence, datagram[start + HEADER.size : start + size]))
        start += (size + 3) & ~3
    return found


def raise_refusal(verb: str, flags: int, body: bytes) -> None:
    """Body of NLMSG_ERROR: errno, the request's header (and body, if not capped), attributes; of NLMSG_DONE: errno."""
    number = -int.from_bytes(body[:4], byteorder, signed=True)
    if not number:
        return
    sentence = ""
    if flags & _NLM_F_ACK_TLVS and len(body) >= 4 + HEADER.size:
        request_size = HEADER.size if flags & _NLM_F_CAPPED else HEADER.unpack_from(body, 4)[0]
        try:
            sentence = text_of(attrs_of(body, 4 + request_size).get(_NLMSGERR_ATTR_MSG, b""))
        except Malformed:
            pass  # the refusal counts; only its sentence is lost
    raise KernelRefused(verb, number, sentence)
