"""Who has devices open from user space, or huge pages: one pass over /proc.

A device on vfio is known by its node in /dev/vfio among a process's descriptors, one on uio by /dev/uioN or by its
`resource` files, which DPDK maps. VPP and DPDK are known by what else they have mapped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ...decide.facts_card import Holder
from ...kernel.files import Files
from ...kernel.holders import nodes_of
from ...words.device import Device
from ...words.failures import Failures

_DEVICES = ("/dev/vfio/", "/dev/uio", "/sys/devices/", "/sys/bus/pci/devices/")
_CAP_IPC_LOCK = 1 << 14  # linux/capability.h
# its huge pages, which a container may have elsewhere: eal_get_hugefile_path
_OF_DPDK = re.compile(r"map_\d+$")
_VPP = ("/vpp_plugins/", "/libvlib.so", "/bin/vpp")
# lib/eal/linux: its files for huge pages and config
_DPDK = ("/librte_eal.so", "/rtemap_", "/dpdk/rte/", "/fbarray_")


@dataclass(slots=True)
class Process:
    """`has`: what it has open or mapped, each as (the file in /proc, what that says). `memlock`: how many bytes it may lock,
    None = any number.
    """

    pid: int
    name: str
    kind: str = ""
    has: list[tuple[str, str]] = field(default_factory=list)
    memlock: int | None = None


def scan(files: Files, failures: Failures, hugetlbfs: list[str]) -> list[Process]:
    """Those that have anything of interest, by pid. One that cannot be looked at goes to `failures`."""
    found = []
    for pid in sorted((name for name in files.names("/proc") if name.isdigit()), key=int):
        with failures.of(process=pid):
            process = _look(files, int(pid), (*_DEVICES, *(f"{mount}/" for mount in hugetlbfs)))
            if process.has:
                found.append(process)
    return found


def _look(files: Files, pid: int, interest: tuple[str, ...]) -> Process:
    proc = f"/proc/{pid}"
    process = Process(pid, "")
    said = [(f"{proc}/fd/{fd}", files.target(f"{proc}/fd/{fd}")) for fd in files.names(f"{proc}/fd")]
    mapped = {_path_of(line) for line in (files.text(f"{proc}/maps") or "").splitlines()} - {""}
    said += [(f"{proc}/maps", path) for path in sorted(mapped)]
    process.has = [
        (source, path) for source, path in said if path.startswith(interest) or _OF_DPDK.search(path)
    ]
    if process.has:
        process.name = files.text(f"{proc}/comm") or "?"
        process.kind = _kind(process.name, [path for _, path in said])
        process.memlock = _memlock(files, proc)
    return process


def _memlock(files: Files, proc: str) -> int | None:
    """The soft limit of proc_pid_limits(5), which does not count for CAP_IPC_LOCK (vfio_lock_acct in vfio_iommu_type1.c)."""
    status, limits = files.text(f"{proc}/status") or "", files.text(f"{proc}/limits") or ""
    effective = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    if effective and int(effective[1], 16) & _CAP_IPC_LOCK:
        return None
    limit = re.search(r"^Max locked memory\s+(\d+)", limits, re.MULTILINE)
    return int(limit[1]) if limit else None


def _path_of(line: str) -> str:
    """The sixth field of proc_pid_maps(5), which may have blanks."""
    fields = line.split(maxsplit=5)
    return fields[5] if len(fields) == 6 and fields[5].startswith("/") else ""


def _kind(name: str, paths: list[str]) -> str:
    if name in {"vpp", "vpp_main"} or any(word in path for path in paths for word in _VPP):
        return "VPP"
    return "DPDK" if any(word in path for path in paths for word in _DPDK) else ""


def holders(files: Files, found: list[Process], device: Device) -> list[Holder]:
    """Those that have that device, which is on a driver for user space."""
    nodes, below = nodes_of(files, device.address), f"/{device.address}/resource"
    held = []
    for process in found:
        by = [(source, path) for source, path in process.has if path in nodes or below in path]
        if by:
            held.append(Holder(process.pid, process.name, process.kind, by, process.memlock))
    return held
