"""The nouns of a call and of the kernel. What is stored is in record.py and lease.py.

Three are kept apart on purpose: NetConf is what was asked (conf/netconf.py), VfState what was found, Record what is stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from .errors import CniError
from .inet import Prefix
from .lease import Lease
from .plane import DataPlane
from .stored import Stored, stored

PROMISC, ALLMULTI = 0x100, 0x200  # IFF_PROMISC, IFF_ALLMULTI: linux/if.h
Knob = Literal["vlan", "rate", "spoofchk", "trust", "link_state"]  # of a VF, by way of its PF
OwnKnob = Literal["mtu", "txqueuelen", "modes"]  # of the VF's own netdev


@stored()
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
    `lasting`: no waiting changes that, only the operator. `refused`: why it can have no driver for user space, the error
    that an ADD ends with where that is so of all. `plane`: how a program in user space gets it, None for a netdev.
    """

    index: int
    pci_address: str
    driver: str
    ifname: str
    busy: str = ""
    lasting: bool = False
    refused: CniError | None = None
    plane: DataPlane | None = None


@dataclass(slots=True)
class Link:
    """A netdev as RTM_GETLINK told it. `parent_dev` is the PCI address, "" for virtual ones.

    `master` is the ifindex of the bond or bridge above it, 0 if none. `kind` is IFLA_INFO_KIND ("veth", "").
    `lower` is the ifindex of what it is stacked on, 0 if none, in the netns whose ID is `lower_netns`, -1 = its own.
    `promiscuity` counts who wants it promiscuous: the flag in `modes`, packet sockets, what is stacked on it.
    `attrs` is all that the kernel told, by attribute type: what nobody has given a name yet is in there
    (kernel/traits.py).
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
    attrs: dict[int, bytes] = field(default_factory=dict, repr=False, compare=False)

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
    """Prefixes that the host itself uses (addresses, connected routes), each with the words that name it. `is_firm`: no pool
    and no allowHostOverlap sees past it.
    """

    prefix: Prefix
    what: str
    is_firm: bool = False


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
    """What ADD answers; wire/results.py renders it for each cniVersion."""

    interfaces: list[Interface]
    ips: list[IPConfig]
    routes: list[Route]
    dns: dict[str, Any]
