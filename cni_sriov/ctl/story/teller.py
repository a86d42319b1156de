"""The story of what the operator names: Records, logs, and what the VF is doing now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...vf.host import Host
from ...words.failures import Failures
from ...words.origin import Origin
from ...words.record import Record
from ...words.shown import moment
from .. import node, places
from ..tool import Tool
from . import events, logs, subjects
from .lines import Line
from .subjects import Subject

NO_LOG = (
    'no log is kept: no configuration has a "logFile". What the plugin said, and the driver, went to the runtime. To keep'
    ' it, write "logFile": "/var/log/cni-sriov.log" into the plugin\'s configuration; then the lines "attached", "detached",'
    ' "failed" and "reclaimed" are here, and whatever the driver refused'
)
NO_LINES = "the log has no line of it: it is from before the log was kept, was rotated away, or logLevel is above info"


@dataclass(slots=True)
class Story:
    subject: Subject
    place: str
    events: list[events.Event]

    def to_json(self) -> dict[str, Any]:
        who, record = self.subject.attachment, self.subject.record
        origin = Origin.of(record.origin if record is not None else "")
        return {
            "containerID": who.container_id if who is not None else "",
            "ifname": who.ifname if who is not None else "",
            "network": record.network if record is not None else "",
            "netns": record.netns if record is not None else "",
            "pod": {"namespace": origin.namespace, "name": origin.name, "uid": origin.uid}
            if origin.name
            else None,
            "vf": self.subject.vf,
            "place": self.place,
            "since": moment(origin.since),
            "reason": origin.reason,
            "status": record.status if record is not None else "",
            "events": [event.to_json() for event in self.events],
        }


@dataclass(slots=True)
class Told:
    """`sources`: the log files that were read. `notes`: what is missing of the story, and why."""

    stories: list[Story]
    sources: list[str]
    notes: list[str]

    def to_json(self) -> dict[str, Any]:
        return {
            "stories": [story.to_json() for story in self.stories],
            "logs": self.sources,
            "notes": self.notes,
            "keys": [],
        }


def run(tool: Tool, host: Host, target: str, more_logs: list[str]) -> Told:
    """CniError where nobody is called so, or more than one."""
    records = node.records(host)
    logged = [Origin.of(record.origin).log_file for record in records]
    paths = [*more_logs, *logs.named(tool.files), *filter(None, logged)]
    found = logs.read(tool.files, paths)
    vf = subjects.vf_of(host, records, target)
    if vf:
        meant = [subjects.of_vf(records, vf)]
    else:
        meant = subjects.of_container(records, found.containing([target, *target.split("/")]), target)
    lines = found.containing(word for subject in meant for word in subject.needles)
    states = _states(host) if meant else {}
    stories = [_story(host, subject, lines, states) for subject in meant]
    if not any(story.events for story in stories):
        raise subjects.nobody(target, [*found.texts])
    notes = found.missing + ([] if lines else [NO_LINES if found.texts else NO_LOG])
    return Told(stories, [*found.texts], notes)


def _story(host: Host, subject: Subject, lines: list[Line], states: dict[str, str]) -> Story:
    own = [line for line in lines if subject.has(line)]
    vf = subject.vf
    if subject.record is None:
        vf = vf or next((line.fields["vf"] for line in reversed(own) if "vf" in line.fields), "")
    subject.vf = vf
    place = _place(host, subject.record, vf)
    state = states.get(vf, "") if subject.record is not None or subject.whole else ""
    if subject.record is not None and not vf:
        state = node.state_of(host, subject.record)[0]
    return Story(subject, place, events.timeline(subject.record, own, place, state))


def _states(host: Host) -> dict[str, str]:
    """What each VF is doing now, in the words of `sriovctl status`."""
    with Failures().of():
        return {row.vf.pci_address: row.state for pf in node.look(host) for row in pf.vfs}
    return {}


def _place(host: Host, record: Record | None, vf: str) -> str:
    """Like enp1s0f0 vf 3; the address where its PF is not visible, or what it has instead of a VF."""
    if not vf:
        return places.of(host, record) if record is not None else ""
    found = vf
    with Failures().of():
        pf, index = host.sysfs.pf_of_vf(vf), host.sysfs.vf_index(vf)
        if pf is not None and index is not None:
            found = f"{pf.ifname or pf.pci_address} vf {index}"
        elif record is not None and record.pf:
            found = f"{record.pf} vf {record.vf_index}"
    return found
