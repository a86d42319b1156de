"""Which network namespaces live: as /proc says by other ways."""

from __future__ import annotations

import errno
import io
import os
from typing import Any

import pytest

from cni_sriov.kernel import living
from cni_sriov.kernel.netns import Netns
from cni_sriov.words.errors import BadNetns, InputOutput


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


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> str:
    """The netns of a process that ends while it is looked at: proc_ns_get_link finds no task and answers EACCES. Seen so
    on Linux 6.18: a child that is reaped while another one opens its ns/net again and again.
    """
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)

    def closed(path: str, *_: object) -> Any:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    for look in ("open", "readlink"):
        monkeypatch.setattr(os, look, closed)
    monkeypatch.setattr(os, "listdir", lambda _: [str(child)])
    return f"/proc/{child}/ns/net"


def test_a_process_that_ends_while_it_is_looked_at_is_not_hidden(
    ended: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(living, "_mount_namespace", str)
    monkeypatch.setattr(living, "_mounted", lambda _: [])

    assert living.netns() == {}


def test_the_netns_of_a_process_that_ends_is_gone_and_a_closed_one_is_not(ended: str) -> None:
    with pytest.raises(BadNetns):
        Netns(ended)
    with pytest.raises(InputOutput):
        Netns("/proc/self/ns/net")
