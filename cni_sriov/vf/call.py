"""One call of a runtime, judged: what every verb's `run` is given."""

from __future__ import annotations

from dataclasses import dataclass

from ..conf.hostsubnet import IpamConf
from ..conf.netconf import NetConf
from ..words.domain import Request
from .host import Host


@dataclass(frozen=True, slots=True)
class Call:
    """`request` as it came, `conf` as it was understood, `host` to act upon. `ipam` where the IPAM is host-subnet, in
    process, and the verb needs to know more of it than where leases are: ADD and STATUS.
    """

    request: Request
    conf: NetConf
    host: Host
    ipam: IpamConf | None = None
