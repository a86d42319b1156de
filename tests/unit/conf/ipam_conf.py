"""A good `ipam` object of type host-subnet with two pools, and what is made of it."""

from ipaddress import ip_address
from typing import Any

from cni_sriov.conf import hostsubnet
from cni_sriov.conf.requests import Requests

POOL: dict[str, Any] = {"subnet": "10.10.0.0/16", "prefixLength": 24}

POOL6: dict[str, Any] = {"subnet": ["fd00:10::/48"], "prefixLength": 64}


def parse(ipam: dict[str, Any] | None = None, **sources: Any) -> hostsubnet.IpamConf:
    conf = {"type": "host-subnet", "pools": [POOL, POOL6]} | (ipam or {})
    return hostsubnet.parse(conf, Requests(**sources))


def with_pool(**keys: Any) -> dict[str, Any]:
    return {"pools": [{key: value for key, value in (POOL | keys).items() if value is not None}]}


def wanted(conf: hostsubnet.IpamConf) -> list[str]:
    """What each pool will give: the address as the interface has it, "" where nothing is asked."""
    return [
        "" if asked is None or asked.address is None else f"{ip_address(asked.address)}/{asked.subnet.length}"
        for asked in conf.wanted
    ]
