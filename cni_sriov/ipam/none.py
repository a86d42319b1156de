"""Layer 2 only: no addresses, so nothing to give back and nothing to check."""

from __future__ import annotations

from ..conf.netconf import NetConf
from ..vf.host import Host
from ..words.domain import IpamResult
from ..words.record import Record


def add(host: Host, record: Record, conf: NetConf) -> IpamResult | None:
    """None: nothing."""


def release(host: Host, record: Record) -> None:
    """Nothing."""


def check(_host: Host, _record: Record, wrong: list[str]) -> list[str]:
    return wrong
