"""Which sriovctl this is: build/revision.py notes it, tests/unit/test_revision.py judges what is noted."""

from __future__ import annotations

from pathlib import Path

from cni_sriov import __version__
from cni_sriov.ctl import version


def test_sriovctl_tells_what_the_build_noted_and_in_a_checkout_the_version(tmp_path: Path) -> None:
    note = tmp_path / "version"
    note.write_text("7.8.9 (commit 123456789abc)\n")

    assert version.told(note) == "7.8.9 (commit 123456789abc)"
    assert version.told(tmp_path / "none") == version.told() == __version__
