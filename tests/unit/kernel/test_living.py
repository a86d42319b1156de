"""Which network namespaces live: as /proc says by other ways."""

from __future__ import annotations

import io
import os
from typing import Any

import pytest

from cni_sriov.kernel import living


def test_every_path_leads_to_its_netns_and_ours_is_among_them() -> None:
    found, nsfs = living.netns(), os.stat("/proc/self/ns/net").st_dev

    for inode, paths in found.items():
        for path in paths if inode else ():
            try:
                there = os.stat(path)
            except OSError:
                continue  # it ended meanwhile
            assert there.st_ino == inode or there.st_dev != nsfs, "or it was unmounted meanwhile"
    own = os.stat("/proc/self/ns/net").st_ino
    assert f"/proc/{os.getpid()}/ns/net" in found[own]


def test_mounts_of_netns_are_found_whatever_their_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """proc(5), mountinfo: blank, tab, newline and backslash are octal; optional fields stand before the "-"."""
    lines = [
        b"28 1 0:26 / / rw,relatime shared:1 - ext4 /dev/vda rw",
        b"90 28 0:4 net:[4026532001] /run/netns/blue rw shared:5 - nsfs nsfs rw",
        rb"91 28 0:4 net:[4026532002] /run/netns/a\040b\134c rw shared:6 master:7 - nsfs nsfs rw",
        b"92 28 0:4 mnt:[4026532003] /run/mnt/x rw - nsfs nsfs rw",
        b"93 28 0:5 / /run/netns/no-nsfs rw - tmpfs tmpfs rw",
    ]

    def mountinfo(path: str, mode: str) -> Any:
        assert mode == "rb"
        return io.BytesIO(b"\n".join(lines if path == "/proc/self/mountinfo" else ()) + b"\n")

    monkeypatch.setattr(living, "open", mountinfo, raising=False)

    found = living.netns()

    assert (found[4026532001], found[4026532002]) == (["/run/netns/blue"], ["/run/netns/a b\\c"])
    assert 4026532003 not in found


def test_processes_that_may_not_be_looked_at_are_told_under_0(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless they are in a netns that is known of another."""
    readlink, me = os.readlink, str(os.getpid())

    def hidden(path: str) -> str:
        if path == f"/proc/{me}/ns/net":
            raise PermissionError(13, "Permission denied")
        return readlink(path)

    monkeypatch.setattr(os, "readlink", hidden)
    monkeypatch.setattr(os, "listdir", lambda _: [me])

    assert living.netns().get(0) == [me]
