"""Writes the recordings that ship, beside this file: `python -m tests.recordings.build`. The lab's own is taken by
tests/recordings/lab.py.

The small ones are plain documents, to be read in a review; `--replay` takes both.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from cni_sriov.ctl.recording.recording import Recording, document, packed

from .nodes import NODES

HERE = Path(__file__).parent
LAB = "lab-two-ports"
_PLAIN = 100_000  # bytes


def names() -> list[str]:
    """Of nodes; what podman told a plugin (netavark-calls.jsonl) is another kind."""
    found = [path for ending in ("json", "json.gz") for path in HERE.glob(f"*.{ending}")]
    return sorted(path.name.partition(".")[0] for path in found)


def path_of(name: str) -> Path:
    plain = HERE / f"{name}.json"
    return plain if plain.exists() else HERE / f"{name}.json.gz"


def write(name: str, recording: Recording) -> None:
    text = json.dumps(document(recording), indent=1, sort_keys=True) + "\n"
    if len(text) < _PLAIN:
        (HERE / f"{name}.json").write_text(text)
    else:
        (HERE / f"{name}.json.gz").write_bytes(packed(recording))


def main() -> None:
    for name, make in NODES.items():
        with tempfile.TemporaryDirectory() as root:
            write(name, make(Path(root)))


if __name__ == "__main__":
    main()
