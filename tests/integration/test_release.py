"""sriovctl as built, with real namespaces and processes: what a mount alone keeps is told by status and gc, release gives it back,
and who lives in there lives on. On the card: tests/lab/test_release.py.
"""

from __future__ import annotations

import json
import os
import pty
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import bundle
from tests.integration.rig import Rig, call, conf, vf_pci

pytestmark = [pytest.mark.root, pytest.mark.bundle]

NETNS = "netns-0c4d1d2e-7a5f-4c51-bd0a-6a0f6c9d5c1e"  # as podman names them
PATH = f"/run/netns/{NETNS}"


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig(vfs=2) as rig:
        yield rig


def sriovctl(rig: Rig, *argv: str, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
    tool = str(bundle.directory() / "cni-sriov" / "sriovctl")

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run([tool, *argv], stdin=stdin, capture_output=True, text=True)

    return rig.inside(run)


def add(rig: Rig) -> dict[str, Any]:
    rig.add_pod(NETNS)
    status, answer = rig.answer(call("ADD", "c1", PATH, conf()))
    assert status == 0, answer
    document: dict[str, Any] = answer
    return document


def names(rig: Rig) -> set[str]:
    return {link.name for link in rig.links()}


def test_a_netns_that_a_mount_alone_keeps_is_told_and_given_back(rig: Rig) -> None:
    before = rig.links()
    add(rig)
    told = f"which the mount {PATH} keeps; if that container is gone: sriovctl release c1/net1"

    (vf,) = [
        vf
        for pf in json.loads(sriovctl(rig, "status", "--json").stdout)["pfs"]
        for vf in pf["vfs"]
        if vf["owner"]
    ]
    assert (vf["pci"], vf["keptBy"]) == (vf_pci(0), [PATH])
    assert [told in sriovctl(rig, verb).stdout for verb in ("status", "gc")] == [True, True]
    assert "vf0" not in names(rig), "gc has no proof"

    released = sriovctl(rig, "release", "c1/net1", "--yes")

    assert (released.returncode, released.stderr) == (0, "")
    assert (rig.links(), rig.leftovers()) == (before, [])
    assert sriovctl(rig, "release", "c1/net1", "--yes").returncode == 0
    assert rig.answer(call("DEL", "c1", PATH, conf())) == (0, None), "the runtime comes after all"


def test_who_lives_in_there_is_told_by_pid_and_command_and_lives_on(rig: Rig) -> None:
    add(rig)
    argv = ["ip", "netns", "exec", NETNS, "sleep", "1000"]
    process = rig.inside(lambda: subprocess.Popen(argv))
    try:
        comm = Path(f"/proc/{process.pid}/comm")
        deadline = time.monotonic() + 30
        while comm.read_text() != "sleep\n":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert "no process" not in sriovctl(rig, "status").stdout
        planned = json.loads(sriovctl(rig, "release", "c1", "--dry-run", "--json").stdout)
        assert planned["attachment"]["inside"] == [f"sleep (pid {process.pid})"]
        assert "vf0" not in names(rig)

        assert sriovctl(rig, "release", "c1", "--yes").returncode == 0

        assert ("vf0" in names(rig), process.poll()) == (True, None)
        assert [link["ifname"] for link in rig.ip("-n", NETNS, "link", "show")] == ["lo"]
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(("typed", "status"), [(b"y\n", 0), (b"\n", 1), (b"\x04", 1)])
def test_on_a_terminal_it_asks(rig: Rig, typed: bytes, status: int) -> None:
    add(rig)
    ours, theirs = pty.openpty()
    try:
        os.write(ours, typed)
        done = sriovctl(rig, "release", "c1/net1", stdin=theirs)
    finally:
        os.close(ours)
        os.close(theirs)

    assert (done.returncode, "[y/N]" in done.stdout) == (status, True), done.stderr
    assert ("vf0" in names(rig)) is (status == 0)


def test_without_a_terminal_and_without_yes_nothing_is_done(rig: Rig) -> None:
    add(rig)

    done = sriovctl(rig, "release", "c1/net1")

    assert (done.returncode, "--yes" in done.stderr, "vf0" in names(rig)) == (2, True, False)
