"""tests/conftest.py: what a shell, nohup or a CI left ignored or blocked reaches nothing that the tests start."""

from __future__ import annotations

import signal
import subprocess
import sys

ASK = """
import subprocess, sys
from tests import conftest
conftest.pytest_configure()
subprocess.run(["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"], check=True)
"""


def test_children_have_signals_as_ever() -> None:
    def leave_nothing_as_it_is() -> None:
        others = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
        for number in others:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, others)

    done = subprocess.run(
        [sys.executable, "-c", ASK], stdout=subprocess.PIPE, text=True, preexec_fn=leave_nothing_as_it_is
    )

    libcs = 3 << 31  # 32 and 33, if this process ignores them itself
    told = dict(line.split() for line in done.stdout.splitlines())
    assert {name: int(mask, 16) & ~libcs for name, mask in told.items()} == {"SigBlk:": 0, "SigIgn:": 0}
