"""The crypto accelerator that goes with a VF for user space: a free VF of a QAT card, or none, and then OpenSSL does it.

Nothing is done to it: it is the attachment's while that one's claim names it. Where it cannot be told which ones others
have, none is taken.
"""

from __future__ import annotations

from ..conf.netconf import NetConf
from ..decide import crypto as decide
from ..kernel import devices, holders
from ..words.device import Device
from ..words.pci import is_userspace
from ..words.plane import SOFTWARE
from ..words.record import Record
from .host import Host


def reserve(host: Host, conf: NetConf, record: Record) -> None:
    """Under the node's lock, before the claim is written. A netdev has no use for one."""
    if not conf.plane.crypto or record.plane is None:
        return
    found = _accelerators(host)
    used = _used(host, record, found) if found else {}
    node = devices.numa_node(host.files, record.vf)
    record.plane.crypto = decide.choose(found, used, node) or SOFTWARE
    if record.plane.crypto == SOFTWARE:
        why = "; ".join(f"{one.address}: {decide.why_not(one, used)}" for one in found)
        host.log.info(
            "crypto is done in software",
            reason=why or "there is no VF of a QAT accelerator",
            remedy="DPDK: --vdev crypto_openssl",
        )


def _accelerators(host: Host) -> list[Device]:
    files = host.files
    return [
        devices.device(files, address)
        for address in files.names(devices.DEVICES)
        if devices.ids(files, address) in {(decide.INTEL, one) for one in decide.QAT_VFS}
    ]


def _used(host: Host, record: Record, found: list[Device]) -> dict[str, str]:
    used = {
        one.address: f"it is open in {', '.join(held)}"
        for one in found
        if (held := holders.holders(host.files, one.address))
    }
    used |= {
        claim.plane.crypto: f"{claim.attachment} has it"
        for claim in host.ledger.claims()
        if claim.plane is not None and claim.attachment != record.attachment
    }
    for unread in host.ledger.unreadable_claims():
        used |= {one.address: f"{unread.path}, which cannot be read, may have it" for one in found}
    return used


def differences(host: Host, record: Record) -> list[str]:
    """For CHECK."""
    address = record.plane.crypto if record.plane is not None else ""
    if address in {"", SOFTWARE}:
        return []
    now = host.sysfs.driver(address)
    return [] if is_userspace(now) else [f"crypto accelerator {address} is on {now or 'no driver'}"]
