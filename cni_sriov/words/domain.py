"""The nouns. Plain classes with __slots__: NamedTuple and dataclass cost start-up (docs/speed.md).

Three of them are kept apart on purpose: NetConf is what was asked (conf/netconf.py), VfState what was found, Record what is
stored. Imports no module of ours but errors, inet and jsontext.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from .errors import CniError
from .inet import Prefix
from .jsontext import words

PROMISC, ALLMULTI = 0x100, 0x200  # IFF_PROMISC, IFF_ALLMULTI: linux/if.h
Knob = Literal["vlan", "rate", "spoofchk", "trust", "link_state"]  # of a VF, by way of its PF


class Noun:
    """Equality, repr and a JSON form for a class that lists its fields in __slots__, in the order of __init__."""

    __slots__: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {name: _plain(getattr(self, name)) for name in self.__slots__}

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(
            getattr(self, n) == getattr(other, n) for n in self.__slots__
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={getattr(self, n)!r}' for n in self.__slots__)})"


def _plain(value: Any) -> Any:
    if isinstance(value, Noun):
        return value.to_json()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


class Attachment(Noun):
    """What the spec calls an attachment: one interface of one container. The unit of locking, recording and GC."""

    __slots__ = ("container_id", "ifname")

    def __init__(self, container_id: str, ifname: str) -> None:
        self.container_id = container_id
        self.ifname = ifname

    def __hash__(self) -> int:
        return hash((self.container_id, self.ifname))

    @property
    def filename(self) -> str:
        """Unambiguous and safe: a container ID never contains '@' or '/', an ifname no '/' (wire/cni.py checks)."""
        return f"{self.container_id}@{self.ifname}"

    def __str__(self) -> str:
        return f"{self.container_id}/{self.ifname}"


class Request:
    """One call of a runtime: the CNI environment and standard input, checked but not yet judged as configuration.

    `conf` is what we read: known keys in our spelling, without nulls (conf/keycase.py). `raw` is standard input as it came.
    `warnings`: what is wrong with its form and did not stop it. `fault`: why standard input is no JSON object; then
    `conf` is as good as empty, and only what is recorded can be acted on. `is_void`: a DEL of what no ADD of ours made.
    """

    __slots__ = (
        "args",
        "attachment",
        "conf",
        "fault",
        "is_void",
        "netns",
        "path",
        "raw",
        "respelled",
        "verb",
        "warnings",
    )

    def __init__(
        self,
        verb: str,
        attachment: Attachment,
        netns: str,
        args: dict[str, str],
        path: list[str],
        conf: dict[str, Any],
    ) -> None:
        self.verb = verb
        self.attachment = attachment
        self.netns = netns
        self.args = args
        self.path = path
        self.conf = conf
        self.raw = conf
        self.respelled: list[tuple[str, str]] = []
        self.warnings: list[str] = []
        self.fault: CniError | None = None
        self.is_void = False


class PF(Noun):
    """A physical function as found: `ifname` is "" while it has no netdev in the host netns. `pci_address` "" = the one
    of a VF in a virtual machine, which is not visible there (vf/lone.py).

    `vendor` and `device` are PCI IDs, 0 if unknown.
    """

    __slots__ = ("device", "driver", "ifindex", "ifname", "numvfs", "pci_address", "totalvfs", "vendor")

    def __init__(
        self,
        pci_address: str,
        ifname: str,
        ifindex: int,
        driver: str,
        numvfs: int,
        totalvfs: int,
        vendor: int = 0,
        device: int = 0,
    ) -> None:
        self.pci_address = pci_address
        self.ifname = ifname
        self.ifindex = ifindex
        self.driver = driver
        self.numvfs = numvfs
        self.totalvfs = totalvfs
        self.vendor = vendor
        self.device = device


class VF(Noun):
    """A virtual function as found: `ifname` is "" while its netdev is elsewhere, unnamed, or missing.

    `busy` says in words why it cannot be taken ("" = free by sysfs; claims are the ledger's to know).
    `lasting`: no waiting changes that, only the operator.
    """

    __slots__ = ("busy", "driver", "ifname", "index", "lasting", "pci_address")

    def __init__(
        self,
        index: int,
        pci_address: str,
        driver: str,
        ifname: str,
        busy: str = "",
        lasting: bool = False,
    ) -> None:
        self.index = index
        self.pci_address = pci_address
        self.driver = driver
        self.ifname = ifname
        self.busy = busy
        self.lasting = lasting


class VfState(Noun):
    """A VF's state as the kernel told it: the PF's admin view and the VF's own netdev.

    None = the driver does not report it. `mac` is the admin MAC ("" = none set), `own_mac` the netdev's address.
    Rates in Mbit/s, 0 = unlimited. `link_state`: "auto", "enable", "disable". `vlan_proto`: "802.1q", "802.1ad".
    `modes` = Link.modes.
    """

    __slots__ = (
        "altnames",
        "ifname",
        "link_state",
        "mac",
        "max_tx_rate",
        "min_tx_rate",
        "modes",
        "mtu",
        "own_mac",
        "spoofchk",
        "trust",
        "txqueuelen",
        "up",
        "vlan",
        "vlan_proto",
        "vlan_qos",
    )

    def __init__(
        self,
        mac: str | None = None,
        vlan: int | None = None,
        vlan_qos: int = 0,
        vlan_proto: str = "802.1q",
        min_tx_rate: int | None = None,
        max_tx_rate: int | None = None,
        spoofchk: bool | None = None,
        trust: bool | None = None,
        link_state: str | None = None,
        ifname: str = "",
        own_mac: str = "",
        mtu: int = 0,
        altnames: list[str] | None = None,
        up: bool = False,
        modes: int = 0,
        txqueuelen: int | None = None,
    ) -> None:
        self.mac = mac
        self.vlan = vlan
        self.vlan_qos = vlan_qos
        self.vlan_proto = vlan_proto
        self.min_tx_rate = min_tx_rate
        self.max_tx_rate = max_tx_rate
        self.spoofchk = spoofchk
        self.trust = trust
        self.link_state = link_state
        self.ifname = ifname
        self.own_mac = own_mac
        self.mtu = mtu
        self.altnames = altnames or []
        self.up = up
        self.modes = modes
        self.txqueuelen = txqueuelen

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        raw = {"modes": 0, "txqueuelen": None} | raw  # earlier versions did not write them
        _check_types(raw, _STATE_TYPES)
        return cls(**{name: raw[name] for name in cls.__slots__})


class VfSettings(Noun):
    """What the conf asks of the VF, in VfState's words and units; None = leave it as it is."""

    __slots__ = (
        "allmulti",
        "link_state",
        "mac",
        "max_tx_rate",
        "min_tx_rate",
        "mtu",
        "promisc",
        "spoofchk",
        "trust",
        "txqueuelen",
        "vlan",
        "vlan_proto",
        "vlan_qos",
    )

    def __init__(
        self,
        mac: str | None = None,
        vlan: int | None = None,
        vlan_qos: int = 0,
        vlan_proto: str = "802.1q",
        mtu: int | None = None,
        spoofchk: bool | None = None,
        trust: bool | None = None,
        link_state: str | None = None,
        min_tx_rate: int | None = None,
        max_tx_rate: int | None = None,
        txqueuelen: int | None = None,
        promisc: bool | None = None,
        allmulti: bool | None = None,
    ) -> None:
        self.mac = mac
        self.vlan = vlan
        self.vlan_qos = vlan_qos
        self.vlan_proto = vlan_proto
        self.mtu = mtu
        self.txqueuelen = txqueuelen
        self.promisc = promisc
        self.allmulti = allmulti
        self.spoofchk = spoofchk
        self.trust = trust
        self.link_state = link_state
        self.min_tx_rate = min_tx_rate
        self.max_tx_rate = max_tx_rate

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        raw = {
            "txqueuelen": None,
            "promisc": None,
            "allmulti": None,
        } | raw  # earlier versions did not write them
        _check_types(raw, _SETTINGS_TYPES)
        return cls(**{name: raw[name] for name in cls.__slots__})

    def modes(self, now: int) -> int:
        """Link.modes as asked; what is not asked stays as it is `now`."""
        for bit, asked in ((PROMISC, self.promisc), (ALLMULTI, self.allmulti)):
            if asked is not None:
                now = now | bit if asked else now & ~bit
        return now


class Record(Noun):
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

    __slots__ = (
        "addresses",
        "adopted",
        "anew",
        "attachment",
        "baseline",
        "boot_id",
        "device_info",
        "driver",
        "ipam",
        "leases",
        "netns",
        "netns_cookie",
        "netns_identity",
        "network",
        "parent_dev",
        "pf",
        "settings",
        "status",
        "vf",
        "vf_index",
        "vf_inode",
    )

    def __init__(
        self,
        attachment: Attachment,
        network: str,
        pf: str,
        vf: str,
        vf_index: int,
        netns: str,
        netns_identity: list[int],
        boot_id: str,
        status: str = "in-progress",
        vf_inode: int = 0,
        driver: str = "",
        parent_dev: str = "",
        baseline: VfState | None = None,
        settings: VfSettings | None = None,
        ipam: dict[str, Any] | None = None,
        leases: list[Lease] | None = None,
        addresses: list[str] | None = None,
        adopted: str = "",
        device_info: str = "",
        netns_cookie: int = 0,
        anew: bool = False,
    ) -> None:
        self.attachment = attachment
        self.anew = anew
        self.adopted = adopted
        self.addresses = addresses or []
        self.network = network
        self.pf = pf
        self.vf = vf
        self.vf_index = vf_index
        self.vf_inode = vf_inode
        self.netns = netns
        self.netns_identity = netns_identity
        self.netns_cookie = netns_cookie
        self.boot_id = boot_id
        self.status = status
        self.device_info = device_info
        self.driver = driver
        self.parent_dev = parent_dev
        self.baseline = baseline
        self.settings = settings or VfSettings()
        self.ipam = ipam or {}
        self.leases = leases or []

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
        raw: dict[str, Any] = {"format": 1} | super().to_json()
        raw["later"] = {
            part: {name: raw[part].pop(name) for name in names if name in raw[part]}
            for part, names in _LATER.items()
            if raw[part] is not None
        }
        return raw

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        """ValueError, KeyError or TypeError if `raw` is no Record of a format we know."""
        if raw.get("format") != 1:
            raise ValueError(f"format {words(raw.get('format'))} is not known")
        absent: dict[str, Any] = {
            "vf_inode": 0,
            "adopted": "",
            "device_info": "",
            "netns_cookie": 0,
            "anew": False,
            "later": {},
        }  # earlier versions did not write them
        raw = absent | raw
        _check_types(raw, _RECORD_TYPES)
        if "type" in raw["ipam"]:
            raw["ipam"] = {"path": ""} | raw["ipam"]
        if raw["ipam"]:
            _check_types(raw["ipam"], _FOREIGN_TYPES if "type" in raw["ipam"] else _OURS_TYPES)
        path = raw["device_info"]
        if path and not (path.startswith("/") and path.isprintable()):
            raise ValueError(f"device_info is {words(path)}")
        fields = {name: raw[name] for name in cls.__slots__}
        _check_types(raw["attachment"], {"container_id": (str,), "ifname": (str,)})
        fields["attachment"] = Attachment(**raw["attachment"])
        base, later = raw["baseline"], raw["later"]
        fields["baseline"] = VfState.from_json(base | later.get("baseline", {})) if base is not None else None
        fields["settings"] = VfSettings.from_json(raw["settings"] | later.get("settings", {}))
        fields["leases"] = [Lease.from_json(lease) for lease in raw["leases"]]
        return cls(**fields)


# Stored beside these, not in them: the version before, which may be put back while pods run, takes a VfState or
# VfSettings with a field that it does not know for damaged. This one leaves out what it does not know.
_LATER = {"baseline": ("txqueuelen",), "settings": ("txqueuelen", "promisc", "allmulti")}
_OURS_TYPES: dict[str, tuple[type, ...]] = {"dataDir": (str,), "scope": (str,)}
_FOREIGN_TYPES: dict[str, tuple[type, ...]] = {
    "type": (str,),
    "conf": (dict,),
    "args": (str,),
    "path": (str,),
}
_KNOB_TYPES: dict[str, tuple[type, ...]] = {  # of VfState and VfSettings as they are stored
    **dict.fromkeys(("mac", "link_state"), (str, type(None))),
    **dict.fromkeys(("vlan", "min_tx_rate", "max_tx_rate"), (int, type(None))),
    **dict.fromkeys(("spoofchk", "trust"), (bool, type(None))),
    "vlan_qos": (int,),
    "vlan_proto": (str,),
}
_STATE_TYPES: dict[str, tuple[type, ...]] = _KNOB_TYPES | {
    "ifname": (str,),
    "own_mac": (str,),
    "mtu": (int,),
    "altnames": (list,),
    "up": (bool,),
    "modes": (int,),
    "txqueuelen": (int, type(None)),
}
_SETTINGS_TYPES: dict[str, tuple[type, ...]] = _KNOB_TYPES | {
    **dict.fromkeys(("mtu", "txqueuelen"), (int, type(None))),
    **dict.fromkeys(("promisc", "allmulti"), (bool, type(None))),
}
_RECORD_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(
        (
            *("network", "pf", "vf", "netns", "boot_id", "status", "driver", "parent_dev", "adopted"),
            "device_info",
        ),
        (str,),
    ),
    "anew": (bool,),
    "later": (dict,),
    "vf_index": (int,),
    "vf_inode": (int,),
    "netns_cookie": (int,),
    "netns_identity": (list,),
    "ipam": (dict,),
    "leases": (list,),
    "addresses": (list,),
}


