"""Runs in the guest: the facts of tests/contract/card.py and drivers.py on the card there, by the product's own faces.

Each in a child of its own, with fresh VFs; prints what went wrong with each as one JSON object, "" = nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from cni_sriov.kernel.files import Files
from cni_sriov.kernel.netlink import Netlink
from cni_sriov.kernel.netns import Netns, inside
from cni_sriov.kernel.nodes import Nodes
from cni_sriov.kernel.sysfs import Sysfs
from tests.contract import card, drivers


def run(*argv: str) -> None:
    subprocess.run(argv, check=True)


class GuestCard:
    """udev has named the VFs; it stands still from then on."""

    def __init__(self) -> None:
        self.host = Netlink()
        self.sysfs = Sysfs()
        self.nodes = Nodes(Files())
        run("udevadm", "control", "--stop-exec-queue")

    def open_netns(self, path: str) -> Netns:
        return Netns(path)

    def pod_netlink(self, netns: Netns) -> Netlink:
        with inside(netns):
            return Netlink()

    def add_pod(self) -> Netns:
        run("ip", "netns", "add", "pod")
        return Netns("/run/netns/pod")

    def kill_pod(self, pod: Netns) -> None:
        pod.close()
        run("ip", "netns", "del", "pod")

    def start_udev(self) -> None:
        run("udevadm", "control", "--start-exec-queue")

    def settle(self) -> None:
        run("udevadm", "settle")

    def load(self, driver: str) -> None:
        run("modprobe", driver)


DEVICE, PCI = Path(f"/sys/class/net/{card.PF}/device"), Path("/sys/bus/pci")
COUNT = 2
DEFAULTS = ("mac 00:00:00:00:00:00", "vlan 0", "spoofchk on", "trust off", "max_tx_rate 0", "state auto")


def renew_vfs(*, all_new: bool) -> None:
    """Their drivers anew, with what igb has of a fresh VF; or the VFs themselves, which takes twice as long."""
    links = [DEVICE / f"virtfn{index}" for index in range(COUNT)]
    run("ip", "link", "set", card.PF, "up")
    if all_new or not all(link.exists() for link in links):
        (DEVICE / "sriov_numvfs").write_text("0")
        (DEVICE / "sriov_numvfs").write_text(str(COUNT))
        return
    for index, link in enumerate(links):
        vf = link.resolve()
        if (vf / "driver").exists():
            (vf / "driver/unbind").write_text(vf.name)
        (vf / "driver_override").write_text("\n")
        for words in DEFAULTS:
            subprocess.run(
                ("ip", "link", "set", card.PF, "vf", str(index), *words.split()), stderr=subprocess.DEVNULL
            )
        (PCI / "drivers_probe").write_text(vf.name)


def begin(*, all_new: bool) -> None:
    """As tests/lab/node.py makes VFs: named by udev, and the PF has heard from each."""
    for again in range(5):
        subprocess.run("for n in $(ip netns list | cut -d' ' -f1); do ip netns del $n; done", shell=True)
        run("udevadm", "settle")
        renew_vfs(all_new=all_new or again > 0)
        run("udevadm", "settle")
        link = subprocess.run(("ip", "link", "show", card.PF), capture_output=True, text=True, check=True)
        named = [Path(f"/sys/class/net/{card.PF}v{index}").exists() for index in range(COUNT)]
        if all(named) and "link/ether 00:00:00:00:00:00" not in link.stdout:
            return
    raise SystemExit(f"no fresh VFs: {link.stdout}")


def wrong(name: str) -> str:
    """What went wrong, in a child: a fact may change how its process sees the world."""
    with tempfile.TemporaryFile("w+") as said:
        if (pid := os.fork()) == 0:
            status = 1
            try:
                check(name)
                status = 0
            except BaseException:
                traceback.print_exc(file=said)
                said.flush()
            finally:
                os._exit(status)
        status = os.waitpid(pid, 0)[1]
        said.seek(0)
        return said.read() or (status and f"it ended with {status}") or ""


def check(name: str) -> None:
    (fact,) = [fact for fact in (*card.FACTS, *drivers.FACTS) if fact.__name__ == name]
    there = GuestCard()
    try:
        fact(there)
    finally:
        there.start_udev()


def main(names: list[str]) -> None:
    told: dict[str, str] = {}
    for name in names:
        begin(all_new=not told)
        told[name] = wrong(name)
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1:])
