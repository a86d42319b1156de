"""`make demo` does what it shows: every line it marks is judged, and its exit code tells."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages import blocks, fits

pytestmark = [pytest.mark.lab, pytest.mark.bundle]


@pytest.mark.usefixtures("saved_lab")
def test_the_demo_shows_what_the_readme_promises() -> None:
    command = [sys.executable, "-m", "tests.demo"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], timeout=240)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("as it should be") == 12, done.stdout
    assert "WRONG" not in done.stdout
    (shown,) = (block.text for block in blocks("README.md") if block.tag == "what the demo prints")
    assert fits(shown, done.stdout), done.stdout
