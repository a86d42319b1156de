"""What the fuzzing tests of the doors share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cni_sriov.conf import hostsubnet, netconf


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """Where the worlds of a file are, and the directories that count where a conf names none."""
    directory = Path(tempfile.mkdtemp(prefix="fuzz-"))
    patch = pytest.MonkeyPatch()
    patch.setitem(netconf.SRIOV.defaults, "stateDir", str(directory / "default-state"))
    for table in (hostsubnet.PLACE, hostsubnet.IPAM):
        patch.setitem(table.defaults, "dataDir", str(directory / "default-data"))
    yield directory
    patch.undo()
    shutil.rmtree(directory)
