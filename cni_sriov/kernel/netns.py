"""A network namespace: open it, judge it, go inside and come back, write its sysctls. The only caller of setns.

Imported on every CNI call that names a netns. Linux only; needs CAP_SYS_ADMIN in the user namespace that owns the
netns, which real root has for every pod, also one in a user namespace of its own.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
import time
from _socket import socket as Socket  # noqa: N812 # the class in C: socket.socket is a slower heir
from collections.abc import Callable, Iterable
from errno import EBADF, ELOOP, ENAMETOOLONG, ENOPROTOOPT, ENOTTY
from fcntl import ioctl
from typing import Self

from ..words.errors import BadNetns, InputOutput, KernelRefused
from ..words.gone import is_gone, is_passing
from ..words.jsontext import words
from .living import has_ended

CLONE_NEWNET = 0x40000000  # linux/sched.h
_NS_GET_NSTYPE = 0xB703  # linux/nsfs.h
_SOL_SOCKET, _SO_NETNS_COOKIE = 1, 71  # asm-generic/socket.h; kernel 5.14
_AF_UNIX, _SOCK_DGRAM, _SOCK_CLOEXEC = 1, 2, 0o2000000  # linux/socket.h, linux/net.h
OWN = "/proc/thread-self/ns/net"
_PAUSES_S = (0.0, 0.001, 0.01, 0.1)
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Netns:
    """An open netns. `identity` is (st_dev, st_ino): valid while somebody holds it, since the kernel gives the number
    to the next netns. `cookie` is given once in a boot.
    """

    __slots__ = ("_cookie", "fd", "identity", "path")

    def __init__(self, path: str) -> None:
        """BadNetns where `path` is missing or no network namespace, so that none is there; InputOutput where that cannot be
        seen.
        """
        self.path = path
        self._cookie: int | None = None
        self.fd = _open(path)
        try:
            self.identity = _judge(path, self.fd)
        except BaseException:
            os.close(self.fd)
            raise

    def is_own(self) -> bool:
        """Whether this is the netns the process is in."""
        try:
            own = os.stat(OWN)
        except OSError as error:
            raise InputOutput(f"look at {OWN}: {error.strerror}", "the plugin needs /proc") from error
        return self.identity == (own.st_dev, own.st_ino)

    @property
    def cookie(self) -> int:
        """0 where the kernel tells none. Costs a way in and back, unless a socket that is in there has told it (`met`).
        KernelRefused where it cannot be had now.
        """
        if self._cookie is None:
            with inside(self):
                visitor = _visitor(self.path)
            try:
                self.met(visitor)
            finally:
                visitor.close()
        return self._cookie or 0

    def met(self, insider: Socket) -> None:
        """A socket that was opened inside tells the cookie."""
        self._cookie = _cookie_of(insider)

    def is_the_one(self, identity: list[int], cookie: int) -> bool:
        """Whether it is the netns that was once seen so; `cookie` 0 = it was not known then.

        A netns never changes its inode, so the cookie is asked only where that is the same.
        """
        return list(self.identity) == identity and (not cookie or self.cookie in {0, cookie})

    def set_sysctls(self, settings: Iterable[tuple[tuple[str, ...], str]]) -> list[KernelRefused]:
        """Write each ((path elements below /proc/sys), value), in order, and go on past those that the kernel refuses:
        the answer.
        """
        refused = []
        with inside(self):
            for parts, value in settings:
                try:
                    _set_sysctl(parts, value)
                except KernelRefused as error:
                    refused.append(error)
        return refused

    def proc_net(self, name: str) -> str:
        """/proc/net/NAME of the netns; "" where the kernel has none (igmp without IPv4)."""
        with inside(self):
            return proc_net(name)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class inside:  # noqa: N801 # reads as a preposition
    """`with inside(netns):` whatever opens a socket or reads /proc/sys in the body does so in the netns.

    Stop signals wait until we are back: a handler's exception between the two setns would leave the process, and
    all its undoing, in the pod. Where the way back fails nothing can be done right any more: the process ends at
    once (exit 70), and the ledger's record lets the next call clean up. Start no child process in the body.
    """

    __slots__ = ("_back", "_mask", "_netns")

    def __init__(self, netns: Netns) -> None:
        self._netns = netns

    def __enter__(self) -> None:
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
        try:
            self._back = _go(self._netns)
        except BaseException:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            raise

    def __exit__(self, *_: object) -> None:
        try:
            _go_back(self._back)
        except OSError as error:
            os.write(2, f"cni-sriov: cannot leave netns {self._netns.path}: {error.strerror}\n".encode())
            os._exit(70)  # EX_SOFTWARE, sysexits.h
        os.close(self._back)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)


def _go_back(back: int) -> None:
    """Where there is no memory for it just now, there may be in a moment; to be left in the pod is the worst."""
    for pause_s in _PAUSES_S:
        try:
            _setns(back)
            return
        except OSError as error:
            if not is_passing(error):
                raise
        time.sleep(pause_s)
    _setns(back)


def _go(netns: Netns) -> int:
    """Enter; the answer is an fd of the netns we came from."""
    try:
        back = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(netns.fd)
        except BaseException:
            os.close(back)
            raise
    except OSError as error:
        raise KernelRefused(f"enter netns {netns.path}", error.errno or 0) from error
    return back


def _visitor(path: str) -> Socket:
    try:
        return Socket(_AF_UNIX, _SOCK_DGRAM | _SOCK_CLOEXEC)
    except OSError as error:
        raise KernelRefused(f"open a socket in netns {path}", error.errno or 0) from error


def _cookie_of(insider: Socket) -> int:
    try:
        return int.from_bytes(insider.getsockopt(_SOL_SOCKET, _SO_NETNS_COOKIE, 8), sys.byteorder)
    except OSError as error:
        if error.errno == ENOPROTOOPT:
            return 0  # a kernel before 5.14
        raise KernelRefused("ask for the cookie of a netns", error.errno or 0) from error


def _open(path: str) -> int:
    if "\0" in path:
        raise BadNetns(f"open netns {words(path)}: the path has a NUL byte")
    try:
        # O_NONBLOCK: a FIFO at that path must not hang the runtime
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        nowhere = has_ended(path, error) or error.errno in {ELOOP, ENAMETOOLONG}
        kind = BadNetns if nowhere else InputOutput
        raise kind(
            f"open netns {path}: {error.strerror}", "CNI_NETNS must be the path of a live network namespace"
        ) from error


def _judge(path: str, fd: int) -> tuple[int, int]:
    try:
        found = os.fstat(fd)
        # asked of regular files only (nsfs files are): a device might take the number for an order of its own
        kind = ioctl(fd, _NS_GET_NSTYPE) if stat.S_ISREG(found.st_mode) else 0
    except OSError as error:
        if error.errno != ENOTTY:
            raise InputOutput(f"look at netns {path}: {error.strerror}") from error
        kind = 0  # not on nsfs
    if kind != CLONE_NEWNET:
        what = "it is a namespace of another kind" if kind else "it is no namespace file"
        raise BadNetns(f"open netns {path}: not a network namespace", what)
    return found.st_dev, found.st_ino


def _set_sysctl(parts: tuple[str, ...], value: str) -> None:
    """An element may contain dots (eth0.100) but is never a path itself: ValueError."""
    path = "/proc/sys/" + "/".join(parts)
    if not {"", ".", ".."}.isdisjoint(parts) or path.count("/") != 2 + len(parts) or "\0" in path:
        raise ValueError(f"sysctl path {words(parts)} has a bad element")
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            # to write disable_ipv6 takes RTNL, also where nothing changes (net/ipv6/addrconf.c)
            if parts[-1] != "disable_ipv6" or os.pread(fd, 16, 0).strip() != value.encode():
                os.write(fd, value.encode())
        finally:
            os.close(fd)
    except OSError as error:
        raise KernelRefused(f"write {words(value)} to {path}", error.errno or 0) from error


def proc_net(name: str) -> str:
    """Of the netns that the process is in."""
    try:
        fd = os.open(f"/proc/thread-self/net/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        if is_gone(error):
            return ""
        raise KernelRefused(f"read /proc/net/{name}", error.errno or 0) from error
    try:
        parts = []
        while part := os.read(fd, 1 << 16):
            parts.append(part)
        return b"".join(parts).decode("ascii", "replace")
    except OSError as error:
        raise KernelRefused(f"read /proc/net/{name}", error.errno or 0) from error
    finally:
        os.close(fd)


def _setns(fd: int) -> None:
    if fd < 0:  # closed; os.setns would say ValueError
        raise OSError(EBADF, os.strerror(EBADF))
    _enter(fd, CLONE_NEWNET)


def _setns_by_ctypes(fd: int, kind: int) -> None:
    import ctypes  # not in the snapshot

    if ctypes.CDLL(None, use_errno=True).setns(fd, kind):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _find_setns() -> Callable[[int, int], None]:
    """Python 3.11 has no os.setns; the snapshot has its own (build/snapshot/modules.c)."""
    if sys.version_info >= (3, 12):
        return os.setns
    try:
        from _cni import setns  # nowhere else
    except ImportError:
        return _setns_by_ctypes
    return setns  # type: ignore[no-any-return]


_enter = _find_setns()
