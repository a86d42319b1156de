"""The CDI specification of a VF for user space: the runtime that is asked for cni-sriov.dev/vf=<address> gives the container
its device nodes (Container Device Interface 0.5.0, the first one in which a device's name may begin with a digit).

One file for each VF that is on such a driver, and none for any other: the number of its group may be another VF's by then.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from ..words import jsontext
from ..words.errors import InputOutput
from ..words.pci import parse_pci_address
from . import files, public

DIRECTORY = "/var/run/cdi"  # where generated ones are (CDI: pkg/cdi/spec-dirs.go)
KIND = "cni-sriov.dev/vf"
_PREFIX, _SUFFIX = "cni-sriov.dev-vf_", ".json"


def text(vf: str, nodes: Iterable[str]) -> str:
    """`rw`: nobody need make such a node himself."""
    given = [{"path": path, "permissions": "rw"} for path in nodes]
    device: dict[str, Any] = {"name": vf, "containerEdits": {"deviceNodes": given}}
    return jsontext.render({"cdiVersion": "0.5.0", "kind": KIND, "devices": [device]})


def path_of(directory: str, vf: str) -> str:
    return f"{directory}/{_PREFIX}{parse_pci_address(vf)}{_SUFFIX}"


def is_there(directory: str, vf: str, nodes: list[str]) -> bool:
    """As we would write it."""
    return files.read(path_of(directory, vf)) == text(vf, nodes)


def write(directory: str, vf: str, nodes: list[str]) -> None:
    """In place of what is there: nobody else's file has that name."""
    path = path_of(directory, vf)
    public.check_directories(directory, path)
    temporary = _temporary(path)
    try:
        files.create(temporary, text(vf, nodes).encode(), 0o644)
        os.rename(temporary, path)
    except OSError as error:
        files.remove(temporary)
        raise InputOutput(f"write {path}: {error.strerror}") from error


def remove(directory: str, vf: str) -> None:
    """With what a killed writer left of it."""
    path = path_of(directory, vf)
    files.remove(_temporary(path))
    files.remove(path)


def vfs(directory: str) -> list[str]:
    """Of which there are files of ours."""
    return list(filter(None, map(_vf_of, files.names(directory))))


def _vf_of(name: str) -> str:
    """Whose file has that name, "" if it is none of ours."""
    if not (name.startswith(_PREFIX) and name.endswith(_SUFFIX)):
        return ""
    told = name[len(_PREFIX) : -len(_SUFFIX)]
    try:
        return told if parse_pci_address(told) == told else ""
    except ValueError:
        return ""


def _temporary(path: str) -> str:
    """Not `.json`: runtimes read whatever is called so."""
    return files.beside(path.removesuffix(_SUFFIX), "tmp")