def _check_types(raw: dict[str, Any], types: dict[str, tuple[type, ...]]) -> None:
    """ValueError: whoever wrote the file, no wrong type of it may get further. It ends in a log: a conf may hold a
    password, so of that the type alone.
    """
    for key, kinds in types.items():
        value = raw[key]
        if not isinstance(value, kinds):
            told = type(value).__name__ if key in {"ipam", "conf", "args"} else words(value)
            raise ValueError(f"{key} is {told}")


class Link(Noun):
    """A netdev as RTM_GETLINK told it. `parent_dev` is the PCI address ("" before kernel 5.14 or for virtual ones).

    `master` is the ifindex of the bond or bridge above it, 0 if none. `kind` is IFLA_INFO_KIND ("veth", "").
    `lower` is the ifindex of what it is stacked on, 0 if none, in the netns whose ID is `lower_netns`, -1 = its own.
    `promiscuity` counts who wants it promiscuous: the flag in `modes`, packet sockets, what is stacked on it.
    """

    __slots__ = (
        "altnames",
        "carrier",
        "flags",
        "ifindex",
        "ifname",
        "kind",
        "lower",
        "lower_netns",
        "mac",
        "master",
        "max_mtu",
        "min_mtu",
        "mtu",
        "parent_dev",
        "promiscuity",
        "txqueuelen",
    )

    def __init__(
        self,
        ifindex: int,
        ifname: str,
        flags: int = 0,
        mac: str = "",
        mtu: int = 0,
        min_mtu: int = 0,
        max_mtu: int = 0,
        altnames: list[str] | None = None,
        parent_dev: str = "",
        master: int = 0,
        kind: str = "",
        carrier: bool = False,
        txqueuelen: int = 0,
        promiscuity: int = 0,
        lower: int = 0,
        lower_netns: int = -1,
    ) -> None:
        self.ifindex = ifindex
        self.ifname = ifname
        self.flags = flags
        self.mac = mac
        self.mtu = mtu
        self.min_mtu = min_mtu
        self.max_mtu = max_mtu
        self.altnames = altnames or []
        self.parent_dev = parent_dev
        self.master = master
        self.kind = kind
        self.carrier = carrier
        self.txqueuelen = txqueuelen
        self.promiscuity = promiscuity
        self.lower = lower
        self.lower_netns = lower_netns

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


