"""The manual pages are clean for groff, man and mandoc; zsh and fish propose what there is (build/manuals)."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.pages import ROOT
from tests.unit.test_manuals import NAMES, PFS, a_node

sys.path.insert(0, str(ROOT / "build" / "manuals"))
import make

PAGES = [name for name in make.MADE if name.startswith("man/")]
ZSH, FISH = "zsh/site-functions/_sriovctl", "fish/vendor_completions.d/sriovctl.fish"


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a node's sysfs and /run instead of this machine's."""
    made = tmp_path_factory.mktemp("share")
    make.make(made)
    root = str(a_node(tmp_path_factory.mktemp("node")))
    for name in (ZSH, FISH):
        text = (made / name).read_text()
        for top in ("/sys/bus", "/run/cni-sriov"):
            text = text.replace(top, root + top)
        (made / name).write_text(text)
    return made


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    "command",
    [("groff", "-man", "-ww", "-Tutf8", "-z"), ("man", "--warnings", "-E", "UTF-8", "-l", "-P", "true")],
)
def test_a_page_is_clean(share: Path, command: tuple[str, ...], page: str) -> None:
    done = subprocess.run(
        [*command, share / page], capture_output=True, text=True, env=os.environ | {"MANWIDTH": "80"}
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("page", PAGES)
def test_mandoc_misses_nothing_but_a_date(share: Path, page: str) -> None:
    """That would be another one with each build."""
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "style", share / page], capture_output=True, text=True
    )

    assert [line.split(": ", 2)[2] for line in done.stdout.splitlines()] == [
        'WARNING: missing date, using "": TH'
    ]


@pytest.mark.parametrize("page", PAGES)
def test_at_80_columns_no_line_is_longer(share: Path, page: str) -> None:
    done = subprocess.run(
        ["man", "-l", "-P", "cat", share / page],
        capture_output=True,
        text=True,
        env=os.environ | {"MANWIDTH": "80", "LC_ALL": "C.UTF-8"},
    )

    lines = re.sub(r".\b|\033\[[0-9;]*m", "", done.stdout).splitlines()
    assert len(lines) > 100
    assert max(map(len, lines)) <= 80


# fish ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "proposed"),
    [
        ("sriovctl ", NAMES),
        ("sriovctl --json stat", ["status"]),
        ("sriovctl status --js", ["--json"]),
        ("sriovctl gc --f", ["--forget"]),
        ("sriovctl --f", []),
        ("sriovctl vfs ", PFS),
        ("sriovctl vfs --state-dir /x 0000:01", ["0000:01:00.0"]),
        ("sriovctl vfs enp1s0f0 ", []),
        ("sriovctl baseline --take ", ["0000:01:10.0"]),
        ("sriovctl explain ", ["0000:01:10.0", "3f7a00"]),
        ("sriovctl import ", ["host-local"]),
        ("sriovctl help stat", ["status"]),
    ],
)
def test_fish_proposes(share: Path, tmp_path: Path, line: str, proposed: list[str]) -> None:
    script = f"source {share / FISH}; complete -C '{line}'"
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    done = subprocess.run(["fish", "--no-config", "-c", script], env=env, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")
    assert sorted({row.split("\t")[0] for row in done.stdout.splitlines()}) == sorted(proposed)


# zsh -----------------------------------------------------------------------------------------------------------------


class Zsh:
    """One on a terminal; a line is completed by Tab, and then told by what the shell makes of it."""

    def __init__(self, share: Path, home: Path) -> None:
        self.pid, self.fd = pty.fork()
        if not self.pid:
            env = {"HOME": str(home), "PATH": os.environ["PATH"], "TERM": "dumb", "LC_ALL": "C.UTF-8"}
            os.execvpe("zsh", ["zsh", "-f", "-i"], env)
        self._send(
            f"PS1='' PS2='' fpath=({share / 'zsh/site-functions'} $fpath); unsetopt zle_bracketed_paste\n"
        )
        self._send("autoload -Uz compinit && compinit -u -D; setopt no_always_last_prompt no_beep\n")
        self.completed("echo warm")

    def completed(self, line: str) -> str:
        """The line after Tab. With several to choose from zsh lists them, and what they have in common is in the line."""
        self._send(f"{line}\t\x01print -r 'told=<'\x05'>'\n")
        return self._until(r"\ntold=<\s?(.*?)\s*>\s")

    def _send(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def _until(self, wanted: str) -> str:
        seen, end = "", time.monotonic() + 20
        while time.monotonic() < end:
            if select.select([self.fd], [], [], 0.2)[0]:
                seen += os.read(self.fd, 1 << 16).decode("utf-8", "replace").replace("\r", "")
            if found := re.search(wanted, seen):
                return found[1]
        raise AssertionError(seen)

    def close(self) -> None:
        os.close(self.fd)
        os.waitpid(self.pid, 0)


@pytest.fixture(scope="module")
def zsh(share: Path, tmp_path_factory: pytest.TempPathFactory) -> Zsh:
    return Zsh(share, tmp_path_factory.mktemp("home"))


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("sriovctl stat", "sriovctl status"),
        ("sriovctl --json lea", "sriovctl --json leases"),
        ("sriovctl status --js", "sriovctl status --json"),
        ("sriovctl gc --f", "sriovctl gc --forget"),
        ("sriovctl vfs enp", "sriovctl vfs enp1s0f0"),
        ("sriovctl vfs 0000:01", "sriovctl vfs 0000:01:00.0"),
        ("sriovctl baseline --take ", "sriovctl baseline --take 0000:01:10.0"),
        ("sriovctl explain 3f", "sriovctl explain 3f7a00"),
        ("sriovctl explain 0000:01:1", "sriovctl explain 0000:01:10.0"),
        ("sriovctl baseline 0000:01:0", "sriovctl baseline 0000:01:00.0"),
        ("sriovctl import ho", "sriovctl import host-local"),
        ("sriovctl help stat", "sriovctl help status"),
        ("sriovctl zzz", "sriovctl zzz"),
    ],
)
def test_zsh_completes(zsh: Zsh, line: str, completed: str) -> None:
    assert zsh.completed(line).replace("\\", "") == completed
