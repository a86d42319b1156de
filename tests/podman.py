"""What podman 5 and its netavark put on a plugin's standard input, as in tests/recordings/netavark-calls.jsonl.

Beside those calls themselves, which tests/unit/doors/test_netavark_recorded.py replays: here a test says what differs.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any


def asked_network(name: str = "fast", options: dict[str, str] | None = None, **keys: Any) -> dict[str, Any]:
    """What `podman network create --driver sriov` asks of a plugin: what was not said is not there."""
    network: dict[str, Any] = {
        "name": name,
        "id": hashlib.sha256(name.encode()).hexdigest(),
        "driver": "sriov",
        "created": "0001-01-01T00:00:00Z",
        "ipv6_enabled": False,
        "internal": False,
        "dns_enabled": True,
    }
    return network | ({"options": options} if options else {}) | keys


def kept_network(answered: dict[str, Any]) -> dict[str, Any]:
    """The plugin's answer as podman keeps it and netavark passes it on: all that is not there is null, and each subnet has
    a gateway by then (calls 002 and 033).
    """
    network: dict[str, Any] = dict.fromkeys(
        ("network_interface", "options", "ipam_options", "subnets", "routes", "network_dns_servers")
    )
    network |= {key: value for key, value in answered.items() if key not in {"created", "labels"}}
    for subnet in network["subnets"] or []:
        first = subnet["subnet"].partition("/")[0]
        subnet.setdefault("gateway", first + "1" if ":" in first else first.rpartition(".")[0] + ".1")
        subnet.setdefault("lease_range", None)
    return network


def exec_call(
    network: dict[str, Any], container: str = "c1", ifname: str = "eth0", **options: Any
) -> dict[str, Any]:
    """What netavark tells of one network of one container; `options`: its network_options."""
    asked = {"aliases": [container[:12]], "interface_name": ifname}
    asked |= {"static_ips": None, "static_mac": None, "options": None} | options
    return {
        "container_id": hashlib.sha256(container.encode()).hexdigest(),
        "container_name": container,
        "port_mappings": None,
        "network": network,
        "network_options": asked,
    }


def container_id(container: str = "c1") -> str:
    return str(exec_call({}, container)["container_id"])


def text(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)
