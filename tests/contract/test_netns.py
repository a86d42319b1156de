"""What tells one netns from another, on the kernel and on its fake: the inode number comes again, the cookie never."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Protocol

import pytest

from cni_sriov.kernel import living
from cni_sriov.kernel import netns as netns_module
from cni_sriov.kernel.netlink import Netlink
from cni_sriov.kernel.netns import OWN, Netns, inside
from cni_sriov.words.errors import BadNetns
from tests.fakes import FakeKernel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KNOWS_COOKIES = tuple(int(part) for part in os.uname().release.split(".")[:2]) >= (5, 14)


class Node(Protocol):
    def make(self, name: str) -> str: ...
    def destroy(self, name: str) -> None: ...
    def open(self, path: str) -> Netns: ...
    def live(self) -> set[int]: ...


class KernelNode:
    def __init__(self) -> None:
        self.names: set[str] = set()

    def make(self, name: str) -> str:
        subprocess.run(["ip", "netns", "add", f"cni{os.getpid()}{name}"], check=True)
        self.names.add(name)
        return f"/run/netns/cni{os.getpid()}{name}"

    def destroy(self, name: str) -> None:
        subprocess.run(["ip", "netns", "del", f"cni{os.getpid()}{name}"], check=True)
        self.names.remove(name)

    def open(self, path: str) -> Netns:
        return Netns(path)

    def live(self) -> set[int]:
        return set(living.netns())


class FakeNode:
    def __init__(self, root: Path) -> None:
        self.world = FakeKernel(root)

    def make(self, name: str) -> str:
        self.world.add_pod(f"/run/netns/{name}")
        return f"/run/netns/{name}"

    def destroy(self, name: str) -> None:
        self.world.kill_netns(f"/run/netns/{name}")

    def open(self, path: str) -> Netns:
        return self.world.open_netns(path)

    def live(self) -> set[int]:
        return {pod.identity[1] for pod in self.world.pods.values()}


@pytest.fixture(params=["fake", pytest.param("kernel", marks=pytest.mark.root)])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Node]:
    if request.param == "fake":
        yield FakeNode(tmp_path)
        return
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if not KNOWS_COOKIES:
        pytest.skip("needs kernel 5.14")
    kernel = KernelNode()
    yield kernel
    for name in list(kernel.names):
        kernel.destroy(name)


def test_an_inode_number_comes_again_and_a_cookie_does_not(node: Node) -> None:
    """The kernel frees a netns a little later (cleanup_net): so again and again, until a number comes back."""
    seen: dict[int, set[int]] = {}
    for _ in range(200):
        with node.open(node.make("again")) as netns:
            seen.setdefault(netns.identity[1], set()).add(netns.cookie)
        node.destroy("again")
        if any(len(cookies) > 1 for cookies in seen.values()):
            break
        time.sleep(0.02)
    cookies = [cookie for group in seen.values() for cookie in group]
    assert any(len(group) > 1 for group in seen.values()), f"no number came again in {len(cookies)} netns"
    assert (0 in cookies, len(set(cookies))) == (False, len(cookies))


def test_while_both_live_they_share_nothing(node: Node) -> None:
    with node.open(node.make("one")) as one, node.open(node.make("two")) as two, node.open(OWN) as own:
        assert len({netns.identity for netns in (one, two, own)}) == 3
        assert len({netns.cookie for netns in (one, two, own)}) == 3


def test_the_one_is_known_again_and_a_later_one_of_its_number_is_not(node: Node) -> None:
    path = node.make("one")
    with node.open(path) as first, node.open(path) as again:
        identity, cookie = list(first.identity), first.cookie
        assert again.is_the_one(identity, cookie)
        assert again.is_the_one(identity, 0), "a Record of an earlier version"
        assert not again.is_the_one(identity, cookie + 1)
        assert not again.is_the_one([identity[0], identity[1] + 1], cookie)


def test_it_is_found_while_it_lives(node: Node) -> None:
    path = node.make("one")
    with node.open(path) as netns:
        inode = netns.identity[1]
    assert inode in node.live()
    node.destroy("one")
    assert inode not in node.live()


# the kernel alone ----------------------------------------------------------------------------------------------------


@pytest.fixture
def path() -> Iterator[str]:
    if os.geteuid() != 0 or not KNOWS_COOKIES:
        pytest.skip("needs root and kernel 5.14")
    kernel = KernelNode()
    yield kernel.make("real")
    for name in list(kernel.names):
        kernel.destroy(name)


@pytest.mark.root
def test_a_netlink_socket_that_is_inside_tells_it_for_nothing(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Netns(path) as netns, Netns(path) as other:
        with inside(netns):
            pod = Netlink()
        netns.met(pod.raw)
        monkeypatch.setattr("cni_sriov.kernel.netns.inside", None)  # no way in is needed any more
        found = netns.cookie
        monkeypatch.undo()
        assert found == other.cookie != 0
        pod.close()


@pytest.mark.root
def test_a_process_and_a_mount_keep_a_netns_and_paths_lead_there(path: str) -> None:
    with Netns(path) as netns:
        inode, cookie = netns.identity[1], netns.cookie
    sleeper = subprocess.Popen(["nsenter", f"--net={path}", "sleep", "60"])
    try:
        while os.readlink(f"/proc/{sleeper.pid}/ns/net") == os.readlink(OWN):
            time.sleep(0.01)
        paths = living.netns()[inode]
        assert {path, f"/proc/{sleeper.pid}/ns/net"} <= set(paths)
        for one in paths:
            try:
                with Netns(one) as there:
                    assert there.cookie == cookie
            except BadNetns:
                assert one.startswith("/proc/"), one  # it ended meanwhile
    finally:
        sleeper.kill()
        sleeper.wait()


@pytest.mark.root
def test_a_mount_whose_path_has_a_space_is_found(path: str, tmp_path: Path) -> None:
    odd = tmp_path / "a b\\c\td"
    odd.touch()
    subprocess.run(["mount", "--bind", path, odd], check=True)
    try:
        assert str(odd) in living.netns()[os.stat(path).st_ino]
    finally:
        subprocess.run(["umount", odd], check=True)


@pytest.mark.root
def test_the_stop_signals_are_as_before_when_the_cookie_was_read(path: str) -> None:
    code = (
        "import signal, sys; from cni_sriov.kernel.netns import Netns\n"
        "before = signal.pthread_sigmask(signal.SIG_BLOCK, ())\n"
        "assert Netns(sys.argv[1]).cookie\n"
        "assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before\n"
    )
    subprocess.run([sys.executable, "-c", code, path], check=True)


@pytest.mark.root
def test_what_another_mount_namespace_keeps_lives_and_the_path_leads_there(path: str) -> None:
    """A container engine may have mounts of its own: who took theirs for all took leases of living pods."""
    hold = "unshare --net sh -c 'ip link set lo up; exec sleep 60' & "
    hold += "while [ $(readlink /proc/$!/ns/net) = $(readlink /proc/$$/ns/net) ]; do sleep 0.01; done; "
    keep = f"mount --make-rprivate /; mount --bind /proc/$!/ns/net {path}; kill $!; wait; exec sleep 60"
    keeper = subprocess.Popen(["unshare", "--mount", "sh", "-c", hold + keep])
    try:
        own = os.stat(path).st_ino
        deadline = time.monotonic() + 30  # a machine may be busy
        there = f"/proc/{keeper.pid}/root{path}"
        while os.stat(there).st_ino == own or _processes_in(os.stat(there).st_ino):
            tree = f"ps axf -o pid,stat,wchan:20,args | grep -A6 '^ *{keeper.pid} '; readlink /proc/*/ns/net | sort | uniq -c"
            assert time.monotonic() < deadline, subprocess.getoutput(tree)
            time.sleep(0.01)
        inode = os.stat(there).st_ino

        found = living.netns()[inode]

        assert found
        for one in found:
            with Netns(one) as netns:
                assert netns.identity[1] == inode
    finally:
        keeper.kill()
        keeper.wait()


def _processes_in(inode: int) -> list[str]:
    return [path for path in living.netns().get(inode, []) if path.endswith("/ns/net")]


@pytest.mark.root
def test_the_way_back_is_tried_again_where_there_is_no_memory_just_now(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is left in the pod can only end, without an answer."""
    real, refused, home = os.stat(OWN).st_ino, [errno.ENOMEM, errno.ENOMEM], netns_module._setns  # noqa: SLF001

    def setns(fd: int) -> None:
        if refused:
            number = refused.pop()
            raise OSError(number, os.strerror(number))
        home(fd)

    with Netns(path) as netns, inside(netns):
        monkeypatch.setattr(netns_module, "_setns", setns)
    assert (os.stat(OWN).st_ino, refused) == (real, [])
