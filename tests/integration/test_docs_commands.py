"""The command blocks of the pages that need a checkout and the bundle: they run here, in the order of the page.

DESTDIR leads `make install` away from this machine. `make` takes the bundle as it is: `make test` has built it.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.pages import ROOT, command_blocks, script, wrong

pytestmark = [pytest.mark.root, pytest.mark.bundle]
PAGES = command_blocks("runs: here")


@pytest.mark.parametrize("page", PAGES)
def test_commands_do_what_the_page_says(page: str, tmp_path: Path) -> None:
    assert (ROOT / "build" / "out" / "cni-sriov").exists(), "no bundle: run `make build`"
    env = {key: value for key, value in os.environ.items() if key not in {"MAKELEVEL", "MFLAGS"}}
    env |= {"DESTDIR": str(tmp_path), "MAKEFLAGS": "--old-file=build"}
    found = []
    for block in PAGES[page]:
        done = subprocess.run(["sh", "-c", script(block)], cwd=ROOT, env=env, capture_output=True, text=True)
        found += [f"{line}\n{done.stderr}" for line in wrong(block, done.stdout)]
    assert found == []


def test_what_the_readme_installs_answers(tmp_path: Path) -> None:
    env = os.environ | {"DESTDIR": str(tmp_path), "MAKEFLAGS": "--old-file=build"}
    for block in PAGES["README.md"]:
        subprocess.run(["sh", "-c", block.text], cwd=ROOT, env=env, capture_output=True, check=True)

    for directory in ("opt/cni/bin", "usr/lib/cni"):
        for name in ("sriov", "host-subnet"):
            done = subprocess.run(
                [tmp_path / directory / name],
                env={"CNI_COMMAND": "VERSION"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
            )
            assert (done.returncode, "supportedVersions" in done.stdout) == (0, True), done.stderr
    assert (tmp_path / "usr/local/sbin/sriovctl").exists()
