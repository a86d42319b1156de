"""What pyroute2 makes of a message: the oracle of the codec."""

from __future__ import annotations

from typing import Any

from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

MAC = "02:00:00:0a:0b:0c"

Fields = list[tuple[str, Any]]


def oracle(cls: Any, fields: dict[str, Any], attrs: Fields) -> bytes:
    """The body that pyroute2 makes of it, without the header."""
    msg = cls()
    for name, value in fields.items():
        msg[name] = value
    msg["attrs"] = attrs
    msg.encode()
    return bytes(msg.data)[16:]


def link_oracle(attrs: Fields, **fields: int) -> bytes:
    return oracle(ifinfmsg, {"index": 7, **fields}, attrs)
