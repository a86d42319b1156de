"""A face on rtnetlink: one socket in one netns, for life. What it can say is in links.py, vfs.py and addresses.py."""

from __future__ import annotations

from _socket import socket as Socket  # noqa: N812 # the class in C: socket.socket is a slower heir
from collections.abc import Callable
from errno import EBADMSG, ENODEV, ENOENT
from typing import Self, TypeVar

from ..words.errors import KernelRefused
from . import rtnl
from .attributes import Malformed
from .nlsocket import NetlinkSocket

T = TypeVar("T")

NEW = rtnl.NLM_F_CREATE | rtnl.NLM_F_EXCL


class Speaker:
    """Requests to the kernel's rtnetlink in the netns this process was in when it was made."""

    __slots__ = ("_socket",)

    def __init__(self) -> None:
        self._socket = NetlinkSocket()

    @property
    def raw(self) -> Socket:
        """The socket itself, for what it tells of its netns."""
        return self._socket.raw

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _set(self, verb: str, body: bytes) -> None:
        self._socket.tell(verb, rtnl.RTM_NEWLINK, body)

    def _dump(self, verb: str, kind: int, query: bytes) -> list[bytes]:
        """The query's first byte is the family: a kernel without IPv6 answers for all families instead."""
        try:
            bodies = self._socket.dump(verb, kind, query)
        except KernelRefused as refused:
            if refused.errno in {ENODEV, ENOENT}:  # the link is gone; the table is not there yet
                return []
            raise
        return [body for body in bodies if body[:1] == query[:1]]


def decoded(verb: str, decode: Callable[[bytes], T], body: bytes) -> T:
    """What `decode` makes of it; KernelRefused (EBADMSG) where it is Malformed."""
    try:
        return decode(body)
    except Malformed as error:
        raise KernelRefused(verb, EBADMSG, str(error)) from error
