"""Whom the operator means: attachments by container, pod or VF, living ones by their Records, finished ones by the log."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ...vf.host import Host
from ...words.domain import Attachment
from ...words.errors import BadConfig, CniError
from ...words.origin import Origin
from ...words.pci import parse_pci_address
from ...words.record import Record
from .. import called, keyhelp
from .lines import Line


@dataclass(slots=True)
class Subject:
    """One story: an attachment, whose `record` is None if it is finished; or a VF that nobody has, `attachment` None. `vf`
    "" = its address is not known. `whole`: all that the log has of that VF, whoever had it.
    """

    attachment: Attachment | None
    vf: str
    record: Record | None
    whole: bool = False

    def has(self, line: Line) -> bool:
        if self.whole and self.vf and line.fields.get("vf") == self.vf:
            return True
        who = self.attachment
        return who is not None and line.is_of(who.container_id, who.ifname)

    @property
    def needles(self) -> list[str]:
        """What its lines have in them."""
        container_id = self.attachment.container_id if self.attachment is not None else ""
        return [container_id, self.vf if self.whole else ""]


def vf_of(host: Host, records: list[Record], target: str) -> str:
    """The address of the VF that is called so, "" if none is. CniError where it is something else on the bus."""
    if "/" in target or not target:
        return ""
    if found := re.fullmatch(r"(.+):(\d{1,5})", target, re.ASCII):
        return _by_index(host, found[1], int(found[2]))
    try:
        address = parse_pci_address(target)
    except ValueError:
        owners = [record.vf for record in records if record.baseline and record.baseline.ifname == target]
        address = host.sysfs.pci_of_netdev(target)
        return next(iter(owners), address if address and host.sysfs.is_vf(address) else "")
    pf = host.sysfs.pf_by_pci(address)
    if pf is not None:
        name = pf.ifname or address
        raise BadConfig(f"explain {target}: it is a PF", f"name one of its VFs: sriovctl explain {name}:0")
    return address


def _by_index(host: Host, where: str, index: int) -> str:
    try:
        pf = host.sysfs.pf_by_pci(parse_pci_address(where))
    except ValueError:
        pf = host.sysfs.pf_by_name(where)
    if pf is None:
        return ""
    found = dict(host.sysfs.virtfns(pf.pci_address))
    if index not in found:
        raise BadConfig(
            f"explain {where}:{index}: {where} has {len(found)} VFs", "their numbers begin with 0"
        )
    return found[index]


def of_vf(records: list[Record], vf: str) -> Subject:
    owner = next((record for record in records if record.vf == vf), None)
    return Subject(owner.attachment if owner is not None else None, vf, owner, whole=True)


def of_container(records: list[Record], lines: list[Line], target: str) -> list[Subject]:
    """Each attachment of the one container, or pod, that is called so; [] if none is. CniError names them where there are
    several.
    """
    living = {record.attachment: record for record in records}
    seen = dict.fromkeys([*living, *_in(lines)])
    found = (
        called.by_whole_id(seen, target)
        or _of_pod(living, lines, target)
        or called.by_id(seen, target, "explain")
    )
    return [Subject(who, living[who].vf if who in living else "", living.get(who)) for who in found]


def _in(lines: Iterable[Line]) -> list[Attachment]:
    found = []
    for line in lines:
        about = line.fields.get("attachment", "").rpartition("/")
        for container_id, ifname in ((about[0], about[2]), (line.container_id, line.ifname)):
            if container_id and ifname:
                found.append(Attachment(container_id, ifname))
    return found


def _of_pod(living: dict[Attachment, Record], lines: list[Line], target: str) -> list[Attachment]:
    """Those that it has now; where it has none, those of its last container that the log tells of."""
    pods = {who: Origin.of(record.origin).pod for who, record in living.items()}
    if found := called.by_pod(pods, target, "explain"):
        return found
    told = [line for line in lines if called.is_called(line.fields.get("pod", ""), target)]
    last = told[-1].container_id if told else ""
    return [
        *dict.fromkeys(Attachment(one.container_id, one.ifname) for one in told if one.container_id == last)
    ]


def has_living(host: Host, records: list[Record], target: str) -> bool:
    """Whether a VF or somebody attached is called so. CniError where that is several."""
    return bool(vf_of(host, records, target) or of_container(records, [], target))


def nobody(target: str, sources: list[str]) -> CniError:
    where = ", ".join(sources) or "no log is kept"
    return BadConfig(
        f"explain {target}: no container, pod or VF is called so, neither by a Record nor by a log ({where}), and no key of a"
        f" configuration{keyhelp.near(target)}",
        "`sriovctl status` lists who is attached. What is finished is in the log alone: name its file with --log FILE",
    )
