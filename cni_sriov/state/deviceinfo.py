"""The device information file of an attachment (NPWG device-info specification 1.1.0): which PCI device net1 is.

The runtime names it (runtimeConfig.CNIDeviceInfoFile) and, with a device plugin, has filled it already: then it is
only compared. Else we write it, and the Record says so before it is there. It is loaded for such attachments only.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..words import jsontext
from ..words.domain import Record
from ..words.errors import BadConfig, BadJson, InputOutput
from . import files

if TYPE_CHECKING:
    from .ledger import Ledger


def leave(ledger: Ledger, record: Record, path: str) -> None:
    """Write it, or see that what is there means this VF. BadConfig (7) if it means another one."""
    found = files.read(path)
    if found is None:
        _check_directory(path.rpartition("/")[0] or "/")
        files.remove(
            files.beside(path, "tmp")
        )  # a name too long for that could be recorded and never removed
        record.device_info = path
        ledger.put(record)
        found = _write(path, _text(record))
        if found != _text(record):
            record.device_info = ""
    if not _names(found, record.vf):
        raise BadConfig(
            f"write runtimeConfig.CNIDeviceInfoFile {path}: it is there and says nothing of VF {record.vf}",
            "it is left alone; where a device plugin wrote it, its choice must be the VF (runtimeConfig.deviceID)",
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


def _check_directory(path: str) -> None:
    """Made if it is missing, as the specification asks. Where others may write, they may put symlinks as well."""
    try:
        if not os.path.lexists(path):
            mask = os.umask(0o022)  # ours is 077; the runtime and its tools read there
            try:
                files.makedirs(path, 0o755)
            finally:
                os.umask(mask)
        found = os.lstat(path)
    except OSError as error:
        raise InputOutput(f"make directory {path}: {error.strerror}") from error
    if (found.st_mode & 0o170000) != 0o040000:  # S_IFMT, S_IFDIR
        raise InputOutput(f"use directory {path}: it is not a directory (a symlink is not followed)")
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise InputOutput(f"use directory {path}: others may write to it", "chmod 755 it, with our owner")


def _write(path: str, text: str) -> str:
    """What is there then: ours as a whole, or what somebody else put there meanwhile, which is never replaced."""
    temporary = files.beside(path, "tmp")
    try:
        files.remove(temporary)  # left by a killed writer
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            rest = text.encode()
            while rest:  # a nearly full disk takes a part, then says ENOSPC
                rest = rest[os.write(fd, rest) :]
            os.fchmod(fd, 0o644)
        finally:
            os.close(fd)
        try:
            os.link(temporary, path, follow_symlinks=False)
        except FileExistsError:
            pass
        files.remove(temporary)
        text = (
            files.read(path) or ""
        )  # also where another ADD of that path put its text into our temporary file
    except OSError as error:
        raise InputOutput(f"write runtimeConfig.CNIDeviceInfoFile {path}: {error.strerror}") from error
    return text
