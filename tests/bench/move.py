"""What every ADD waits for in the kernel: one netdev's way into another netns, by one message, and nothing else."""

from __future__ import annotations

import os
import subprocess
import threading
import time

from cni_sriov.kernel.netlink import Netlink
from tests.bench.measure import GAP_S


def bare(netdev: str, pod: str, count: int) -> list[float]:
    """Milliseconds each; called in the rig's thread. The way back is `ip`'s, and not measured."""
    found = []
    fd = os.open(f"/run/netns/{pod}", os.O_RDONLY)
    with Netlink() as netlink:
        for _ in range(count):
            time.sleep(GAP_S)
            ifindex = netlink.ifindex(netdev)
            start = time.monotonic_ns()
            netlink.move(ifindex, fd, "bare0")
            found.append((time.monotonic_ns() - start) / 1e6)
            home = ("netns", str(threading.get_native_id()), "name", netdev)
            subprocess.run(["ip", "-n", pod, "link", "set", "bare0", *home], check=True)
    os.close(fd)
    return found
