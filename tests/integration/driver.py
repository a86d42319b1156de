"""A driver for the rig's VFs that can be unbound: the netdev ends, in whatever netns it is, and a new one is in the host.

`Driver(rig)` as a context. Each VF's `driver/unbind` is a file under a lease (fcntl(2), F_SETLEASE): who opens it for
writing waits until the lease is broken, and before that the veth pair is made anew. So unbinding is over when the write
is, as with a real one; `drivers/igbvf/bind` has nothing left to do. The new netdev has a MAC of its own.
"""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.integration.rig import PCI_DEVICES, Call, Rig, vf_pci

if TYPE_CHECKING:
    from types import TracebackType

ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
DRIVERS = "/run/rig/drivers"
PAUSE_S = 0.003


class Driver:
    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.made_anew = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="driver")
        self._leases: dict[int, int] = {}  # descriptor -> VF

    def __enter__(self) -> Self:
        self._leases = {self.rig.inside(_make_bound, vf_pci(index)): index for index in range(self.rig.vfs)}
        self.rig.inside(_make_driver, DRIVERS)
        self.rig.run("mount", "--bind", DRIVERS, "/sys/bus/pci/drivers")
        self._ignored = signal.signal(
            signal.SIGIO, signal.SIG_IGN
        )  # which tells of leases, and kills by default
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        for fd in self._leases:
            os.close(fd)
        signal.signal(signal.SIGIO, self._ignored)

    def _serve(self) -> None:
        held: set[int] = set()
        while not self._stop.wait(PAUSE_S):
            for fd, index in self._leases.items():
                if fd not in held:
                    held |= {fd} if _lease(fd) else set()
                elif fcntl.fcntl(fd, fcntl.F_GETLEASE) == fcntl.F_UNLCK:  # somebody waits in open(2)
                    self._make_anew(index)
                    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
                    held.discard(fd)

    def _make_anew(self, index: int) -> None:
        self.made_anew += 1
        name = f"vf{index}"
        for argv in (
            ("ip", "-n", "wire", "link", "del", f"w{name}"),
            ("ip", "link", "add", name, "type", "veth", "peer", "name", f"w{name}", "netns", "wire"),
            ("ip", "-n", "wire", "link", "set", f"w{name}", "up"),
        ):
            self.rig.start(Call(argv, ENV, b"")).communicate()


def _lease(fd: int) -> bool:
    """Not while the one who unbound still has it open."""
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return False
    return True


def _make_bound(pci: str) -> int:
    """The driver's directory as this device has it, so that its `unbind` tells which one is meant."""
    device = Path(PCI_DEVICES, pci)
    bound = device / "bound" / "igbvf"
    bound.mkdir(parents=True)
    (bound / "unbind").touch(0o200)
    (device / "driver").unlink()
    (device / "driver").symlink_to("bound/igbvf")
    return os.open(bound / "unbind", os.O_RDONLY | os.O_CLOEXEC)


def _make_driver(top: str) -> None:
    for name in ("igb", "igbvf"):
        Path(top, name).mkdir(parents=True)
    Path(top, "igbvf", "bind").touch(0o200)
