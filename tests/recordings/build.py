"""Writes the recordings that ship, beside this file: `python -m tests.recordings.build`. The lab's own is taken there, by
`python -m tests.recordings.build FILE` of what `sriovctl record` wrote in the guest.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from cni_sriov.ctl.recording.recording import packed, unpacked

from .nodes import NODES

HERE = Path(__file__).parent
LAB = HERE / "lab-two-ports.json.gz"


def path_of(name: str) -> Path:
    return HERE / f"{name}.json.gz"


def main() -> None:
    if len(sys.argv) > 1:
        LAB.write_bytes(packed(unpacked(Path(sys.argv[1]).read_bytes(), sys.argv[1])))
        return
    for name, make in NODES.items():
        with tempfile.TemporaryDirectory() as root:
            path_of(name).write_bytes(packed(make(Path(root))))


if __name__ == "__main__":
    main()
