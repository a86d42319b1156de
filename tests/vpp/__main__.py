"""`python -m tests.vpp SOCKET`: the stand-in as a process of its own, whose taps are the kernel's. It says when it listens."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from . import Node, RealTaps, StandIn


def main() -> None:
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    node = Node(RealTaps())
    node.tables |= {(7, 4), (7, 6)}
    with StandIn(node, Path(sys.argv[1])):
        print("it listens", flush=True)
        signal.sigwait(stops)


if __name__ == "__main__":
    main()
