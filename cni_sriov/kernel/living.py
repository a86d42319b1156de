"""Which network namespaces live: what processes and mounts tell. Loaded only when somebody's death is to be proved."""

from __future__ import annotations

import os
from collections.abc import Iterator
from errno import ENOENT, ESRCH


def netns() -> dict[int, list[str]]:
    """Every netns that a process is in or that is mounted, by inode, with the paths that lead there: the others are
    dead, or held by an fd alone. Under 0, processes that we may not look at. Reads all of /proc: for reclaim.
    """
    found: dict[int, list[str]] = {}
    hidden = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            path = f"/proc/{name}/ns/net"
            try:
                found.setdefault(_inode(os.readlink(path)), []).append(path)
            except OSError as error:
                if error.errno not in {ENOENT, ESRCH}:  # not: it ended
                    hidden.append(name)
    unknown = _in_none_of(found, hidden) if hidden else []
    for path, inode in _mounted():
        found.setdefault(inode, []).append(path)
    found.pop(0, None)
    return found | {0: unknown} if unknown else found


def _in_none_of(found: dict[int, list[str]], hidden: list[str]) -> list[str]:
    """The hidden processes that are in no netns of another: /proc/PID/net is shown to anybody, once for each netns."""
    seen = {_net_directory(path.split("/")[2]) for paths in found.values() for path in paths[:3]}
    return [pid for pid in hidden if _net_directory(pid) not in seen - {0}]


def _net_directory(pid: str) -> int:
    try:
        return os.stat(f"/proc/{pid}/net/dev").st_ino
    except OSError:
        return 0


def _mounted() -> Iterator[tuple[str, int]]:
    with open("/proc/self/mountinfo", "rb") as file:
        for line in file:
            # proc(5): "... root mountpoint options ... - type source options"; an nsfs mount's root is net:[4026532000]
            if b" - nsfs " in line:
                root, point = (_unescaped(field) for field in line.split()[3:5])
                yield point, _inode(root)


def _unescaped(field: bytes) -> str:
    """A path in mountinfo has octal for space, tab, newline and backslash."""
    head, *rest = field.split(b"\\")
    plain = head + b"".join(bytes((int(part[:3], 8),)) + part[3:] for part in rest)
    return plain.decode("utf-8", "surrogateescape")


def _inode(text: str) -> int:
    digits = text.removeprefix("net:[").removesuffix("]")
    return int(digits) if digits.isdigit() else 0
