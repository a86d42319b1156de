"""Without root: what everybody may see is shown, and what is not is had by the very command that was typed, as root."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cni_sriov.ctl import sudo
from tests.unit.ctl.tool import attach, sriovctl
from tests.world import World

NOBODY = 65534


@pytest.fixture
def node(world: World) -> World:
    attach(world, vlan=100)
    return world


def test_status_shows_the_card_and_tells_of_nobodys_claim(
    node: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of ours is even looked at: it is closed to others, and then nobody knows."""

    def closed(*_: object) -> None:
        raise AssertionError("a state file is looked at")

    monkeypatch.setattr("cni_sriov.state.files.names", closed)
    monkeypatch.setattr("cni_sriov.state.files.read", closed)

    document = sriovctl(node, "status", "--json", euid=1000).document

    (pf,) = document["pfs"]
    first, second = pf["vfs"][:2]
    assert (pf["name"], pf["driver"], pf["up"], pf["numvfs"], pf["totalvfs"]) == (
        "enp1s0f0",
        "igb",
        True,
        7,
        7,
    )
    assert (first["vlan"], first["pci"], second["netdev"]) == (100, "0000:01:10.0", "enp1s0f0v1")
    assert [vf["state"] for vf in pf["vfs"]] == ["busy", *["unknown"] * 6], "none may be taken for free"
    assert first["reason"].startswith("its netdev is in another netns")
    assert {vf["owner"] is None and vf["leases"] == [] for vf in pf["vfs"]} == {True}
    assert [line for line in document["unseen"] if "only root" in line] == [
        "who has which VF and subnet, and what is left of the dead: only root sees that: sudo sriovctl status --json"
    ]


def test_its_text_says_so_and_counts_nobody(node: World) -> None:
    run = sriovctl(node, "--state-dir", "/srv/my state", "status", euid=1000)

    assert (run.status, run.err) == (0, "")
    assert "7 of 7 VFs, 6 unknown" in run.out
    assert "sudo sriovctl --state-dir '/srv/my state' status" in run.out


def test_what_keeps_a_vf_for_everybody_to_see_is_told_without_root(node: World) -> None:
    kernel = node.kernel
    kernel.netlink.add_address(kernel.netlink.ifindex("enp1s0f0v3"), "192.0.2.7/24")

    vf = sriovctl(node, "status", "--json", euid=1000).document["pfs"][0]["vfs"][3]

    assert (vf["state"], vf["reason"]) == ("busy", "enp1s0f0v3 has an address")


def test_with_root_nothing_of_that_is_said(node: World) -> None:
    document = sriovctl(node, "status", "--json").document

    assert document["unseen"] == []
    assert [vf["state"] for vf in document["pfs"][0]["vfs"][:2]] == ["attached", "free"]


def test_the_line_is_followed_literally(tmp_path: Path) -> None:
    """As nobody, from a checkout; `sudo` is one that knows no PATH and no environment of ours."""
    told = run_as_nobody("gc", "--state-dir", "/srv/my state", "--dry-run")
    assert told.returncode == 77
    line = told.stderr.splitlines()[-1].strip()
    made = tmp_path / "sudo"
    made.write_text('#!/bin/sh\nfor word; do echo "<$word>"; done\n')
    made.chmod(0o755)

    said = subprocess.run(
        ["sh", "-c", line],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stdout.splitlines() == [
        *(f"<{word}>" for word in (sys.executable, "-m", "cni_sriov.ctl.main")),
        *("<gc>", "<--state-dir>", "</srv/my state>", "<--dry-run>"),
    ]


def run_as_nobody(*argv: str) -> subprocess.CompletedProcess[str]:
    code = f"import os, sys; os.setuid({NOBODY}) if os.geteuid() == 0 else None"
    program = f"{code}; sys.orig_argv[1:3] = ['-m', 'cni_sriov.ctl.main']; from cni_sriov.ctl.main import entry; entry()"
    return subprocess.run(
        [sys.executable, "-c", program, *argv], capture_output=True, text=True, env=dict(os.environ)
    )


@pytest.mark.parametrize(
    ("called", "where", "found"),
    [
        ("build/out/sriovctl", "", "build/out/sriovctl"),
        ("sriovctl", "/usr/bin", "sriovctl"),
        ("sriovctl", "", "/opt/x/cni-sriov/sriovctl"),
    ],
)
def test_the_bundle_is_named_as_sudo_finds_it(
    monkeypatch: pytest.MonkeyPatch, called: str, where: str, found: str
) -> None:
    """sudo looks in its secure_path, not where PATH led."""
    real = os.path.exists
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "argv", [called, "gc"])
    monkeypatch.setattr(sys, "executable", "/opt/x/cni-sriov/sriovctl")
    monkeypatch.setattr(
        os.path, "exists", lambda path: path == f"{where}/{called}" if "sriovctl" in str(path) else real(path)
    )

    assert sudo.line(sudo.program(), ["gc"]) == shlex.join(["sudo", found, "gc"])
