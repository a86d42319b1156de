"""The Record of an attachment: what survives for DEL, and its stored form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Self

from .domain import ALLMULTI, PROMISC, Attachment
from .jsontext import words
from .lease import Lease
from .plane import DataPlane
from .stored import Shape, Stored, checked, opened, stamped, stored

# An ADD runs, or died: then the attachment's lock is free. It is finished. DEL freed everything but the VF.
Status = Literal["in-progress", "done", "released"]


@stored(modes=0, txqueuelen=None)
@dataclass(slots=True)
class VfState(Stored):
    """A VF's state as the kernel told it: the PF's admin view and the VF's own netdev.

    None = the driver does not report it. `mac` is the admin MAC ("" = none set), `own_mac` the netdev's address.
    Rates in Mbit/s, 0 = unlimited. `link_state`: "auto", "enable", "disable". `vlan_proto`: "802.1q", "802.1ad".
    `modes` = Link.modes.
    """

    mac: str | None = None
    vlan: int | None = None
    vlan_qos: int = 0
    vlan_proto: str = "802.1q"
    min_tx_rate: int | None = None
    max_tx_rate: int | None = None
    spoofchk: bool | None = None
    trust: bool | None = None
    link_state: str | None = None
    ifname: str = ""
    own_mac: str = ""
    mtu: int = 0
    altnames: list[str] = field(default_factory=list)
    up: bool = False
    modes: int = 0
    txqueuelen: int | None = None


@stored(txqueuelen=None, promisc=None, allmulti=None)
@dataclass(slots=True)
class VfSettings(Stored):
    """What the conf asks of the VF, in VfState's words and units; None = leave it as it is."""

    mac: str | None = None
    vlan: int | None = None
    vlan_qos: int = 0
    vlan_proto: str = "802.1q"
    mtu: int | None = None
    spoofchk: bool | None = None
    trust: bool | None = None
    link_state: str | None = None
    min_tx_rate: int | None = None
    max_tx_rate: int | None = None
    txqueuelen: int | None = None
    promisc: bool | None = None
    allmulti: bool | None = None

    def asked(self) -> dict[str, Any]:
        """By name, without what is not asked; what goes with a VLAN only beside one that has it."""
        usual = {"vlan_qos": 0, "vlan_proto": "802.1q"}
        found = {name: getattr(self, name) for name in self.__slots__}
        return {
            name: value for name, value in found.items() if value is not None and value != usual.get(name)
        }

    def modes(self, now: int) -> int:
        """Link.modes as asked; what is not asked stays as it is `now`."""
        for bit, asked in ((PROMISC, self.promisc), (ALLMULTI, self.allmulti)):
            if asked is not None:
                now = now | bit if asked else now & ~bit
        return now


# Stored beside these, not in them: the version before, which may be put back while pods run, takes a VfState or
# VfSettings with a field that it does not know for damaged. This one keeps what it does not know, there as well.
_LATER = {"baseline": ("txqueuelen",), "settings": ("txqueuelen", "promisc", "allmulti")}


_OURS: Shape = {"dataDir": (str,), "scope": (str,)}


_FOREIGN: Shape = {"type": (str,), "conf": (dict,), "args": (str,), "path": (str,)}


