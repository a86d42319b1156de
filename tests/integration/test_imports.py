"""Whatever a function imports when it is called is in the executable: also what modules in C import by themselves.

A call of f0b700f ended with "No module named 'collections.abc'": `array`, in C, wanted it, and the bundle's analysis does
not look into C. So the same executables are built here with a door that runs lines of code, and each import of the
sources is one of the lines.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

import pytest

from tests import bundle
from tests.integration.rig import ROOT

sys.path.insert(0, str(ROOT / "build" / "snapshot"))
import picture

pytestmark = pytest.mark.bundle
ONLY_THERE = {"_cni"}  # of the snapshot's own C: the other builds go without, and with ctypes
# what a door of the tests' own does: each argument is a line of code, and what came of it one of the output
PROBE = """
import os as _os, sys as _sys

_run = exec  # in the picture it is None

def _probe():
    for line in _sys.argv[2:]:
        told = "ok"
        try:
            _run(line, {})
        except ImportError as error:
            told = f"{type(error).__name__}: {error}"
        except Exception:
            pass  # it was imported, and did what it could here
        _os.write(1, f"{line!r} {told}\\n".encode())
    _os._exit(0)
"""
# By module, what makes its half in C import something: PyImport_ImportModule in Modules/*.c of CPython 3.11
HIDDEN = {
    "array": "from array import array; array('B', b'x').__reduce_ex__(2); array('B') in ([],)",
    "ctypes": "import ctypes; ctypes.CDLL(None).getpid(); ctypes.Structure(); ctypes.create_string_buffer(1)",
    "datetime": "from datetime import datetime, timezone; datetime.now(timezone.utc).strftime('%Y %z')",
    "hashlib": "import hashlib; hashlib.sha256(b'').hexdigest()",
    "json": "import json; json.loads('{')",
    "os": "import os; 'x'.encode('utf-8', 'surrogateescape'); b'x'.decode('latin-1'); b'x'.decode('ascii')",
    "socket": "import socket; socket.socket(socket.AF_UNIX).close()",
    "struct": "import struct; struct.pack('=I', 1)",
    "subprocess": "import subprocess; subprocess.run(['/bin/true'])",
    "time": "import time; time.strftime('%Y'); time.gmtime(0).__reduce__()",
}
USES = {"strptime": "import time; time.strptime('2026', '%Y')", '"idna"': "'x'.encode('idna')"}


def lines(sources: dict[str, Path]) -> list[str]:
    """Each import of the sources, in functions too, as a line of its own; and what those modules in C will want."""
    found: set[str] = set()
    for name, path in sources.items():
        package = name if path.stem == "__init__" else name.rpartition(".")[0]
        found |= {line for node in ast.walk(ast.parse(path.read_text())) for line in absolute(node, package)}
    text = "".join(path.read_text() for path in sources.values())
    hidden = [
        line
        for module, line in HIDDEN.items()
        if f"import {module}" in found or any(one.startswith(f"from {module} ") for one in found)
    ]
    return sorted(found) + hidden + [line for word, line in USES.items() if word in text]


def absolute(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (f"import {alias.name}" for alias in node.names if alias.name not in ONLY_THERE)
    if isinstance(node, ast.ImportFrom) and node.module not in {"__future__", *ONLY_THERE}:
        where = resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module
        yield from (f"from {where} import {alias.name}" for alias in node.names)


def of_sriovctl() -> dict[str, Path]:
    """What it can reach: its own modules, and what they import, and so on."""
    whole = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in (ROOT / "cni_sriov").rglob("*.py")
    }
    found: dict[str, Path] = {}
    todo = ["cni_sriov.ctl.main"]
    while todo:
        name = todo.pop()
        if name in whole and name not in found:
            found[name] = whole[name]
            for line in lines({name: whole[name]}):
                words = line.split()
                todo += [words[1], ".".join((words[1], words[-1]))]
    return found


def missing(executable: Path, wanted: list[str]) -> list[str]:
    done = subprocess.run([executable, "--probe", *wanted], capture_output=True, text=True, timeout=120)
    told = done.stdout.splitlines()
    assert (done.returncode, len(told)) == (0, len(wanted)), done.stdout + done.stderr
    return [line for line in told if not line.endswith(" ok")]


def test_in_the_snapshot(tmp_path: Path) -> None:
    """The picture itself, with the door's `entry` exchanged: nothing can be imported later, so all must be there."""
    if not bundle.is_snapshot():
        pytest.skip("this bundle is PyInstaller's")
    door = tmp_path / "door.py"
    door.write_text((ROOT / "cni_sriov/doors/cni.py").read_text() + PROBE + "\nentry = _probe\n")
    python, _ = picture.modules(picture.builtin(picture.library()) | {"_json"})
    python["cni_sriov.doors.cni"] = door
    picture.take(bundle.raw(), picture.frozen(python), tmp_path / "work", tmp_path / "probe")
    wanted = [line for line in lines(picture.sources()) if "ctypes" not in line]

    assert len(wanted) > 100
    assert missing(tmp_path / "probe", wanted) == []
    assert missing(tmp_path / "probe", ["import no_such_module"]) != [], "else it would see nothing"


def test_in_what_pyinstaller_makes(tmp_path: Path) -> None:
    """Both executables, as SNAPSHOT=no builds them, with a door more."""
    for name in ("cni_sriov", "conf", "build", "docs"):
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("out", "vendor", "__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for entry in ("plugin_entry.py", "ctl_entry.py"):
        path = tmp_path / "build" / entry
        call = "if _sys.argv[1:2] == ['--probe']:\n    _probe()\nentry()\n"
        path.write_text(path.read_text().replace("\nentry()\n", f"{PROBE}\n{call}"))
    env = os.environ | {"SNAPSHOT": "no", "HOME": str(tmp_path)}
    command = [sys.executable, str(tmp_path / "build" / "bundle.py"), "--quiet"]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    top = tmp_path / "build" / "out" / "cni-sriov"

    assert missing(top / "sriov", lines(picture.sources())) == []
    assert missing(top / "sriovctl", lines(of_sriovctl())) == []
    assert missing(top / "sriov", ["import rich"]) != [], "else it would see nothing"
