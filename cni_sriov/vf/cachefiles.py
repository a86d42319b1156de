"""sriov-cni's files on this node: which there are, what they say, and which of them still count.

One has no boot id in it, so its age counts; and of two that name one VF, the newer is right.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from ..state import files
from ..state.sriovcni import marked_netns, names
from ..wire import sriovcni
from ..wire.sriovcni import BadCache, Cache
from ..words.domain import Attachment
from ..words.errors import BadNetns, InputOutput
from ..words.failures import Failures
from ..words.gone import is_gone
from .host import Host

UNUSABLE = "sriov-cni's file cannot be used; it is left alone"
EARLIER_BOOT = "it is of an earlier boot"
_SLACK_S = 60.0  # between two clocks that are read one after the other, and small steps of NTP


@dataclass(slots=True)
class CacheFile:
    """One cache file, of one of the `possible` attachments. `outdated` says in words why it tells nothing of the VF any
    more, "" if it does.
    """

    directory: str
    name: str
    possible: list[Attachment]
    cache: Cache
    mtime: float
    outdated: str = ""

    @property
    def path(self) -> str:
        return f"{self.directory}/{self.name}"


def all_files(host: Host, wanted: str = "") -> list[CacheFile]:
    """Every cache file. What is none is passed over in silence, but for the one that is `wanted`: the directory may be
    somebody else's too. InputOutput where one cannot be read now: it may be the newest of its VF.
    """
    found: list[CacheFile] = []
    failures = Failures(host.log.error, UNUSABLE)
    for directory, name in names(host.ledger.cache_dirs):
        possible, path = sriovcni.attachments(name), f"{directory}/{name}"
        seen = _look(host, path, name == wanted) if possible else None
        if seen is None:
            continue
        with failures.of(file=path):
            try:
                found.append(CacheFile(directory, name, possible, sriovcni.parse(seen[0]), seen[1]))
            except BadCache as error:
                if name == wanted:
                    complain(host, path, error)
    _judge_age(host, found)
    return found


def _look(host: Host, path: str, is_wanted: bool) -> tuple[str, float] | None:
    """Its text and when that was written; None if there is none, or none that sriov-cni can have written."""
    try:
        text = files.read(path)
        return None if text is None else (text, os.lstat(path).st_mtime)
    except files.NoFile as error:
        if is_wanted:
            complain(host, path, error)
    except OSError as error:
        if not is_gone(error):
            raise InputOutput(f"look at {path}: {error.strerror}") from error
    return None


def _judge_age(host: Host, found_files: list[CacheFile]) -> None:
    """The clock may have been set since: one that looks too old is of this boot all the same if its netns lives."""
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) - _SLACK_S
    newest: dict[str, CacheFile] = {}
    for found in sorted(found_files, key=lambda found: found.mtime):
        newest[found.cache.vf] = found
    for found in found_files:
        if found.mtime < booted and not _leads_to_a_netns(host, found.directory, found.cache.vf):
            found.outdated = EARLIER_BOOT
        elif newest[found.cache.vf] is not found:
            found.outdated = f"{newest[found.cache.vf].name} has the VF since"


def complain(host: Host, path: str, reason: Exception) -> None:
    host.log.error(UNUSABLE, file=path, reason=reason)


def holder(host: Host, vf: str) -> str:
    """Why a VF that bears sriov-cni's mark, but is in the host, cannot be taken; "" if the mark is stale."""
    try:
        for found in all_files(host):
            if found.cache.vf == vf and not found.outdated:
                return f"sriov-cni attached it ({found.path})"
        for directory in host.ledger.cache_dirs:
            if _leads_to_a_netns(host, directory, vf):
                return f"sriov-cni attached it to {marked_netns(directory, vf)}, which lives"
    except InputOutput as error:
        return f"sriov-cni may have attached it: {error.msg}"
    return ""


def _leads_to_a_netns(host: Host, directory: str, vf: str) -> bool:
    path = marked_netns(directory, vf)
    try:
        if path:
            host.open_path(path).close()
        return bool(path)
    except BadNetns:
        return False
