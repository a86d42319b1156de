"""Which network namespaces live: what processes and mounts tell; and whether all of the node can be seen from here.
Asked only when somebody's death is to be proved.

A mount keeps a netns for whoever is in its mount namespace, which need not be ours: so the mounts of every mount
namespace are read, and ours may be a private one (a container engine's, a chroot).
"""

from __future__ import annotations

import os
from errno import EACCES, EINVAL

from ..words.errors import KernelRefused
from ..words.gone import is_gone

_INITIAL_PID_NS = "pid:[4026531836]"  # PROC_PID_INIT_INO, linux/proc_ns.h
_ROOT = "root"  # of /proc/PID; a path that has a home directory in it looks like one of the build machine's


def netns() -> dict[int, list[str]]:
    """Every netns that a process is in or that is mounted, by inode, with the paths that lead there: the others are
    dead, or held by an fd alone. Under 0, processes that we may not look at. Reads all of /proc: for reclaim.
    KernelRefused where that fails.
    """
    found: dict[int, list[str]] = {}
    hidden = []
    mounts = {_mount_namespace("self"): "self"}  # mount namespace -> a process in it
    for pid in _processes():
        path = f"/proc/{pid}/ns/net"
        try:
            found.setdefault(_inode(os.readlink(path)), []).append(path)
            mounts.setdefault(_mount_namespace(pid), pid)
        except OSError as error:
            if not has_ended(path, error):
                hidden.append(pid)
    unknown = _in_none_of(found, hidden) if hidden else []
    for pid in [*mounts.values(), *hidden]:
        for path, inode in _mounted(pid):
            if pid not in hidden or inode not in found:  # that path may be closed to us
                found.setdefault(inode, []).append(path)
    found.pop(0, None)
    return found | {0: unknown} if unknown else found


def has_ended(path: str, error: OSError) -> bool:
    """Whether that look at /proc/PID/ns/... found that no such process is there, or a look at any other path that nothing
    is. One that ends just then gives EACCES, as one that we may not look at does (proc_ns_get_link, fs/proc/namespaces.c):
    but its directory is gone.
    """
    if error.errno != EACCES:
        return is_gone(error)
    try:
        os.stat(os.path.dirname(path))
    except OSError as above:
        return is_gone(above)
    return False


def _processes() -> list[str]:
    try:
        return [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError as error:
        raise KernelRefused("list processes", error.errno or 0) from error


def _mount_namespace(pid: str) -> str:
    return os.readlink(f"/proc/{pid}/ns/mnt")


def _in_none_of(found: dict[int, list[str]], hidden: list[str]) -> list[str]:
    """The hidden processes that are in no netns of another: /proc/PID/net is shown to anybody, once for each netns."""
    seen = {_net_directory(path.split("/")[2]) for paths in found.values() for path in paths[:3]}
    return [pid for pid in hidden if _net_directory(pid) not in seen - {0}]


def _net_directory(pid: str) -> int:
    """0 if that cannot be seen, which is as good as hidden."""
    try:
        return os.stat(f"/proc/{pid}/net/dev").st_ino
    except OSError:
        return 0


def _mounted(pid: str) -> list[tuple[str, int]]:
    """Where netns are mounted in the process's mount namespace, each with its inode."""
    root = "" if pid == "self" else f"/proc/{pid}/{_ROOT}"
    # proc(5): "... root mountpoint options ... - type source options"; an nsfs mount's root is net:[4026532000]
    fields = [line.split()[3:5] for line in _mountinfo(pid) if b" - nsfs " in line]
    return [(root + _unescaped(point), _inode(_unescaped(what))) for what, point in fields]


def _mountinfo(pid: str) -> list[bytes]:
    """Its lines; none if the process has ended."""
    try:
        with open(f"/proc/{pid}/mountinfo", "rb") as file:
            return file.read().splitlines()
    except OSError as error:
        if is_gone(error) or error.errno == EINVAL:  # EINVAL: it is ending (mounts_open_common)
            return []
        raise KernelRefused(f"read the mounts of process {pid}", error.errno or 0) from error


def _unescaped(field: bytes) -> str:
    """A path in mountinfo has octal for space, tab, newline and backslash."""
    head, *rest = field.split(b"\\")
    plain = head + b"".join(bytes((int(part[:3], 8),)) + part[3:] for part in rest)
    return plain.decode("utf-8", "surrogateescape")


def _inode(text: str) -> int:
    digits = text.removeprefix("net:[").removesuffix("]")
    return int(digits) if digits.isdigit() else 0


# the observer --------------------------------------------------------------------------------------------------------


def blind_spot() -> str:
    """Why not all of the node can be seen from here, "" if it can: then what is not seen is not there."""
    try:
        if os.readlink("/proc/self/ns/pid") != _INITIAL_PID_NS:
            return "this process is in a pid namespace of its own, and does not see the node's processes"
    except OSError as error:
        return f"/proc is not the node's: {error.strerror}"
    kind = file_system("/sys")
    return "" if kind == "sysfs" else f"/sys is not the node's: it is {kind or 'of no file system'}"


def file_system(path: str) -> str:
    """The type of the file system that `path` is on, "" if there is none. KernelRefused where that cannot be seen."""
    try:
        device = os.stat(path).st_dev
    except OSError as error:
        if is_gone(error):
            return ""
        raise KernelRefused(f"look at {path}", error.errno or 0) from error
    number = f"{os.major(device)}:{os.minor(device)}".encode()
    for line in _mountinfo("self"):
        before, _, after = line.partition(b" - ")
        if before.split()[2] == number:
            return after.split()[0].decode("ascii", "replace")
    return ""
