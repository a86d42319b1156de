"""Ctrl-C at any moment of the executable, also while it loads: 130 in the shell, and no trace."""

from __future__ import annotations

import random
import signal
import subprocess
import time

import pytest

from tests import bundle

pytestmark = pytest.mark.bundle
MOMENTS = 12
# while the interpreter itself begins there is none yet to answer: some milliseconds, in which it says so on its own
UNBORN = "Failed to start embedded python interpreter"


def test_ctrl_c_at_any_moment_leaves_no_trace() -> None:
    command = [str(bundle.directory() / "cni-sriov" / "sriovctl"), "status"]
    began = time.monotonic()
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    whole = time.monotonic() - began
    seed = random.randrange(1 << 32)
    moments = random.Random(seed)

    wrong = []
    for _ in range(MOMENTS):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as child:
            time.sleep(moments.uniform(0, whole))
            child.send_signal(signal.SIGINT)
            _, err = child.communicate(timeout=20)
        # before there is an interpreter the signal itself ends it: 130 in a shell too
        if UNBORN not in err and (child.returncode not in {0, 130, -signal.SIGINT} or err):
            wrong.append((child.returncode, err))

    assert wrong == [], f"seed {seed}"
