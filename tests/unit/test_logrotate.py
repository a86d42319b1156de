"""conf/logrotate/cni-sriov: read as logrotate does, where that is there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from cni_sriov.words.log import Log

FILE = Path(__file__).parents[2] / "conf/logrotate/cni-sriov"


def directives() -> tuple[str, list[str]]:
    """The file it is about, and what is said of it."""
    text = "\n".join(line for line in FILE.read_text().splitlines() if not line.startswith("#"))
    path, _, rest = text.partition("{")
    body, closed, behind = rest.partition("}")
    assert (closed, behind.strip()) == ("}", "")
    return path.strip(), [line.strip() for line in body.strip().splitlines()]


def test_the_file_is_the_one_of_the_documentation_and_nothing_is_copied() -> None:
    """copytruncate loses what is written between the copy and the cut."""
    path, lines = directives()

    assert path == "/var/log/cni-sriov.log"
    assert "create 0600 root root" in lines
    assert not {"copytruncate", "copy", "nocreate"} & {*lines}
    assert not [line for line in lines if line.startswith(("postrotate", "prerotate"))]


def test_the_next_call_writes_into_the_new_one(tmp_path: Path) -> None:
    """Each call opens the file, so a rotation needs no signal."""
    path = tmp_path / "log"
    Log("info", str(path)).info("one")
    path.rename(tmp_path / "log.1")
    path.touch(0o600)

    Log("info", str(path)).info("two")

    assert ("one" in (tmp_path / "log.1").read_text(), "two" in path.read_text()) == (True, True)


def test_logrotate_reads_it_where_it_is_installed() -> None:
    program = shutil.which("logrotate")
    if program is not None:
        run = subprocess.run([program, "--debug", str(FILE)], capture_output=True, text=True, check=False)
        assert (run.returncode, "error:" in run.stderr) == (0, False), run.stderr
