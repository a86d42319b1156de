"""The command blocks of the pages that need the card: each page's run in order in the guest, installed as it says."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.pages import ROOT, command_blocks, script, wrong

from . import cache
from .node import PLUGIN_DIR, Node
from .ready import Lab

pytestmark = [pytest.mark.lab, pytest.mark.bundle]
PAGES = command_blocks("runs: lab")
ON_HOST = command_blocks("runs: lab host")
HOME = "/root/cni-sriov"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SETUP = f"""
rm -rf /run/cni-sriov /var/lib/cni/results
mkdir -p /usr/local/sbin && ln -sfn {PLUGIN_DIR}/sriovctl /usr/local/sbin/sriovctl
mkdir -p /etc/cni/net.d && cp {HOME}/conf/10-sriov.conflist /etc/cni/net.d
"""


@pytest.fixture
def checkout(node: Node) -> Node:
    """The node with the plugin in /opt/cni/bin, a checkout's conf/, its first network, and no memory of earlier tests."""
    for path in (ROOT / "conf").glob("*.conflist"):
        node.vm.put(f"{HOME}/conf/{path.name}", path.read_text())
    node.install()
    node.vm.run(SETUP)
    return node


@pytest.mark.parametrize("page", PAGES)
def test_commands_do_what_the_page_says(page: str, checkout: Node) -> None:
    for block in PAGES[page]:
        done = checkout.vm.run(["sh", "-c", script(block)], cwd=HOME, env={"PATH": PATH}, check=False)
        assert wrong(block, done.stdout) == [], done.stderr


@pytest.mark.parametrize("page", ON_HOST)
def test_commands_that_start_a_guest_do_what_the_page_says(page: str, saved_lab: Lab, tmp_path: Path) -> None:
    """HOME is a directory with the cache where the page says that it is."""
    top = cache.cache_dir().parent  # with the virtual environment
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "cni-sriov").symlink_to(top)
    env = os.environ | {"HOME": str(tmp_path), "CNI_SRIOV_CACHE": str(top)}
    for block in ON_HOST[page]:
        done = subprocess.run(
            ["sh", "-c", script(block)],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert wrong(block, done.stdout) == [], done.stderr
