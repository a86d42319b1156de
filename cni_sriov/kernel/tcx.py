"""The BPF programs on a netdev's tcx hooks (since Linux 6.6), which see each packet: a move keeps them, and neither netlink
nor ethtool tells of them. Layouts and numbers: linux/bpf.h; net/core/dev.c ends them with the netdev alone.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable
from errno import EACCES, EINVAL, ENOSYS, EPERM
from struct import pack

from ..words.errors import KernelRefused

_PROG_QUERY = 16
_HOOKS = {"ingress": 46, "egress": 47}  # BPF_TCX_*
_MOST = 64  # BPF_MPROG_MAX, include/linux/bpf_mprog.h
# a kernel without them; EPERM, EACCES: a security module lets nobody look, which must not keep pods from their VFs
_UNKNOWN = {EINVAL, ENOSYS, EPERM, EACCES}


def programs(ifindex: int) -> str | None:
    """IDs by hook, of a link of the netns that this process is in; "" = none, None = nobody can tell."""
    found = []
    for hook, number in _HOOKS.items():
        ids = _query(ifindex, number)
        if ids is None:
            return None
        if ids:
            found.append(f"{hook} {','.join(map(str, ids))}")
    return " ".join(found)


def _query(ifindex: int, hook: int) -> list[int] | None:
    """union bpf_attr, query: ifindex, type, flags twice, where the IDs go, how many have room or came, the rest 0."""
    ids = array("I", bytes(4 * _MOST))
    attr = bytearray(pack("=IIIIQI", ifindex, hook, 0, 0, ids.buffer_info()[0], _MOST) + bytes(36))
    try:
        _bpf(_PROG_QUERY, attr)
    except OSError as error:
        if error.errno in _UNKNOWN:
            return None
        raise KernelRefused(f"ask for tcx programs of link {ifindex}", error.errno or 0) from error
    return [number for number in ids if number]


def _bpf_by_ctypes(command: int, attr: bytearray) -> None:
    import ctypes  # not in the snapshot

    number = {"x86_64": 321, "aarch64": 280}.get(os.uname().machine)  # __NR_bpf
    if number is None:
        raise OSError(ENOSYS, os.strerror(ENOSYS))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, command, (ctypes.c_char * len(attr)).from_buffer(attr), len(attr)) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _find_bpf() -> Callable[[int, bytearray], None]:
    """The snapshot has its own (build/snapshot/modules.c)."""
    try:
        from _cni import bpf  # nowhere else
    except ImportError:
        return _bpf_by_ctypes
    return bpf  # type: ignore[no-any-return]


_bpf = _find_bpf()
