"""Where an attachment has its interface, and what is done for a program in user space, in an operator's words."""

from __future__ import annotations

from typing import Any

from ..kernel import holders
from ..vf import restore, vpptap
from ..vf.host import Host
from ..words.failures import Failures
from ..words.origin import Origin
from ..words.plane import VFIO, VPP_HOST
from ..words.record import Record


def of(host: Host, record: Record) -> str:
    """Like "enp1s0f0 vf 3", or "a tap of VPP at /run/vpp/api.sock"."""
    if not record.vf:
        return f"a tap of VPP at {socket(record)}"
    pf = host.sysfs.pf_by_pci(record.pf) if record.pf else None
    name = pf.ifname if pf is not None and pf.ifname else record.pf
    return f"{name} vf {record.vf_index}" if name else f"VF {record.vf}"


def socket(record: Record) -> str:
    """Of VPP; "" of what has none, or tells none."""
    told = record.plane.vpp.get("socket") if record.plane is not None else ""
    return told if isinstance(told, str) else ""


def whose(record: Record) -> str:
    """Like "pod default/web" or "container": a pod is one that was called so."""
    origin = Origin.of(record.origin)
    return f"pod {origin.pod}" if origin.namespace else "container"


def living(host: Host, record: Record) -> str:
    """Why it is not taken back where nothing is found of its network namespace: somebody may have it."""
    who, kind = whose(record), record.plane.kind if record.plane is not None else ""
    held = open_in(host, record.vf) if kind == VFIO else []
    if held:
        return f"it is open in {', '.join(held)}"
    if kind == VFIO:
        return f"a program of its {who} may use the VF"
    if kind == VPP_HOST:
        return f"its {who} may use the tap"
    return f"its {who} may be alive: the VF is in a network namespace that is not found (an open file keeps such)"


def stuck(host: Host, record: Record) -> str:
    """Why what is provably nobody's could not be taken back."""
    if record.plane is None:
        if host.sysfs.has_netdev(record.vf):
            why = "no move brings its netdev home, and its driver does not let go of it"
        else:
            why = f"driver {record.driver} makes no netdev of it"
        return restore.pf_out_of_reach(host, record) or why
    if not record.vf:
        away = host.away.get(socket(record))  # asked once: one that hangs takes 20 s
        return str(away or vpptap.trouble(socket(record)) or "VPP does not take the tap away")
    held = open_in(host, record.vf)
    if held:
        return f"it is open in {', '.join(held)}"
    now = host.sysfs.driver(record.vf)
    if now != record.driver:
        return f"it is on {now or 'no driver'}, and {record.driver or 'no driver'} does not take it back"
    return restore.pf_out_of_reach(host, record) or "it does not become what it was"


def open_in(host: Host, vf: str) -> list[str]:
    """Processes that drive it; what cannot be looked at is not known."""
    with Failures().of():
        return holders.holders(host.files, vf)
    return []


def to_json(record: Record) -> dict[str, Any] | None:
    """What ADD did for a program in user space; None of a netdev. A contract: conf/status.schema.json."""
    plane = record.plane
    if plane is None:
        return None
    return {
        "kind": plane.kind,
        "driver": plane.driver,
        "driverBefore": record.driver,
        "nodes": sorted(plane.owners),
        "files": _files(record),
        "crypto": plane.crypto,
        "socket": socket(record),
    }


def _files(record: Record) -> list[str]:
    """What was written, and the directory of the files for a container's VPP."""
    assert record.plane is not None
    directory = record.plane.vpp.get("directory")
    return [*record.plane.files, *([directory] if isinstance(directory, str) else [])]
