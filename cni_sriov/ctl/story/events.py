"""Record and log lines to a timeline. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ...words.origin import Origin
from ...words.plane import SOFTWARE, DataPlane
from ...words.record import Record, VfState
from ...words.shown import moment
from .lines import Line

# as the configuration calls them
_KEYS = {"vlan_qos": "vlanQoS", "vlan_proto": "vlanProto"}
_UNKNOWN = "why is not recorded: an earlier version attached it, or sriov-cni"


@dataclass(slots=True)
class Event:
    """`time` "" = not known: it was between what is before and behind it. `step`: who did it, or what kind of thing it is.
    `is_bad`: the log calls it a warning or an error.
    """

    time: str
    step: str
    what: str
    result: str = ""
    is_bad: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "time": self.time,
            "step": self.step,
            "what": self.what,
            "result": self.result,
            "isBad": self.is_bad,
        }


def timeline(record: Record | None, lines: list[Line], place: str, state: str) -> list[Event]:
    """`place`: the VF as the operator calls it. `state`: what it is doing now, "" = not looked at."""
    since = Origin.of(record.origin).since if record is not None else 0
    begin = datetime.fromtimestamp(since, UTC)
    before = [_of_line(line, record) for line in lines if record is not None and line.time < begin]
    after = [_of_line(line, record) for line in lines if record is None or line.time >= begin]
    own = _of_record(record, place) if record is not None else ()
    now = [Event("", "now", state)] if state else []
    return [*before, *own, *after, *now]


def _iso(when: datetime) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%S}Z"


# from the Record -----------------------------------------------------------------------------------------------------


def _of_record(record: Record, place: str) -> Iterator[Event]:
    origin, time = Origin.of(record.origin), moment(Origin.of(record.origin).since)
    who = f"pod {origin.pod}" if origin.pod else f"container {record.attachment.container_id}"
    uid = f" (UID {origin.uid})" if origin.uid else ""
    yield Event(time, "asked", f"{who}{uid}", f"{record.attachment.ifname} on network {record.network}")
    what = f"VF {record.vf} ({place})" if record.vf else place
    yield Event(time, "claimed", what, origin.reason or _UNKNOWN)
    base = record.baseline
    if base is None and record.vf:
        yield Event("", "found", "nothing yet", "its ADD died before it had looked at the VF, or runs")
        return
    if base is not None and record.vf:
        yield Event("", "found", _found(base) or "no interface", "what DEL puts back")
    for name, value in record.settings.asked().items():
        yield Event("", "set", f"{_KEYS.get(name, name)} {_word(value)}", _was(base or VfState(), name))
    if record.plane is not None:
        yield from _of_plane(record, record.plane)
    for lease in record.leases:
        beyond = f", gateway {lease.gateway}" if lease.gateway else ""
        yield Event("", "leased", lease.subnet, f"address {lease.address}{beyond}")
    for address in record.addresses if not record.leases else []:
        yield Event("", "address", address, f"of IPAM plugin {record.ipam.get('type', '')}".rstrip())


def _of_plane(record: Record, plane: DataPlane) -> Iterator[Event]:
    """What was done for a program in user space."""
    if plane.driver:
        is_same = plane.driver == record.driver
        was = "it was on that before, and stays there" if is_same else f"was {record.driver or 'none'}"
        yield Event("", "driver", plane.driver, was)
    for path, owner in sorted(plane.owners.items()):
        yield Event("", "owner", path, f"was {':'.join(map(str, owner))}")
    if plane.crypto:
        is_software = plane.crypto == SOFTWARE
        yield Event(
            "", "crypto", plane.crypto, "no QAT VF was free" if is_software else "a QAT VF, until DEL"
        )
    for path in plane.files:
        yield Event("", "wrote", path, "DEL removes it")
    tag, directory = plane.vpp.get("tag"), plane.vpp.get("directory")
    if isinstance(directory, str):
        yield Event("", "wrote", directory, "files for the container's VPP")
    if isinstance(tag, str):
        yield Event("", "tap", f"tag {tag}", f"sw_if_index {plane.vpp.get('index', 'not known yet')}")


def _found(base: VfState) -> str:
    facts = {
        "": base.ifname,
        "MAC": base.own_mac,
        "MTU": base.mtu or None,
        "vlan": base.vlan,
        "spoofchk": base.spoofchk,
        "trust": base.trust,
    }
    told = [f"{name} {_word(value)}".strip() for name, value in facts.items() if value not in {None, ""}]
    return ", ".join(told)


def _was(base: VfState, name: str) -> str:
    if name == "mac":
        return f"was {base.mac or base.own_mac or 'not set'}"
    value = getattr(base, name, None)
    return f"was {_word(value)}" if value is not None else ""


def _word(value: object) -> str:
    """As the configuration has it."""
    return {"True": "on", "False": "off"}.get(str(value), str(value))


# from the log --------------------------------------------------------------------------------------------------------


def _of_line(line: Line, record: Record | None) -> Event:
    """Without what the Record has said before it."""
    known = set() if record is None else {str(record.attachment), record.vf}
    fields = {key: value for key, value in line.fields.items() if value not in known}
    if record is not None and (line.message, line.fields.get("vf", "")) == ("attached", record.vf):
        fields = {}
    told = "; ".join(f"{key} {value}" for key, value in fields.items())
    is_bad = line.level in {"warning", "error", "panic", "fatal"}
    return Event(_iso(line.time), line.verb or "log", line.message, told, is_bad)