@stored(vf_inode=0, adopted="", device_info="", netns_cookie=0, anew=False, origin="", plane=None, later={})
@dataclass(slots=True)
class Record(Stored):
    """What survives for DEL: one attachment, its VF, and all that the VF was before we touched it.

    `vf_inode` = which one of the VFs that were at that address since boot (Sysfs.inode), 0 if that is not known.
    `status`: "in-progress" (an ADD runs, or died: then the attachment's lock is free), "done", or "released" (DEL freed
    everything but the VF, which vf/card.NotYet keeps). `netns_identity` = st_dev and st_ino of the nsfs file, and
    `netns_cookie` (0 = not known): the path, and the inode too, may be another pod's by now. `pf` "" = it is not visible
    (vf/lone.py). `parent_dev` = the PCI address as the VF's own netdev told it, "" if its
    driver tells none. `settings` = what ADD set on the VF, for CHECK. `ipam` = how to give the addresses back: ours
    {"dataDir", "scope"}, a foreign plugin {"type", "conf", "args", "path"}, {} for layer 2. `adopted` = the directory of
    sriov-cni's files if that made the attachment, else "". `device_info` = the file that state/deviceinfo.py wrote, else "".
    `anew` = the VF's netdev is to be made anew before anybody else gets it (vf/stacked.make_anew). `origin` = when, why and
    for whom the VF was claimed (words/origin.py). `plane` = how a program in user space has it (words/plane.py), None for a
    netdev.
    """

    attachment: Attachment
    network: str
    pf: str
    vf: str
    vf_index: int
    netns: str
    netns_identity: list[int]
    boot_id: str
    status: Status = "in-progress"
    vf_inode: int = 0
    driver: str = ""
    parent_dev: str = ""
    baseline: VfState | None = None
    settings: VfSettings = field(default_factory=VfSettings)
    ipam: dict[str, Any] = field(default_factory=dict)
    leases: list[Lease] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    adopted: str = ""
    device_info: str = ""
    netns_cookie: int = 0
    anew: bool = False
    origin: str = ""
    plane: DataPlane | None = None

    @property
    def device(self) -> str:
        """What the attachment has, for people."""
        return f"VF {self.vf}" if self.vf else "VPP's tap"

    def expected(self) -> VfSettings:
        """What the PF should show of the VF now: what was asked, for the rest the baseline."""
        asked, base = self.settings, self.baseline or VfState()
        merged = {name: getattr(asked, name) for name in VfSettings.__slots__}
        for name in ("spoofchk", "trust", "link_state", "min_tx_rate", "max_tx_rate"):
            if merged[name] is None:
                merged[name] = getattr(base, name)
        if asked.vlan is None:
            merged |= {"vlan": base.vlan, "vlan_qos": base.vlan_qos, "vlan_proto": base.vlan_proto}
        return VfSettings(**merged)

    def to_json(self) -> dict[str, Any]:
        raw = stamped(Stored.to_json(self))
        raw["attachment"] = self.attachment.to_json()
        raw["baseline"] = self.baseline.to_json() if self.baseline is not None else None
        raw["settings"] = self.settings.to_json()
        raw["leases"] = [lease.to_json() for lease in self.leases]
        if self.plane is None:
            del raw["plane"]  # as every version has written it
        else:
            raw["plane"] = self.plane.to_json()
        raw["later"] = {
            part: {name: raw[part].pop(name) for name in (*_LATER[part], *noun.beyond)}
            for part, noun in (("baseline", self.baseline), ("settings", self.settings))
            if noun is not None
        }
        return raw

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        """ValueError, KeyError or TypeError if `raw` is no Record of a format we know."""
        if "format" not in raw:
            raise ValueError("it has no format")
        raw = cls.absent | opened(raw)
        fields = checked(raw, cls.shape)
        later = checked(raw, {"later": (dict,)})["later"]
        del raw["later"]
        _check_ipam(fields)
        path = fields["device_info"]
        if path and not (path.startswith("/") and path.isprintable()):
            raise ValueError(f"device_info is {words(path)}")
        fields["attachment"] = Attachment.from_json(raw["attachment"])
        if fields["baseline"] is not None:
            fields["baseline"] = VfState.from_json(fields["baseline"] | later.get("baseline", {}))
        fields["settings"] = VfSettings.from_json(fields["settings"] | later.get("settings", {}))
        fields["leases"] = [Lease.from_json(lease) for lease in fields["leases"]]
        if fields["plane"] is not None:
            fields["plane"] = DataPlane.from_json(fields["plane"])
        record = cls(**fields)
        record.keep(raw)
        return record


def _check_ipam(fields: dict[str, Any]) -> None:
    """Of layer 2 nothing is asked."""
    if "type" in fields["ipam"]:
        fields["ipam"] = {"path": ""} | fields["ipam"]
        checked(fields["ipam"], _FOREIGN)
    elif fields["ipam"]:
        checked(fields["ipam"], _OURS)
