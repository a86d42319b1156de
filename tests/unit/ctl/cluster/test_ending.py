"""Who has the cluster's lock ends, whatever he waits for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cni_sriov.ctl.cluster import ending
from cni_sriov.state.nodeblocks import NodeBlocks
from tests.unit.ctl.cluster.rack import Rack, rack

__all__ = ["rack"]  # a fixture
HOLDER = """
import os, sys
from cni_sriov.ctl.cluster import ending
from cni_sriov.state.blocks import ClusterFiles
base, run, fifo = sys.argv[1:]
files = ClusterFiles("rack", base, run)
with files.lock("sriovctl pool"), ending.ended(files, 1.5):
    print("locked", flush=True)
    os.open(fifo, os.O_RDONLY)  # nobody will ever write
"""


def test_a_process_that_waits_for_ever_ends_and_the_lock_is_free(tmp_path: Path) -> None:
    fifo, run = tmp_path / "fifo", tmp_path / "run"
    os.mkfifo(fifo)
    there = NodeBlocks("rack", str(tmp_path / "base"), str(run))
    argv = [sys.executable, "-c", HOLDER, str(tmp_path / "base"), str(run), str(fifo)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == "locked\n"
            assert not there.lock("test").try_acquire()
            _, said = holder.communicate(timeout=20)
        finally:
            holder.kill()
    assert holder.returncode == 1
    assert there.lock("test").try_acquire()
    failure = json.loads((run / "clusters/rack/failure").read_text())
    assert (failure["code"], failure["msg"]) == (11, "contact cluster rack: it has not ended within 1.5 s")
    assert "sriovctl: contact cluster rack: it has not ended within 1.5 s\n  " in said


def test_what_ends_by_itself_is_left_alone(rack: Rack, monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr(os, "_exit", killed.append)
    before = threading.active_count()
    with ending.ended(rack.node("a1").files, 0.2):
        pass
    time.sleep(0.4)
    assert (killed, threading.active_count()) == ([], before)
