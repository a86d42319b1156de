"""The device information file of an attachment (NPWG device-info specification 1.1.0): which PCI device net1 is.

The runtime names it (runtimeConfig.CNIDeviceInfoFile) and, with a device plugin, has filled it already: then it is
only compared. Else we write it, and the Record says so before it is there. It is loaded for such attachments only.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from ..words import jsontext
from ..words.errors import BadConfig, BadJson, InputOutput
from ..words.record import Record
from . import files, public


def leave(put: Callable[[Record], None], record: Record, root: str, path: str) -> None:
    """Write it, and `put` the Record before, or see that what is there means this VF. BadConfig (7) if it means another.

    `root`: the directory of the operator's that `path` is below. Of an attachment without a VF (words/plane.py) there is
    nothing to tell.
    """
    if not record.vf:
        return
    public.check_directories(root, path)
    found = files.read(path)
    if found is None:
        # a name too long for that could be recorded and never removed
        files.remove(files.beside(path, "tmp"))
        record.device_info = path
        put(record)
        found = _write(path, _text(record))
        if found != _text(record):
            record.device_info = ""
    if not _names(found, record.vf):
        raise BadConfig(
            f"write runtimeConfig.CNIDeviceInfoFile {path}: it is there and says nothing of VF {record.vf}",
            "it is left alone; where a device plugin wrote it, its choice must be the VF (runtimeConfig.deviceID)",
        )


def differences(record: Record) -> list[str]:
    """For CHECK. One of a device plugin's is not ours to promise."""
    path = record.device_info
    return (
        [f"{path} is not there, or not as ADD wrote it"] if path and files.read(path) != _text(record) else []
    )


def remove(record: Record) -> None:
    """The inverse: what we wrote, and what a killed writer left of it. Not if somebody has written it anew since."""
    path = record.device_info
    files.remove(files.beside(path, "tmp"))
    try:
        if files.read(path) == _text(record):
            files.remove(path)
    except files.NoFile:
        pass  # nothing that we wrote


def _text(record: Record) -> str:
    pci = {"pci-address": record.vf} | ({"pf-pci-address": record.pf} if record.pf else {})
    return jsontext.render({"type": "pci", "version": "1.1.0", "pci": pci})


def _names(text: str, vf: str) -> bool:
    """Whatever type of device it describes: pci and vdpa have the address under the type's own name."""
    try:
        told = jsontext.parse_object(text)
        return bool(told[told["type"]]["pci-address"] == vf)
    except (BadJson, KeyError, TypeError):
        return False


def _write(path: str, text: str) -> str:
    """What is there then: ours as a whole, or what somebody else put there meanwhile, which is never replaced."""
    temporary = files.beside(path, "tmp")
    try:
        files.create(temporary, text.encode(), 0o644)
        try:
            os.link(temporary, path, follow_symlinks=False)
        except FileExistsError:
            pass
        files.remove(temporary)
    except OSError as error:
        raise InputOutput(f"write runtimeConfig.CNIDeviceInfoFile {path}: {error.strerror}") from error
    return files.read(path) or ""  # also where another ADD of that path put its text into our temporary file
