"""What a Record says of its tap, whether the running VPP has it so, and whose turn it is to take it away."""

from __future__ import annotations

from typing import Any

from ..kernel.vpp import Vpp
from ..words.errors import CniError, VppAway, VppRefused
from ..words.jsontext import words
from ..words.plane import VPP_HOST
from ..words.record import Record

MTU = 1500  # where the conf has none: VPP's own default for a tap is 9000, and the container's is this


def told_of(record: Record) -> dict[str, Any]:
    """What ADD told the Record. CniError where somebody spoiled it: nobody's word is taken for a path."""
    told = record.plane.vpp if record.plane is not None else {}
    texts = isinstance(told.get("socket"), str) and isinstance(told.get("tag"), str)
    if not texts or type(told.get("table")) is not int:
        raise CniError(f"read the Record of {record.attachment}: its vpp is {words(told)}", code=5)
    return told


def is_left(record: Record, by: Record) -> bool:
    """Whether a DEL or a dead ADD left it to whoever finds VPP there again: the one who makes a tap."""
    left = not record.vf and record.status != "done" and record.attachment != by.attachment
    return left and told_of(record)["socket"] == told_of(by)["socket"]


def leased(records: list[Record]) -> set[str]:
    """The tags of those whose leases stand."""
    planes = [record.plane for record in records if record.leases]
    return {str(plane.vpp.get("tag")) for plane in planes if plane is not None and plane.kind == VPP_HOST}


def differences(record: Record) -> list[str]:
    told = told_of(record)
    with Vpp(told["socket"]) as vpp:
        found = vpp.tagged(told["tag"])
        if not found:
            return [f"VPP has no interface with the tag {told['tag']}: was it started anew?"]
        tap = found[0]
        held = {address for _, address in vpp.addresses([tap.index], told["table"])}
    wrong = [] if tap.is_up else [f"VPP's {tap.name} is down"]
    if tap.index != told.get("index"):
        wrong.append(f"VPP's {tap.name} has sw_if_index {tap.index}, not {told.get('index')}")
    mtu = record.settings.mtu or MTU
    if tap.mtu != mtu:
        wrong.append(f"MTU of VPP's {tap.name} is {tap.mtu}, not {mtu}")
    missing = [address for address in told.get("addresses", []) if address not in held]
    return wrong + [
        f"address {address} of VPP's {tap.name} is missing in table {told['table']}" for address in missing
    ]


def trouble(socket: str) -> str:
    """Why no tap can be made now, "" if VPP answers."""
    try:
        with Vpp(socket) as vpp:
            vpp.interfaces()
    except (VppAway, VppRefused) as error:
        return str(error)
    return ""
