"""Huge pages: how many, on which NUMA node, where they can be had, and which files keep them."""

from __future__ import annotations

from ...decide.facts_machine import HugeFile, HugePages
from ...kernel.files import Files
from .processes import Process

NODES = "/sys/devices/system/node"
ALL = "/sys/kernel/mm/hugepages"  # of the whole machine: where the kernel knows no nodes


def pages(files: Files) -> list[HugePages]:
    """By node, then by size."""
    nodes = sorted(
        int(name[4:]) for name in files.names(NODES) if name.startswith("node") and name[4:].isdigit()
    )
    found = [one for node in nodes for one in _of(files, node, f"{NODES}/node{node}/hugepages")]
    return found or _of(files, -1, ALL)


def _of(files: Files, node: int, directory: str) -> list[HugePages]:
    found = []
    for name in files.names(directory):
        size = name.removeprefix("hugepages-").removesuffix("kB")
        if size.isdigit():
            where = f"{directory}/{name}"
            total, free = (_number(files, f"{where}/{which}_hugepages") for which in ("nr", "free"))
            found.append(HugePages(node, int(size), total, free, where))
    return sorted(found, key=lambda one: one.size)


def _number(files: Files, path: str) -> int:
    text = files.text(path) or ""
    return int(text) if text.isdigit() else 0


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
