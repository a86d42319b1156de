"""host-local's `resolvConf`: the DNS of a Result, from a file like resolv.conf.

Read as its parseResolvConf does (containernetworking/plugins v1.9, plugins/ipam/host-local/dns.go): a name server, a
search list and options add up, the last domain counts, whatever else is there is passed over.
"""

from __future__ import annotations

import os
import stat
from typing import Any

from ..words.errors import InputOutput

_LARGEST = 1 << 16


def read(path: str) -> dict[str, Any]:
    """InputOutput (5) if it cannot be read. /etc/resolv.conf is a symlink on many nodes, so one is followed."""
    try:
        return parse(_text(path))
    except OSError as error:
        raise InputOutput(
            f"read ipam.resolvConf {path}: {error.strerror}",
            "name a file that is there, or leave the key out",
        ) from error


def _text(path: str) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO must not make ADD wait
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise InputOutput(f"read ipam.resolvConf {path}: it is no regular file")
        found = b""
        while len(found) <= _LARGEST and (part := os.read(fd, _LARGEST + 1 - len(found))):
            found += part
    finally:
        os.close(fd)
    if len(found) > _LARGEST:
        raise InputOutput(f"read ipam.resolvConf {path}: it is larger than {_LARGEST >> 10} KiB")
    return found.decode("utf-8", "replace")


def parse(text: str) -> dict[str, Any]:
    dns: dict[str, Any] = {}
    for line in text.split("\n"):
        words = line.split()
        if len(words) < 2 or words[0][0] in "#;":
            continue
        if words[0] == "nameserver":
            dns.setdefault("nameservers", []).append(words[1])
        elif words[0] == "domain":
            dns["domain"] = words[1]
        elif words[0] in {"search", "options"}:
            dns.setdefault(words[0], []).extend(words[1:])
    return dns
