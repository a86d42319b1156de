"""TOML of the runtimes: files that lie over each other, and what a wrong one costs: that it counts for nothing, and is told."""

from __future__ import annotations

import fnmatch
import tomllib
from posixpath import normpath
from typing import Any

from ...kernel.files import Files
from ...words.errors import InputOutput
from ...words.failures import Failures

Json = dict[str, Any]
_MOST_IMPORTS = 100
_BINS = ("/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt/bin")


def read(files: Files, path: str, failures: Failures) -> Json | None:
    """None if it is not there, or no TOML."""
    with failures.of(file=path):
        text = files.text(path)
        if text is None:
            return None
        try:
            return tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise InputOutput(f"it is no TOML ({error}), and was passed over") from error
    return None


def drop_ins(files: Files, directory: str, suffix: str = ".conf") -> list[str]:
    return [f"{directory}/{name}" for name in files.names(directory) if name.endswith(suffix)]


def with_imports(files: Files, path: str, failures: Failures) -> list[tuple[str, Json]]:
    """containerd's file, then what it imports, the later over the earlier: cmd/containerd/server/config (resolveImports
    takes patterns, and paths beside the file). One that imports itself is read once.
    """
    found: list[tuple[str, Json]] = []
    todo: list[str] = [path]
    seen: set[str] = set()
    while todo and len(seen) < _MOST_IMPORTS:
        file = todo.pop(0)
        if file in seen:
            continue
        seen.add(file)
        settings = read(files, file, failures)
        if settings is None:
            continue
        found.append((file, settings))
        imports = settings.get("imports")
        for pattern in imports if isinstance(imports, list) else []:
            if isinstance(pattern, str):
                todo += _matching(files, pattern, file)
    return found


def _matching(files: Files, pattern: str, beside: str) -> list[str]:
    """As filepath.Glob, with a pattern in the last element."""
    if not pattern.startswith("/"):
        pattern = f"{beside.rpartition('/')[0]}/{pattern}"
    directory, _, last = pattern.rpartition("/")
    directory = normpath(directory)
    if not any(mark in last for mark in "*?["):
        return [normpath(pattern)]
    return [f"{directory}/{name}" for name in files.names(directory) if fnmatch.fnmatchcase(name, last)]


def below(settings: Json, *keys: str) -> Json:
    """The table at that place, {} if there is none."""
    for key in keys:
        inner = settings.get(key)
        if not isinstance(inner, dict):
            return {}
        settings = inner
    return settings


def texts(value: Any) -> list[str]:
    """Of a list or a single one; what is no text is none."""
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str) and one]


def binary(files: Files, name: str) -> str:
    """Where a program is, "" = nowhere."""
    return next((f"{where}/{name}" for where in _BINS if files.has(f"{where}/{name}")), "")
