"""VPP by its binary API: what mode `vpp-host` asks of it. The socket's path is the operator's; what comes out of it is
believed as little as anybody's word: its lengths, its numbers, and the time that it takes.

A message is known by its name and the CRC of its definition; its number is of the running VPP, whose handshake tells it.
Behind each batch goes a ping: what came before the ping's answer is all there is, and what VPP dropped is missed at once.
"""

from __future__ import annotations

import time
from _socket import socket as Socket  # noqa: N812 # the class in C: socket.socket is a slower heir
from collections.abc import Callable, Sequence
from struct import Struct, error
from typing import Any, NamedTuple, Self, TypeVar

from ..words.errors import VppAway, VppRefused

_AF_UNIX, _SOCK_STREAM, _SOCK_CLOEXEC = 1, 1, 0o2000000  # linux/socket.h, linux/net.h
PATIENCE_S = 20.0  # all waiting of one connection; to make a tap took 0.09 s
_FRAME, _HEAD = Struct(">QII"), Struct(">HI")
_HELLO, _WELCOME, _ENTRY = Struct(">HI64s"), Struct(">HIIiIH"), Struct(">H64s")
_HELLO_NUMBER, _WELCOME_NUMBER = 15, 16  # sockclnt_create and its reply, before any table
_LONGEST, _MOST = 1 << 20, 1 << 26  # bytes, of a message and of a connection; the table of v23.06 has 165 KB
_AT_ONCE = 256  # requests of a batch
REMEDY = "is it running, and is vpp.socket its api.sock? `vppctl show version` tells whether it answers"
T = TypeVar("T")


class _Message(NamedTuple):
    """A request, and the one kind of message that answers it: name and CRC of both, the answer's fields."""

    crc: str
    answer: str
    answer_crc: str
    fields: Struct


def _reply(crc: str, answer_crc: str = "e8d4e804", fields: str = ">i") -> tuple[str, str, str]:
    return crc, answer_crc, fields


# of v22.06 to v26.06, by each tag's own .api files; the answers of a dump are *_details
_REPLIES = {
    "control_ping": _reply("51077d14", "f6b0b8ca", ">iII"),
    "show_version": _reply("51077d14", "c919bde1", ">i32s32s32s256s"),
    "sw_interface_get_table": _reply("2d033de4", "a6eb0109", ">iI"),
    "sw_interface_set_table": _reply("df42a577"),
    "sw_interface_set_mtu": _reply("5cbe85e5"),
    "sw_interface_set_flags": _reply("f5aec1b8"),
    "sw_interface_add_del_address": _reply("5463d73b"),
    "tap_create_v3": _reply("3f3fd1df", "5383d31f", ">iI"),
    "tap_delete_v2": _reply("f9e6675e"),
    "cli_inband": _reply("f8377302", "05879051", ">iI"),
}
_MESSAGES = {
    name: _Message(crc, f"{name}_reply", answer_crc, Struct(fields))
    for name, (crc, answer_crc, fields) in _REPLIES.items()
} | {
    "sw_interface_dump": _Message(
        "aa610c27", "sw_interface_details", "6c221fc7", Struct(">I4x6sI14xI61x64s64s64s")
    ),
    "ip_address_dump": _Message("2d033de4", "ip_address_details", "ee29b797", Struct(">IB16sB")),
}
# what a retval means where we may see it; the others are told as a number
_REASONS = {
    -2: "there is no such interface",
    -3: "there is no such table",
    -11: "no /dev/vhost-net, or the kernel refused",
    -12: "its network namespace was not found",
    -13: "an interface of that name is no tap",
    -105: "the address conflicts with another one of its table",
    -114: "the interface has an address already",
    -127: "the address conflicts with another one of its table",
}