class Lease(Noun):
    """A subnet given to one interface: `subnet` "10.10.1.0/24", `address` "10.10.1.2/24", `gateway` "" if none.

    `pool` is the pool it was cut from (for the onlink route), `scope` the overlap domain. `sticky` is the key under
    which it is kept for the next attachment of the same pod, "" = forgotten at release.
    """

    __slots__ = ("address", "gateway", "pool", "scope", "sticky", "subnet")

    def __init__(
        self, scope: str, subnet: str, address: str, gateway: str, pool: str, sticky: str = ""
    ) -> None:
        self.scope = scope
        self.subnet = subnet
        self.address = address
        self.gateway = gateway
        self.pool = pool
        self.sticky = sticky

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        _check_types(raw, dict.fromkeys(cls.__slots__, (str,)))
        return cls(**{name: raw[name] for name in cls.__slots__})


class Route(Noun):
    """`gw` "" = on link. `src` is the preferred source, `scope` as in the spec (253 = link; None = by the next hop),
    `priority` the metric. 0 = the main `table`, and no `mtu` and `advmss` of its own.
    """

    __slots__ = ("advmss", "dst", "gw", "mtu", "priority", "scope", "src", "table")

    def __init__(
        self,
        dst: str,
        gw: str = "",
        src: str = "",
        scope: int | None = None,
        priority: int = 0,
        table: int = 0,
        mtu: int = 0,
        advmss: int = 0,
    ) -> None:
        self.dst = dst
        self.gw = gw
        self.src = src
        self.scope = scope
        self.priority = priority
        self.table = table
        self.mtu = mtu
        self.advmss = advmss

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        return cls(**raw)


