"""What podman 5 and its netavark put on a plugin's standard input, as in tests/recordings/netavark-calls.jsonl.

Beside those calls themselves, which tests/unit/doors/test_netavark_recorded.py replays: here a test says what differs.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from cni_sriov.doors import netavark
from tests.world import World


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


class Told:
    """One call's answer: exit code, the one document on standard output (None if there was none), what was said beside it."""

    def __init__(self, exit_code: int, stdout: str, stderr: str = "") -> None:
        self.exit_code = exit_code
        self.document: Any = json.loads(stdout) if stdout else None
        self.stderr = stderr

    @property
    def error(self) -> str:
        """The sentence that podman shows, "" for success."""
        return str(self.document["error"]) if self.exit_code else ""

    @property
    def code(self) -> int:
        """As docs/errors.md numbers them, 0 for success."""
        found = re.search(r"\[cni-sriov, code (\d+)\]$", self.error)
        return int(found[1]) if found else 0

    def interface(self, name: str = "eth0") -> dict[str, Any]:
        assert self.exit_code == 0, self.error
        found: dict[str, Any] = self.document["interfaces"][name]
        return found

    def addresses(self, name: str = "eth0") -> list[str]:
        return [entry["ipnet"] for entry in self.interface(name)["subnets"]]


def call(world: World, verb: str, document: Any, netns: str = "/run/netns/pod1") -> Told:
    """Through the door, on the fake node; `document` may be text."""
    said: dict[int, str] = {1: "", 2: ""}

    def write(fd: int, text: str) -> None:
        said[fd] += text

    arguments = [verb, *([netns] if verb in {"setup", "teardown"} else [])]
    stdin = document if isinstance(document, str) else json.dumps(document)
    exit_code = netavark.main(arguments, {}, lambda: stdin, write, world._host)  # noqa: SLF001
    return Told(exit_code, said[1], said[2])


def options(world: World, **more: str) -> dict[str, str]:
    """Of a network on the fake node's first PF, within the world's directories; "" leaves one out. `__` is a dot."""
    given = {
        "master": "enp1s0f0",
        "stateDir": str(world.state_dir),
        "deviceInfoDirs": str(world.devinfo_dir),
        "logFile": str(world.log_file),
        "logLevel": "debug",
        "verifyTimeout": "50",
        "ipam.dataDir": str(world.data_dir),
    }
    given |= {name.replace("__", "."): text for name, text in more.items()}
    return {name: text for name, text in given.items() if text}


def create(world: World, name: str = "fast", *pools: str, **more: str) -> dict[str, Any]:
    """`podman network create --driver sriov --subnet POOL -o ...`, as podman keeps it then."""
    subnets = [{"subnet": pool} for pool in pools or ["10.10.0.0/16"]]
    asked = asked_network(name, options(world, **more), subnets=subnets)
    told = call(world, "create", asked)
    assert told.exit_code == 0, told.error
    return kept_network(told.document)
