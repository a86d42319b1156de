"""`status PF|VF|CONTAINER` and `--free`: the same document with less in it. Pure."""

from __future__ import annotations

import re
from dataclasses import replace

from ...words.errors import BadConfig
from ...words.pci import parse_pci_address
from .. import called
from ..node import PfRow, VfRow
from ..owned import pod_of
from .gather import Status
from .sections import Bound
from .taps import Tap

_BY_INDEX = re.compile(r"(.+):(\d{1,5})", re.ASCII)
Row = PfRow | VfRow | Tap  # a PF is meant with all its VFs


def only(found: Status, targets: list[str], only_free: bool) -> Status:
    """What any of them means, all if there is none. What cannot be read or looked at stays: it may be about these.
    BadConfig where nothing is called so.
    """
    if not targets and not only_free:
        return found
    meant = [row for target in targets for row in _meant(found, target)] if targets else list[Row](found.pfs)
    wanted = {id(row) for row in meant}
    pfs = [row for pf in found.pfs if (row := _part(pf, wanted, only_free)) is not None]
    taps = [tap for tap in found.taps if id(tap) in wanted]
    return replace(found, pfs=pfs, taps=taps, devices=_devices(found, pfs), is_part=True)


def _part(pf: PfRow, wanted: set[int], only_free: bool) -> PfRow | None:
    """None: neither the PF is meant, nor one of its VFs."""
    is_whole = id(pf) in wanted
    meant = [vf for vf in pf.vfs if is_whole or id(vf) in wanted]
    if not is_whole and not meant:
        return None
    shown = [vf for vf in meant if vf.state == "free" or not only_free]
    known = {id(vf) for vf in shown}
    return replace(pf, vfs=shown, hidden=[vf for vf in pf.vfs if id(vf) not in known])


def _devices(found: Status, pfs: list[PfRow]) -> list[Bound]:
    """Those of the VFs, and of PFs that are shown with all their VFs."""
    shown = {vf.vf.pci_address for pf in pfs for vf in pf.vfs}
    shown |= {pf.pf.pci_address for pf in pfs if not pf.hidden}
    return [row for row in found.devices if row.device.address in shown]


def _meant(found: Status, target: str) -> list[Row]:
    """A PF before a VF before a container. BadConfig: nothing, or several containers."""
    address = _address(target)
    pfs: list[Row] = [pf for pf in found.pfs if target in _names_of_pf(pf) or address == pf.pf.pci_address]
    vfs = [(pf, vf) for pf in found.pfs for vf in pf.vfs]
    meant = pfs or [vf for _, vf in vfs if address == vf.vf.pci_address or target in _names_of_vf(vf)]
    if not meant and (parts := _BY_INDEX.fullmatch(target)):
        port, index = _address(parts[1]) or parts[1], int(parts[2])
        meant = [
            vf for pf, vf in vfs if vf.vf.index == index and port in (*_names_of_pf(pf), pf.pf.pci_address)
        ]
    meant = meant or _of_container(found, target)
    if not meant:
        raise BadConfig(
            f"status {target}: no PF, VF, container or pod is called so",
            "`sriovctl status` has them all; who has a subnet and no VF is in `sriovctl leases`",
        )
    return meant


def _of_container(found: Status, target: str) -> list[Row]:
    rows = [(vf, vf.record) for pf in found.pfs for vf in pf.vfs] + [(tap, tap.record) for tap in found.taps]
    owned = [(row, record) for row, record in rows if record is not None]
    pods = {record.attachment: pod_of(record) for _, record in owned}
    who = (
        called.by_whole_id(pods, target)
        or called.by_pod(pods, target, "status")
        or called.by_id(pods, target, "status")
    )
    return [row for row, record in owned if record.attachment in who]


def _address(target: str) -> str | None:
    """None, and no PF is at that: one that is not visible has none either, which is ""."""
    try:
        return parse_pci_address(target)
    except ValueError:
        return None


def _names_of_pf(pf: PfRow) -> list[str]:
    return [name for name in (pf.pf.ifname, *(pf.link.altnames if pf.link else ())) if name]


def _names_of_vf(vf: VfRow) -> list[str]:
    """In the host; of one that a container has, what it was called before."""
    now = [vf.link.ifname, *vf.link.altnames] if vf.link else []
    before = vf.record.baseline if vf.record is not None else None
    return now + ([before.ifname, *before.altnames] if before is not None and before.ifname else [])