class IpamResult:
    """What an IPAM gives back: addresses, routes and DNS to put into the Result; `leases` if it is ours."""

    __slots__ = ("dns", "ips", "leases", "routes")

    def __init__(
        self, ips: list[IPConfig], routes: list[Route], dns: dict[str, Any], leases: list[Lease] | None = None
    ) -> None:
        self.ips = ips
        self.routes = routes
        self.dns = dns
        self.leases = leases or []


class HostUse:
    """Prefixes that the host itself uses (addresses, connected routes), each with the words that name it."""

    __slots__ = ("prefix", "what")

    def __init__(self, prefix: Prefix, what: str) -> None:
        self.prefix = prefix
        self.what = what


class Interface(Noun):
    """One entry of a Result's `interfaces`."""

    __slots__ = ("mac", "mtu", "name", "pci_id", "sandbox")

    def __init__(self, name: str, mac: str, mtu: int, sandbox: str, pci_id: str) -> None:
        self.name = name
        self.mac = mac
        self.mtu = mtu
        self.sandbox = sandbox
        self.pci_id = pci_id


class IPConfig(Noun):
    """One entry of a Result's `ips`; `interface` is an index into `interfaces`, None in an IPAM's abbreviated result."""

    __slots__ = ("address", "gateway", "interface")

    def __init__(self, address: str, gateway: str, interface: int | None) -> None:
        self.address = address
        self.gateway = gateway
        self.interface = interface


class Result:
    """What ADD answers; wire/cni.py renders it for each cniVersion."""

    __slots__ = ("dns", "interfaces", "ips", "routes")

    def __init__(
        self, interfaces: list[Interface], ips: list[IPConfig], routes: list[Route], dns: dict[str, Any]
    ) -> None:
        self.interfaces = interfaces
        self.ips = ips
        self.routes = routes
        self.dns = dns
