"""sriov-cni's files: is there one? What they say is for wire/sriovcni.py, and which count for vf/cachefiles.py.

<directory>/<containerID>-<ifname> for each attachment, <directory>/pci/<VF> for each VF: the path of the netns it is in.
"""

from __future__ import annotations

from ..words.domain import Attachment
from ..words.record import Record
from . import files


def has(directories: list[str], attachment: Attachment) -> bool:
    name = name_of(attachment)
    return any(files.exists(f"{directory}/{name}") for directory in directories)


def is_marked(directories: list[str], vf: str) -> bool:
    """Whether sriov-cni says that the VF is allocated; it may be wrong."""
    return any(files.exists(f"{directory}/pci/{vf}") for directory in directories)


def names(directories: list[str]) -> list[tuple[str, str]]:
    """(directory, name) of what can be an attachment's file by its name; an "@" is in ours."""
    return [
        (directory, name)
        for directory in directories
        for name in files.names(directory)
        if "-" in name and "@" not in name
    ]


def name_of(attachment: Attachment) -> str:
    return f"{attachment.container_id}-{attachment.ifname}"


def marked_netns(directory: str, vf: str) -> str:
    """What the VF's mark says; "" if there is none, or no path in it."""
    try:
        text = files.read(f"{directory}/pci/{vf}") or ""
    except files.NoFile:
        return ""
    return text if text.startswith("/") and text.isprintable() else ""


def forget(record: Record) -> None:
    """What it kept of an attachment, the attachment's file last. The VF's mark may be of another container by now."""
    mark = f"{record.adopted}/pci/{record.vf}"
    try:
        if files.read(mark) in {"", record.netns}:
            files.remove(mark)
    except files.NoFile:
        pass  # nothing that sriov-cni wrote
    files.remove(f"{record.adopted}/{name_of(record.attachment)}")
