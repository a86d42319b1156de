"""First use of a stateDir in this boot: no VF state outlives a reboot, so older Records say nothing.

What is torn is of an earlier boot too: the power cut did that. Unless /run/cni-sriov was wiped under running pods: then
their claims come back, also of a file that tells no more than its boot and its VF.
"""

from __future__ import annotations

import os

from ..words.errors import InputOutput, Unreadable
from ..words.record import Record
from . import deviceinfo, files
from .claims import Claims, is_record, is_torn, text_in, vf_in


def drop(claims: Claims, state_dir: str) -> None:
    """InputOutput where a file cannot even be looked at: then nobody knows, and nothing is dropped for it."""
    for name in filter(is_record, os.listdir(state_dir)):
        path = f"{state_dir}/{name}"
        found = claims.parse(path)
        if isinstance(found, Record):
            _settle(claims, path, found)
        elif found is not None:
            _settle_unreadable(claims, found)


def _settle(claims: Claims, path: str, record: Record) -> None:
    if record.boot_id == claims.boot_id:
        if not isinstance(claims.parse(claims.claim_path(record)), Record):
            claims.claim(record)
        return
    if record.device_info:
        try:
            deviceinfo.remove(record)
        except InputOutput as error:
            claims.log.warning("device info file stays", file=record.device_info, reason=error)
    _drop(claims, path, f"{record.attachment} on VF {record.vf}")


def _settle_unreadable(claims: Claims, error: Unreadable) -> None:
    if error.passing:
        raise InputOutput(error.msg, error.details)
    is_old = error.raw and text_in(error, "boot_id") not in {"", claims.boot_id}
    if is_old or is_torn(error):
        _drop(claims, error.path, f"unreadable: {error.why}")
    else:
        claims.complain(error)
        _claim_by_name(claims, error)


def _claim_by_name(claims: Claims, error: Unreadable) -> None:
    """The Record as it is becomes the claim: its name is what keeps the VF taken."""
    where = vf_in(error)
    text = files.read(error.path) if where is not None else None
    if where is not None and text is not None and where[1] not in claims.claimed():
        files.replace(f"{claims.run_dir}/claims/{where[0]}+{where[1]}", text)


def _drop(claims: Claims, path: str, what: str) -> None:
    claims.log.info("record of an earlier boot dropped", file=path, was=what)
    files.remove(path)
