"""Runs in the guest: one fact of tests/contract/card.py or drivers.py on the card there, by the product's own faces.

The name of the fact is the argument; what is wrong is a traceback and an exit status other than 0.
"""

from __future__ import annotations

import subprocess
import sys

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


def main(name: str) -> None:
    (fact,) = [fact for fact in (*card.FACTS, *drivers.FACTS) if fact.__name__ == name]
    there = GuestCard()
    try:
        fact(there)
    finally:
        there.start_udev()


if __name__ == "__main__":
    main(sys.argv[1])
