"""The device nodes of a VF for user space: `vfioOwner` on them and back, and the CDI device that stands for them."""

from __future__ import annotations

from ..kernel.nodes import CONTAINER, GROUPS, IOMMUFD, OF_DEVICES
from ..state import cdi
from ..words.errors import InputOutput, KernelRefused, PfUnusable
from ..words.failures import Failures
from ..words.gone import is_gone
from ..words.plane import SOFTWARE, DataPlane
from ..words.record import Record
from .host import Host

# whose they are -------------------------------------------------------------------------------------------------------


def give(host: Host, record: Record, owner: tuple[int, int] | None) -> None:
    """To `owner`, None = they stay whose they are. The Record knows it before; what it knows already is of an ADD that died."""
    if owner is None:
        return
    plane, found = _plane(record), _mine(host, record.vf)
    if not found:
        raise PfUnusable(
            f"give VF {record.vf} to {owner[0]}:{owner[1]}: driver {host.sysfs.driver(record.vf)} made no device node",
            "is /dev the host's own, and devtmpfs mounted on it?",
        )
    found += _of_accelerator(host, plane)
    for path in found:
        has = host.nodes.owner(path)
        if has is not None:
            plane.owners.setdefault(path, [*has])
    host.ledger.put(record)
    try:
        for path in found:
            _set(host, path, owner)
    except KernelRefused as refused:
        raise InputOutput(f"use VF {record.vf}: {refused}") from refused


def take_back(host: Host, record: Record) -> None:
    """As they were found: those that are the VF's still. KernelRefused where one stays another's, after all were tried."""
    owners, failures = _plane(record).owners, Failures()
    mine = [*_mine(host, record.vf), *_of_accelerator(host, _plane(record))] if owners else []
    for path in mine:
        if path in owners:
            uid, gid = owners[path]
            with failures.of():
                _set(host, path, (uid, gid))
    if failures.reasons:
        raise failures.reasons[0]


def held_unseen(host: Host, address: str) -> list[str]:
    """Of a VF that nobody seems to have open, and that is taken back."""
    return ["what no process shows"] if any(map(host.nodes.is_taken, _mine(host, address))) else []


def differences(host: Host, record: Record, owner: tuple[int, int] | None) -> list[str]:
    """For CHECK: what is not as `give` and `publish` left it."""
    plane = _plane(record)
    found = {path: host.nodes.owner(path) for path in plane.owners} if owner is not None else {}
    wrong = [f"{path} is {_told(has)}, not {_told(owner)}" for path, has in found.items() if has != owner]
    spec = cdi.path_of(host.cdi_dir, record.vf)
    if spec in plane.files and not cdi.is_there(host.cdi_dir, record.vf, _shown(host, record.vf)):
        wrong.append(f"{spec} is not there, or not as ADD wrote it")
    return wrong


def _set(host: Host, path: str, owner: tuple[int, int]) -> None:
    """What is so already is left alone, and what is gone has nobody."""
    if host.nodes.owner(path) in {None, owner}:
        return
    try:
        host.nodes.set_owner(path, *owner)
    except KernelRefused as refused:
        if not is_gone(refused):
            raise


def _told(owner: tuple[int, int] | None) -> str:
    return f"{owner[0]}:{owner[1]}'s" if owner is not None else "gone"


def _plane(record: Record) -> DataPlane:
    assert record.plane is not None
    return record.plane


# as a CDI device ------------------------------------------------------------------------------------------------------


def publish(host: Host, record: Record) -> None:
    """For whoever starts a container with it from now on. `sriovctl bind` did that already for a VF that it bound, and its
    file outlives the attachment.
    """
    sweep(host)
    plane, shown = _plane(record), _shown(host, record.vf)
    if not shown or cdi.is_there(host.cdi_dir, record.vf, shown):
        return
    path = cdi.path_of(host.cdi_dir, record.vf)
    if path not in plane.files:
        plane.files.append(path)
        host.ledger.put(record)
    cdi.write(host.cdi_dir, record.vf, shown)


def withdraw(host: Host, record: Record) -> None:
    """What `publish` wrote, before the VF changes its driver; the caller puts the Record. What is there of a VF that is not
    this one's any more is somebody else's.
    """
    written = _plane(record).files
    path = cdi.path_of(host.cdi_dir, record.vf) if record.vf else ""  # a tap of VPP's has none
    if path in written and record.boot_id == host.ledger.boot_id and host.ledger.owns(record):
        cdi.remove(host.cdi_dir, record.vf)
        written.remove(path)


def settle(host: Host, address: str) -> None:
    """Of a VF that the operator gave a driver: its file, if that is one for user space, else none. Then those of others
    that went without us.
    """
    _settle(host, address)
    sweep(host)


def _settle(host: Host, address: str) -> None:
    shown = _shown(host, address) if host.sysfs.is_vf(address) else []
    if not shown:
        cdi.remove(host.cdi_dir, address)
    elif not cdi.is_there(host.cdi_dir, address, shown):
        cdi.write(host.cdi_dir, address, shown)


def sweep(host: Host) -> None:
    """A new VF at an old one's address has another group, and the old one's may be anybody's."""
    failures = Failures(host.log.warning, "a CDI specification stays")
    for vf in cdi.vfs(host.cdi_dir):
        with failures.of(vf=vf):
            _settle(host, vf)


def _shown(host: Host, address: str) -> list[str]:
    """vfio's groups need their container. A device's own node is another way to the same device: where both are, the one
    that DPDK and VPP open. A runtime refuses a CDI device of which a node is not there.
    """
    mine = _mine(host, address)
    groups = [path for path in mine if path.startswith(GROUPS) and not path.startswith(OF_DEVICES)]
    ways = {CONTAINER: groups, IOMMUFD: [path for path in mine if path.startswith(OF_DEVICES)]}
    through, found = next(((way, paths) for way, paths in ways.items() if paths), ("", mine))
    return [*([through] if through and host.nodes.owner(through) is not None else []), *found]


def _of_accelerator(host: Host, plane: DataPlane) -> list[str]:
    return _mine(host, plane.crypto) if plane.crypto not in {"", SOFTWARE} else []


def _mine(host: Host, address: str) -> list[str]:
    """A group's node is there for the others of the group, too: it is not the VF's unless vfio has that."""
    found = host.nodes.of(address)
    return found if "vfio" in host.sysfs.driver(address) else [p for p in found if not p.startswith(GROUPS)]
