"""What a Record's `ipam` stands for: `own` {"dataDir", "scope"}, `delegate` {"type", "conf", "args", "path"}, `none` {}."""

from __future__ import annotations

from typing import Any, Protocol

from ..conf import hostsubnet
from ..conf.hostsubnet import IpamConf
from ..conf.netconf import NetConf
from ..vf.host import Host
from ..words.domain import IpamResult
from ..words.record import Record
from . import delegate, none, own


class Ipam(Protocol):
    """One of the three modules."""

    def add(self, host: Host, record: Record, conf: NetConf, /) -> IpamResult | None:
        """What it gives when the interface is in the pod; None if that is nothing more."""

    def release(self, host: Host, record: Record, /) -> None:
        """Give back all that it gave; again and again is success."""

    def check(self, host: Host, record: Record, wrong: list[str], /) -> list[str]:
        """What differs from what ADD left, with what is `wrong` already; or an error of its own."""


def of(record: Record) -> Ipam:
    """The one place that reads it."""
    if not record.ipam:
        return none
    return delegate if "type" in record.ipam else own


def to_store(host: Host, conf: IpamConf | None) -> dict[str, Any]:
    """Record.ipam: how to give back what the IPAM of the call will give."""
    if conf is not None:
        return own.stored(conf.lease_dir)
    return delegate.remember(host) if host.request.conf.get("ipam") else {}


def follow(record: Record, section: dict[str, Any]) -> None:
    """Where the network went from another IPAM to host-subnet (`sriovctl import`), the lease is what counts."""
    if of(record) is delegate and hostsubnet.is_asked(section):
        record.ipam = own.stored(hostsubnet.parse_lease_dir(section))
