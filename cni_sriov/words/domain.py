"""The nouns.

Three of them are kept apart on purpose: NetConf is what was asked (conf/netconf.py), VfState what was found, Record what is
stored. Imports no module of ours but errors, inet and jsontext.
"""

from __future__ import annotations

from dataclasses import dataclass, field, is_dataclass
from types import UnionType
from typing import Any, Literal, Self, get_origin, get_type_hints

from .errors import CniError
from .inet import Prefix
from .jsontext import words

PROMISC, ALLMULTI = 0x100, 0x200  # IFF_PROMISC, IFF_ALLMULTI: linux/if.h
Knob = Literal["vlan", "rate", "spoofchk", "trust", "link_state"]  # of a VF, by way of its PF
OwnKnob = Literal["mtu", "txqueuelen", "modes"]  # of the VF's own netdev

# An ADD runs, or died: then the attachment's lock is free. It is finished. DEL freed everything but the VF.
Status = Literal["in-progress", "done", "released"]


class Noun:
    """Equality and repr for a class that lists its fields in __slots__."""

    __slots__: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(
            getattr(self, n) == getattr(other, n) for n in self.__slots__
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={getattr(self, n)!r}' for n in self.__slots__)})"


class Stored:
    """A noun with a form in JSON: its fields in alphabetical order, as every version has written them."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _SHAPES[type(self)]}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        """ValueError or KeyError where a field has a wrong type or is missing. What it has beyond is left out."""
        return cls(**_checked(_ABSENT.get(cls, {}) | raw, _SHAPES[cls]))


@dataclass(slots=True, frozen=True)
class Attachment(Stored):
    """What the spec calls an attachment: one interface of one container. The unit of locking, recording and GC."""

    container_id: str
    ifname: str

    @property
    def filename(self) -> str:
        """Unambiguous and safe: a container ID never contains '@' or '/', an ifname no '/' (wire/cni.py checks)."""
        return f"{self.container_id}@{self.ifname}"

    def __str__(self) -> str:
        return f"{self.container_id}/{self.ifname}"


@dataclass(slots=True)
class Request:
    """One call of a runtime: the CNI environment and standard input, checked but not yet judged as configuration.

    `path` is CNI_PATH, `environment` all there is. `conf` is what we read: known keys in our spelling, without nulls (conf/keycase.py). `raw` is standard input as it came.
    `warnings`: what is wrong with its form and did not stop it. `fault`: why standard input is no JSON object; then
    `conf` is as good as empty, and only what is recorded can be acted on. `is_void`: a DEL of what no ADD of ours made.
    """

    verb: str = ""
    attachment: Attachment = Attachment("", "")  # GC and STATUS are about a network
    netns: str = ""
    args: dict[str, str] = field(default_factory=dict)
    path: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    conf: dict[str, Any] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)
    respelled: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    fault: CniError | None = None
    is_void: bool = False


@dataclass(slots=True)
class PF:
    """A physical function as found: `ifname` is "" while it has no netdev in the host netns. `pci_address` "" = the one
    of a VF in a virtual machine, which is not visible there (vf/lone.py).

    `vendor` and `device` are PCI IDs, 0 if unknown.
    """

    pci_address: str
    ifname: str
    ifindex: int
    driver: str
    numvfs: int
    totalvfs: int
    vendor: int = 0
    device: int = 0


@dataclass(slots=True)
class VF:
    """A virtual function as found: `ifname` is "" while its netdev is elsewhere, unnamed, or missing.

    `busy` says in words why it cannot be taken ("" = free by sysfs; claims are the ledger's to know).
    `lasting`: no waiting changes that, only the operator.
    """

    index: int
    pci_address: str
    driver: str
    ifname: str
    busy: str = ""
    lasting: bool = False


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

    def modes(self, now: int) -> int:
        """Link.modes as asked; what is not asked stays as it is `now`."""
        for bit, asked in ((PROMISC, self.promisc), (ALLMULTI, self.allmulti)):
            if asked is not None:
                now = now | bit if asked else now & ~bit
        return now


@dataclass(slots=True)
class Record(Stored):
    """What survives for DEL: one attachment, its VF, and all that the VF was before we touched it.

    `vf_inode` = which one of the VFs that were at that address since boot (Sysfs.inode), 0 if that is not known.
    `status`: "in-progress" (an ADD runs, or died: then the attachment's lock is free), "done", or "released" (DEL freed
    everything but the VF, which release.NotYet keeps). `netns_identity` = st_dev and st_ino of the nsfs file, and
    `netns_cookie` (0 = not known): the path, and the inode too, may be another pod's by now. `pf` "" = it is not visible
    (vf/lone.py). `parent_dev` = the PCI address as the VF's own netdev told it, "" if its
    driver tells none. `settings` = what ADD set on the VF, for CHECK. `ipam` = how to give the addresses back: ours
    {"dataDir", "scope"}, a foreign plugin {"type", "conf", "args", "path"}, {} for layer 2. `adopted` = the directory of
    sriov-cni's files if that made the attachment, else "". `device_info` = the file that state/deviceinfo.py wrote, else "".
    `anew` = the VF's netdev is to be made anew before anybody else gets it (release.make_anew).
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
        raw: dict[str, Any] = {"format": 1} | Stored.to_json(self)
        raw["attachment"] = self.attachment.to_json()
        raw["baseline"] = self.baseline.to_json() if self.baseline is not None else None
        raw["settings"] = self.settings.to_json()
        raw["leases"] = [lease.to_json() for lease in self.leases]
        raw["later"] = {
            part: {name: raw[part].pop(name) for name in names}
            for part, names in _LATER.items()
            if raw[part] is not None
        }
        return raw

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        """ValueError, KeyError or TypeError if `raw` is no Record of a format we know."""
        if raw.get("format") != 1:
            raise ValueError(f"format {words(raw.get('format'))} is not known")
        raw = _ABSENT[cls] | raw
        fields = _checked(raw, _SHAPES[cls])
        later = _checked(raw, {"later": (dict,)})["later"]
        _check_ipam(fields)
        path = fields["device_info"]
        if path and not (path.startswith("/") and path.isprintable()):
            raise ValueError(f"device_info is {words(path)}")
        _checked(raw["attachment"], _SHAPES[Attachment])
        fields["attachment"] = Attachment(**raw["attachment"])
        if fields["baseline"] is not None:
            fields["baseline"] = VfState.from_json(fields["baseline"] | later.get("baseline", {}))
        fields["settings"] = VfSettings.from_json(fields["settings"] | later.get("settings", {}))
        fields["leases"] = [Lease.from_json(lease) for lease in fields["leases"]]
        return cls(**fields)


@dataclass(slots=True)
class Link:
    """A netdev as RTM_GETLINK told it. `parent_dev` is the PCI address ("" before kernel 5.14 or for virtual ones).

    `master` is the ifindex of the bond or bridge above it, 0 if none. `kind` is IFLA_INFO_KIND ("veth", "").
    `lower` is the ifindex of what it is stacked on, 0 if none, in the netns whose ID is `lower_netns`, -1 = its own.
    `promiscuity` counts who wants it promiscuous: the flag in `modes`, packet sockets, what is stacked on it.
    """

    ifindex: int
    ifname: str
    flags: int = 0
    mac: str = ""
    mtu: int = 0
    min_mtu: int = 0
    max_mtu: int = 0
    altnames: list[str] = field(default_factory=list)
    parent_dev: str = ""
    master: int = 0
    kind: str = ""
    carrier: bool = False
    txqueuelen: int = 0
    promiscuity: int = 0
    lower: int = 0
    lower_netns: int = -1

    @property
    def is_up(self) -> bool:
        return bool(self.flags & 1)  # IFF_UP, linux/if.h

    @property
    def modes(self) -> int:
        """What a container may leave on: promiscuous and all multicast."""
        return self.flags & (PROMISC | ALLMULTI)

    @property
    def is_held(self) -> bool:
        """Somebody else wants it promiscuous: a packet socket, or what is stacked on it in whatever netns."""
        return self.promiscuity > bool(self.flags & PROMISC)


@dataclass(slots=True)
class Lease(Stored):
    """A subnet given to one interface: `subnet` "10.10.1.0/24", `address` "10.10.1.2/24", `gateway` "" if none.

    `pool` is the pool it was cut from (for the onlink route), `scope` the overlap domain. `sticky` is the key under
    which it is kept for the next attachment of the same pod, "" = forgotten at release.
    """

    scope: str
    subnet: str
    address: str
    gateway: str
    pool: str
    sticky: str = ""


@dataclass(slots=True)
class Route:
    """`gw` "" = on link. `src` is the preferred source, `scope` as in the spec (253 = link; None = by the next hop),
    `priority` the metric. 0 = the main `table`, and no `mtu` and `advmss` of its own.
    """

    dst: str
    gw: str = ""
    src: str = ""
    scope: int | None = None
    priority: int = 0
    table: int = 0
    mtu: int = 0
    advmss: int = 0


@dataclass(slots=True)
class IpamResult:
    """What an IPAM gives back: addresses, routes and DNS to put into the Result; `leases` if it is ours."""

    ips: list[IPConfig]
    routes: list[Route]
    dns: dict[str, Any]
    leases: list[Lease] = field(default_factory=list)


@dataclass(slots=True)
class HostUse:
    """Prefixes that the host itself uses (addresses, connected routes), each with the words that name it."""

    prefix: Prefix
    what: str


@dataclass(slots=True)
class Interface:
    """One entry of a Result's `interfaces`."""

    name: str
    mac: str
    mtu: int
    sandbox: str
    pci_id: str


@dataclass(slots=True)
class IPConfig:
    """One entry of a Result's `ips`; `interface` is an index into `interfaces`, None in an IPAM's abbreviated result."""

    address: str
    gateway: str
    interface: int | None


@dataclass(slots=True)
class Result:
    """What ADD answers; wire/cni.py renders it for each cniVersion."""

    interfaces: list[Interface]
    ips: list[IPConfig]
    routes: list[Route]
    dns: dict[str, Any]


# what is stored ------------------------------------------------------------------------------------------------------

Shape = dict[str, tuple[type, ...]]  # a field of the file: what it may be there


def _kinds(hint: Any) -> tuple[type, ...]:
    """In the file a noun is an object, and the words of a Literal are strings: it may be another version's word."""
    if isinstance(hint, UnionType):
        return tuple(kind for part in hint.__args__ for kind in _kinds(part))
    if get_origin(hint) is Literal:
        return (str,)
    return (dict if is_dataclass(hint) else get_origin(hint) or hint,)


_SHAPES: dict[type, Shape] = {
    noun: {name: _kinds(hint) for name, hint in sorted(get_type_hints(noun).items())}
    for noun in (Attachment, VfState, VfSettings, Lease, Record)
}
_ABSENT: dict[type, dict[str, Any]] = {  # earlier versions did not write them
    VfState: {"modes": 0, "txqueuelen": None},
    VfSettings: {"txqueuelen": None, "promisc": None, "allmulti": None},
    Record: {
        "vf_inode": 0,
        "adopted": "",
        "device_info": "",
        "netns_cookie": 0,
        "anew": False,
        "later": {},
    },
}
# Stored beside these, not in them: the version before, which may be put back while pods run, takes a VfState or
# VfSettings with a field that it does not know for damaged. This one leaves out what it does not know.
_LATER = {"baseline": ("txqueuelen",), "settings": ("txqueuelen", "promisc", "allmulti")}
_OURS: Shape = {"dataDir": (str,), "scope": (str,)}
_FOREIGN: Shape = {"type": (str,), "conf": (dict,), "args": (str,), "path": (str,)}


def _check_ipam(fields: dict[str, Any]) -> None:
    """Of layer 2 nothing is asked."""
    if "type" in fields["ipam"]:
        fields["ipam"] = {"path": ""} | fields["ipam"]
        _checked(fields["ipam"], _FOREIGN)
    elif fields["ipam"]:
        _checked(fields["ipam"], _OURS)


def _checked(raw: dict[str, Any], shape: Shape) -> dict[str, Any]:
    """ValueError: whoever wrote the file, no wrong type of it may get further. It ends in a log: a conf may hold a
    password, so of that the type alone.
    """
    for name, kinds in shape.items():
        value = raw[name]
        if not isinstance(value, kinds):
            told = type(value).__name__ if name in {"ipam", "conf", "args"} else words(value)
            raise ValueError(f"{name} is {told}")
    return {name: raw[name] for name in shape}
