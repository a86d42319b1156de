"""Huge pages: how many, on which NUMA node. Looks only (Documentation/admin-guide/mm/hugetlbpage.rst)."""

from __future__ import annotations

from ..words.hugepages import HugePages
from .files import Files

NODES = "/sys/devices/system/node"
ALL = "/sys/kernel/mm/hugepages"  # of the whole machine


def pages(files: Files) -> list[HugePages]:
    """By node, then by size; of the whole machine where the kernel knows no nodes."""
    nodes = sorted(
        int(name[4:]) for name in files.names(NODES) if name.startswith("node") and name[4:].isdigit()
    )
    found = [one for node in nodes for one in _of(files, node, f"{NODES}/node{node}/hugepages")]
    return found or of_machine(files)


def of_machine(files: Files) -> list[HugePages]:
    """By size, with those that are promised."""
    found = _of(files, -1, ALL)
    for one in found:
        one.promised = _number(files, f"{one.where}/resv_hugepages")
    return found


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
