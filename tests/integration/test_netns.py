"""Netns on the kernel: what is one and what is not, going inside and always coming back."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cni_sriov.kernel.netns import OWN, Netns, inside
from cni_sriov.words.errors import BadNetns, KernelRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root


@pytest.fixture
def path() -> Iterator[str]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    name = f"cnisriov{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    yield f"/run/netns/{name}"
    subprocess.run(["ip", "netns", "del", name], check=True)


def where() -> tuple[int, int]:
    found = os.stat(OWN)
    return found.st_dev, found.st_ino


def test_netns_has_an_identity_that_is_not_ours(path: str) -> None:
    with Netns(path) as netns:
        found = os.stat(path)

        assert netns.identity == (found.st_dev, found.st_ino)
        assert not netns.is_own()
        assert Netns(OWN).is_own()


def test_symlink_and_proc_path_lead_to_the_same_netns(path: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(path)
    process = subprocess.Popen(["nsenter", f"--net={path}", "sleep", "60"])
    try:
        identity = Netns(path).identity
        while os.readlink(f"/proc/{process.pid}/ns/net") == os.readlink(OWN):
            time.sleep(0.01)

        assert Netns(str(tmp_path / "link")).identity == identity
        assert Netns(f"/proc/{process.pid}/ns/net").identity == identity
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("/nowhere/at/all", "No such file or directory"),
        ("/proc/self/ns/mnt", "not a network namespace"),
        ("/etc/passwd", "not a network namespace"),
        ("/etc", "not a network namespace"),
        ("/dev/null", "not a network namespace"),
        ("/etc/passwd/x", "Not a directory"),
        ("", "No such file or directory"),
        ("a\0b", "NUL byte"),
    ],
)
def test_what_is_no_netns_is_code_8_and_is_named(bad: str, reason: str) -> None:
    with pytest.raises(BadNetns) as caught:
        Netns(bad)

    assert caught.value.code == 8
    assert reason in caught.value.msg
    assert bad.partition("\0")[0] in caught.value.msg


def test_fifo_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    with pytest.raises(BadNetns):
        Netns(str(tmp_path / "fifo"))


def test_failed_open_leaves_no_descriptor() -> None:
    before = os.listdir("/proc/self/fd")

    with pytest.raises(BadNetns):
        Netns("/etc/passwd")

    assert os.listdir("/proc/self/fd") == before


def test_inside_goes_there_and_comes_back(path: str) -> None:
    home, descriptors = where(), len(os.listdir("/proc/self/fd"))
    netns = Netns(path)

    with inside(netns):
        assert where() == netns.identity
        assert "lo" in [name for _, name in socket.if_nameindex()]

    assert where() == home
    netns.close()
    netns.close()
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_inside_comes_back_from_an_exception(path: str) -> None:
    home = where()

    with pytest.raises(ZeroDivisionError), inside(Netns(path)):
        raise ZeroDivisionError

    assert where() == home


def test_closed_netns_is_refused_and_we_stay(path: str) -> None:
    home, mask = where(), signal.pthread_sigmask(signal.SIG_BLOCK, [])
    netns = Netns(path)
    netns.close()

    with pytest.raises(KernelRefused, match=f"enter netns {path}: Bad file descriptor"), inside(netns):
        pytest.fail("went inside")

    assert where() == home
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask


def test_stop_signal_waits_for_the_way_back(path: str) -> None:
    class Stop(Exception):
        pass

    def stop(*_: object) -> None:
        raise Stop

    home = where()
    before = signal.signal(signal.SIGTERM, stop)
    reached = []
    try:
        with pytest.raises(Stop), inside(Netns(path)):  # noqa: PT012 # it comes from the end of the with
            os.kill(os.getpid(), signal.SIGTERM)
            reached.append(where())
    finally:
        signal.signal(signal.SIGTERM, before)

    assert reached == [Netns(path).identity]
    assert where() == home


def test_process_that_cannot_come_back_ends_with_70(path: str) -> None:
    program = (
        "import os, sys\n"
        "from cni_sriov.kernel.netns import Netns, inside\n"
        "place = inside(Netns(sys.argv[1]))\n"
        "place.__enter__()\n"
        "os.close(place._back)\n"
        "place.__exit__()\n"
        "print('went on')\n"
    )

    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (70, "")
    assert f"cannot leave netns {path}" in done.stderr


def test_netns_of_another_user_namespace_can_be_entered() -> None:
    process = subprocess.Popen(["unshare", "--user", "--net", "sleep", "60"])
    try:
        while os.readlink(f"/proc/{process.pid}/ns/net") == os.readlink(OWN):
            time.sleep(0.01)
        netns = Netns(f"/proc/{process.pid}/ns/net")

        with inside(netns):
            assert where() == netns.identity
        netns.set_sysctls([(("net", "ipv4", "conf", "all", "arp_notify"), "1")])
        assert arp_notify(netns, "all") == "1"
    finally:
        process.kill()
        process.wait()


def arp_notify(netns: Netns, ifname: str) -> str:
    with inside(netns):
        return Path(f"/proc/sys/net/ipv4/conf/{ifname}/arp_notify").read_text().strip()


def test_sysctl_is_the_netns_own(path: str) -> None:
    home = arp_notify(Netns(OWN), "lo")
    netns = Netns(path)

    netns.set_sysctls([(("net", "ipv4", "conf", "lo", "arp_notify"), "1")])

    assert arp_notify(netns, "lo") == "1"
    assert arp_notify(Netns(OWN), "lo") == home


@pytest.mark.parametrize("part", ["", ".", "..", "../../kernel", "a/b", "a\0b"])
def test_sysctl_path_element_that_leads_elsewhere_is_refused(path: str, part: str) -> None:
    with pytest.raises(ValueError, match="bad element"):
        Netns(path).set_sysctls([(("net", "ipv4", "conf", part, "arp_notify"), "1")])


def test_sysctl_that_is_not_there_or_refuses_the_value_is_named(path: str) -> None:
    netns = Netns(path)

    absent, refused = netns.set_sysctls([(("net", "nope"), "1"), (("net", "ipv4", "ip_forward"), "x")])

    assert str(absent) == 'write "1" to /proc/sys/net/nope: No such file or directory'
    assert str(refused) == 'write "x" to /proc/sys/net/ipv4/ip_forward: Invalid argument'
