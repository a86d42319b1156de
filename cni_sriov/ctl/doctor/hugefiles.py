"""Huge pages: where they can be had, and which files keep them. How many there are: kernel/hugepages.py."""

from __future__ import annotations

from ...decide.facts_machine import HugeFile
from ...kernel.files import Files
from .processes import Process


def mounts(files: Files) -> list[str]:
    """Where a hugetlbfs is mounted: proc_pid_mounts(5), whose blanks are octal."""
    lines = (line.split() for line in (files.text("/proc/mounts") or "").splitlines())
    return [fields[1].replace("\\040", " ") for fields in lines if fields[2:3] == ["hugetlbfs"]]


def kept(files: Files, directories: list[str], processes: list[Process]) -> list[HugeFile]:
    """The files there, each of which keeps its pages; DPDK leaves them behind when it is killed."""
    found = []
    for directory in directories:
        for name in files.names(directory):
            path = f"{directory}/{name}"
            users = [f"{one.name} (pid {one.pid})" for one in processes if name in _names(one)]
            found.append(HugeFile(path, users))
    return found


def _names(process: Process) -> set[str]:
    """By name: a container may have the same hugetlbfs elsewhere."""
    return {path.rpartition("/")[2] for _, path in process.has}
