"""A snapshot by the build's own program and code, with another door: it looks at its own process from inside."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests import bundle
from tests.pages import ROOT

sys.path.insert(0, str(ROOT / "build" / "snapshot"))
import picture

HERE = Path(__file__).parent
SEEN_BY_ALL = (
    "json",
    "os",
    "signal",
    "threading",
)  # beyond what the door imports: what programs keep of their process


def build(home: Path) -> Path:
    """Half a second: what the real one is linked of is there."""
    found = picture.closure([*picture.ALSO, *SEEN_BY_ALL])
    python = {name: Path(file) for name, file in found.items() if file.endswith(".py") and name != "__main__"}
    (home / "__init__.py").write_text("")
    empty = home / "__init__.py"
    python |= {"cni_sriov": empty, "cni_sriov.doors": empty, "cni_sriov.doors.cni": HERE / "door.py"}
    python |= {"preload": ROOT / "build" / "snapshot" / "preload.py"}
    picture.take(bundle.raw(), picture.frozen(python), home / "work", home / "probe")
    return home / "probe"


def ask(probe: Path, code: str, *arguments: str, **how: Any) -> Any:
    """What `code` has put into `answer`."""
    done = start(probe, code, *arguments, **how)
    out, err = done.communicate(timeout=60)
    assert done.returncode == 0, (done.returncode, out, err)
    return json.loads(out)


def start(probe: Path, code: str, *arguments: str, **how: Any) -> subprocess.Popen[bytes]:
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    started: subprocess.Popen[bytes] = subprocess.Popen([str(probe), code, *arguments], **(pipes | how))
    return started