class Talk:
    """One connection, and who is at the other end. VppAway where nobody can be asked."""

    __slots__ = ("_context", "_index", "_left", "_numbers", "_room", "_socket", "_unread", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._left, self._room = PATIENCE_S, _MOST
        self._context = 0
        self._unread = b""
        self._socket = Socket(_AF_UNIX, _SOCK_STREAM | _SOCK_CLOEXEC)
        try:
            self._in_time(self._socket.connect, path)
            self._index, self._numbers = self._shake_hands()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, what: str, name: str, body: bytes) -> tuple[Any, ...]:
        """What a reply tells besides its retval; VppRefused where that is negative. `what` was tried, for people."""
        found = self.ask_all([(name, body)])[0]
        if len(found) != 1:
            raise self._unlike(f"{name} has {len(found)} answers")
        retval, *fields = found[0]
        if retval < 0:
            reason = _REASONS.get(retval, "it gives no reason")
            raise VppRefused(f"{what}: VPP refused: {reason} (retval {retval})", retval=retval)
        return tuple(fields)

    def ask_all(self, requests: Sequence[tuple[str, bytes]]) -> list[list[tuple[Any, ...]]]:
        """Every answer to each of them, in order; of a reply the retval is the first field."""
        answers = []
        for start in range(0, len(requests), _AT_ONCE):
            answers += self._batch(requests[start : start + _AT_ONCE])
        return answers

    def _batch(self, requests: Sequence[tuple[str, bytes]]) -> list[list[tuple[Any, ...]]]:
        first, names = self._context + 1, [name for name, _ in requests] + ["control_ping"]
        self._context += len(names)
        bodies = [body for _, body in requests] + [b""]
        frames = [self._frame(first + n, names[n], bodies[n]) for n in range(len(names))]
        awaited = [self._number(_MESSAGES[name].answer, _MESSAGES[name].answer_crc) for name in names]
        self._in_time(self._socket.sendall, b"".join(frames))
        answers: list[list[tuple[Any, ...]]] = [[] for _ in names]
        while not answers[-1]:
            number, context, body = self._receive()
            which = context - first
            if not 0 <= which < len(names):
                continue  # an event that we did not ask for
            if number != awaited[which]:
                raise self._unlike(f"{names[which]} is answered by message {number}")
            answers[which].append(self._fields(names[which], body))
        return answers[:-1]

    def _frame(self, context: int, name: str, body: bytes) -> bytes:
        number = self._number(name, _MESSAGES[name].crc)
        message = Struct(">HII").pack(number, self._index, context) + body
        return _FRAME.pack(0, len(message), 0) + message

    def _fields(self, name: str, body: bytes) -> tuple[Any, ...]:
        form = _MESSAGES[name].fields
        if name == "cli_inband" and len(body) >= form.size:
            retval, length = form.unpack_from(body)
            return retval, text_of(body[form.size : form.size + length])
        try:
            return form.unpack(body)
        except error as wrong:
            raise self._unlike(f"the answer to {name} has {len(body)} bytes") from wrong

    # who is there ----------------------------------------------------------------------------------------------------

    def _shake_hands(self) -> tuple[int, dict[str, int]]:
        """What we are to it, without which it drops a message, and its numbers by name and CRC."""
        hello = _HELLO.pack(_HELLO_NUMBER, 0, b"cni-sriov")
        self._in_time(self._socket.sendall, _FRAME.pack(0, len(hello), 0) + hello)
        message = self._message()
        if len(message) < _WELCOME.size:
            raise self._unlike(f"its handshake has {len(message)} bytes")
        number, _, _, response, index, count = _WELCOME.unpack_from(message)
        table = message[_WELCOME.size :]
        if (number, response) != (_WELCOME_NUMBER, 0) or len(table) < count * _ENTRY.size:
            raise self._unlike(f"its handshake is message {number}, response {response}")
        entries = _ENTRY.iter_unpack(table[: count * _ENTRY.size])
        return index, {text_of(name): number for number, name in entries}

    def _number(self, name: str, crc: str) -> int:
        """VppAway (5) that names VPP's version where it has another message of that name, or none."""
        number = self._numbers.get(f"{name}_{crc}")
        if number is None:
            theirs = [one for one in self._numbers if one.rpartition("_")[0] == name]
            raise VppAway(
                f"speak with VPP {self._version(name)} at {self.path}: it has {theirs[0] if theirs else 'no ' + name},"
                f" and we know {name}_{crc}",
                "VPP 22.06 to 26.06 have it, from 26.02 on in the plugin tap, which must be loaded",
                code=5,
            )
        return number

    def _version(self, but: str) -> str:
        """For people. Where that is what cannot be asked, nobody knows."""
        if but.removesuffix("_reply") in {"show_version", "control_ping"}:
            return "of an unknown version"
        return text_of(self.ask("ask for the version", "show_version", b"")[1])

    # the socket ------------------------------------------------------------------------------------------------------

    def _in_time(self, act: Callable[..., T], *args: Any) -> T:
        began = time.monotonic()
        try:
            if self._left <= 0:  # a byte now and then would never end
                raise TimeoutError
            self._socket.settimeout(self._left)
            return act(*args)
        except TimeoutError as late:
            raise VppAway(
                f"ask VPP at {self.path}: no answer for {PATIENCE_S:g} s", "it may hang; " + REMEDY
            ) from late
        except (OSError, ValueError) as refused:
            reason = getattr(refused, "strerror", None) or refused
            raise VppAway(f"ask VPP at {self.path}: {reason}", REMEDY) from refused
        finally:
            self._left -= time.monotonic() - began

    def _receive(self) -> tuple[int, int, bytes]:
        message = self._message()
        if len(message) < _HEAD.size:
            raise self._unlike(f"a message has {len(message)} bytes")
        return *_HEAD.unpack_from(message), message[_HEAD.size :]

    def _message(self) -> bytes:
        _, length, _ = _FRAME.unpack(self._read(_FRAME.size))
        if length > _LONGEST:
            raise self._unlike(f"a message has {length} bytes")
        return self._read(length)

    def _read(self, size: int) -> bytes:
        while len(self._unread) < size:
            part = self._in_time(self._socket.recv, 1 << 16)
            self._room -= len(part)
            if not part:
                raise VppAway(f"ask VPP at {self.path}: it closed the connection", REMEDY)
            if self._room < 0:
                raise self._unlike(f"its answers have more than {_MOST} bytes")
            self._unread += part
        found, self._unread = self._unread[:size], self._unread[size:]
        return found

    def _unlike(self, why: str) -> VppAway:
        return VppAway(
            f"ask VPP at {self.path}: {why}", "what listens there does not speak VPP's API", code=5
        )


def text_of(raw: bytes) -> str:
    """Of a fixed field, or a string; fit for a log."""
    text = raw.partition(b"\0")[0].decode("ascii", "replace").strip()
    return "".join(char if char.isprintable() else " " for char in text)
