"""90 calls of podman 5.4.2 and netavark 1.14.0, as they were recorded in a guest, made at our door in their order.

tests/recordings/netavark-calls.jsonl has the podman command, verb, netns, standard input, and what the plugin that recorded
them answered. That one was another plugin: so what is passed on is what our own `create` answered, as podman keeps it, and a
MAC that podman repeats at a reload is the one that we gave. What is expected is what the recorded call says.
"""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Network, ip_interface
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.words.origin import Origin
from tests import podman
from tests.podman import Told, call
from tests.unit.doors.test_netavark import link_names, record_of
from tests.world import World

Json = dict[str, Any]
RECORDED = Path(__file__).parents[2] / "recordings/netavark-calls.jsonl"
CALLS: list[Json] = [json.loads(line) for line in RECORDED.read_text().splitlines()]
# podman refuses these words to no plugin; a VF cannot be what they ask for
REFUSED = {"n4": "ipam_options.driver", "n5": "ipam_options.driver", "n13": "internal"}


@pytest.fixture
def node(world: World) -> World:
    """Two ports, since a network names the other one; each netns is there when its call comes, and no longer."""
    world.kernel.add_pf("enp1s0f1", "0000:01:00.1", numvfs=7)
    return world


class Podman:
    """What podman remembers between calls: its networks by ID, and each interface's status."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.networks: dict[str, Json] = {}
        self.gave: dict[tuple[str, str], Json] = {}

    def create(self, recorded: Json) -> Told:
        asked = recorded["stdin"] | {"driver": "sriov"}
        given = podman.options(self.world)
        for key, beside in (
            ("master", "network_interface" not in asked),
            ("ipam.dataDir", "subnets" in asked),
        ):
            if not beside:
                del given[key]
        # podman's own IPAM, which counted single addresses, was in charge when n1 was recorded
        given |= {"prefixLength": "32"} if "lease_range" in str(asked) else {}
        told = call(self.world, "create", asked | {"options": given | asked.get("options", {})})
        if told.exit_code == 0:
            self.networks[asked["id"]] = told.document
        return told

    def exec(self, recorded: Json) -> Told:
        asked = recorded["stdin"]
        network = podman.kept_network(self.networks[asked["network"]["id"]])
        # what `podman network update` may change, of which the plugin hears nothing
        network |= {"network_dns_servers": asked["network"]["network_dns_servers"]}
        options = asked["network_options"] | {"static_mac": self.mac_of(recorded)}
        told = call(
            self.world,
            recorded["verb"],
            asked | {"network": network, "network_options": options},
            recorded["netns"],
        )
        if recorded["verb"] == "setup" and told.exit_code == 0:
            self.gave[key_of(recorded)] = told.document
        return told

    def mac_of(self, recorded: Json) -> str | None:
        """At a reload podman asks for what it was told before."""
        asked: str | None = recorded["stdin"]["network_options"]["static_mac"]
        before = [one for one in CALLS[: CALLS.index(recorded)] if key_of(one) == key_of(recorded)]
        answered = [interfaces_of(one)["mac_address"] for one in before if one["verb"] == "setup"]
        if asked and asked in answered:
            name = recorded["stdin"]["network_options"]["interface_name"]
            return str(self.gave[key_of(recorded)]["interfaces"][name]["mac_address"])
        return asked


def key_of(recorded: Json) -> tuple[str, str]:
    asked = recorded["stdin"]
    return asked.get("container_id", ""), asked.get("network_options", {}).get("interface_name", "")


def interfaces_of(recorded: Json) -> Json:
    stdout = recorded["stdout"]
    found: list[Json] = (
        list(stdout["interfaces"].values()) if isinstance(stdout, dict) and "interfaces" in stdout else []
    )
    return found[0] if found else {"mac_address": ""}


def refusal(recorded: Json, network: Json) -> str:
    """What our answer must be about, by what podman asked for; "" = it must go well."""
    addresses = recorded["stdin"]["network_options"]["static_ips"] or []
    subnets = network.get("subnets") or []
    for address in map(IPv4Address, addresses):
        if not subnets:
            return "has no pool"
        if not any(address in IPv4Network(subnet["subnet"]) for subnet in subnets):
            return "is outside every pool"
        for lease in filter(None, (subnet.get("lease_range") for subnet in subnets)):
            if not IPv4Address(lease["start_ip"]) <= address <= IPv4Address(lease["end_ip"]):
                return "is excluded"
    return ""


def test_every_recorded_call_is_answered_as_podman_means_it(node: World) -> None:
    before = node.settled()
    told = Podman(node)
    tried = {"create": 0, "setup": 0, "teardown": 0}
    for recorded in CALLS:
        tried[recorded["verb"]] += 1
        if recorded["verb"] == "create":
            check_create(told, recorded)
        else:
            if recorded["netns"] not in node.kernel.pods:
                node.kernel.add_pod(recorded["netns"])
            check_exec(told, recorded)
            if recorded["verb"] == "setup" and recorded["rc"] != 0:
                # the recorder was told to fail: podman takes the netns away, and calls no more
                node.kernel.kill_netns(recorded["netns"])
    assert tried == {"create": 20, "setup": 40, "teardown": 30}
    give_back_the_rest(told)
    assert node.settled() == before


def give_back_the_rest(told: Podman) -> None:
    """What podman left behind, which was killed and had its power cut, and what a dead netns brought home."""
    world = told.world
    for recorded in CALLS:
        if recorded["verb"] == "setup":
            network = {"name": "any", "options": podman.options(world)}
            assert call(world, "teardown", recorded["stdin"] | {"network": network}).exit_code == 0
    for path in [path for path in world.kernel.pods if path != "/run/netns/pod1"]:
        world.kernel.kill_netns(path)


def check_create(told: Podman, recorded: Json) -> None:
    asked, answered = recorded["stdin"], told.create(recorded)
    if asked["name"] in REFUSED:
        assert (answered.exit_code, answered.document.keys()) == (1, {"error"}), recorded["call"]
        assert REFUSED[asked["name"]] in answered.error, recorded["call"]
        return
    assert answered.exit_code == 0, f"{recorded['call']}: {answered.error}"
    kept = answered.document
    for key in asked.keys() - {"driver", "options", "dns_enabled"}:
        assert kept[key] == asked[key], f"{recorded['call']}: {key}"
    assert kept["options"].items() >= asked.get("options", {}).items()
    assert kept["ipam_options"] == {"driver": "none"}


def check_exec(told: Podman, recorded: Json) -> None:
    name, asked = recorded["call"], recorded["stdin"]
    options = asked["network_options"]
    answered = told.exec(recorded)
    if recorded["verb"] == "teardown":
        assert (answered.exit_code, answered.document) == (0, None), name
        assert options["interface_name"] not in link_names(told.world, recorded["netns"]), name
        return
    wrong = refusal(recorded, told.networks[asked["network"]["id"]])
    if wrong:
        assert answered.exit_code == 1, name
        assert wrong in answered.error, name
        return
    found = answered.interface(options["interface_name"])
    assert list(answered.document["interfaces"]) == [options["interface_name"]], name
    assert options["interface_name"] in link_names(told.world, recorded["netns"]), name
    for address in options["static_ips"] or []:
        assert address in [str(ip_interface(one["ipnet"]).ip) for one in found["subnets"]], name
    if options["static_mac"]:
        assert found["mac_address"] == told.mac_of(recorded), name
    assert answered.document.get("dns_server_ips", []) == (asked["network"]["network_dns_servers"] or []), (
        name
    )
    record = record_by(told.world, asked)
    assert record is not None, name
    assert (Origin.of(record.origin).name, record.netns) == (asked["container_name"], recorded["netns"]), name


def record_by(world: World, asked: Json) -> Any:
    name = asked["network_options"]["interface_name"]
    return record_of(world, ifname=name, container_id=asked["container_id"])
