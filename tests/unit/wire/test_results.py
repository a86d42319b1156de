"""What a call answers, against the words of the CNI spec."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cni_sriov.wire import results
from cni_sriov.words.domain import Interface, IPConfig, Result, Route
from cni_sriov.words.errors import CniError
from tests.world import World

RESULT = Result(
    [Interface("net1", "02:00:00:00:00:01", 1500, "/run/netns/a", "0000:01:10.0")],
    [IPConfig("10.10.0.2/24", "10.10.0.1", 0), IPConfig("fd00::1/64", "", 0)],
    [Route("10.0.0.0/8", gw="10.10.0.1"), Route("10.10.0.0/16", src="10.10.0.2", scope=253)],
    {"nameservers": ["10.1.1.1"]},
)


def test_a_1_0_0_result_is_the_specs() -> None:
    assert json.loads(results.render_result(RESULT, "1.0.0")) == {
        "cniVersion": "1.0.0",
        "interfaces": [{"name": "net1", "mac": "02:00:00:00:00:01", "sandbox": "/run/netns/a"}],
        "ips": [
            {"address": "10.10.0.2/24", "gateway": "10.10.0.1", "interface": 0},
            {"address": "fd00::1/64", "interface": 0},
        ],
        "routes": [{"dst": "10.0.0.0/8", "gw": "10.10.0.1"}, {"dst": "10.10.0.0/16"}],
        "dns": {"nameservers": ["10.1.1.1"]},
    }


@pytest.mark.parametrize("version", ["0.3.1", "0.4.0"])
def test_an_older_result_tells_the_ip_version(version: str) -> None:
    ips = json.loads(results.render_result(RESULT, version))["ips"]
    assert [ip["version"] for ip in ips] == ["4", "6"]


def test_a_1_1_0_result_has_mtu_and_pci_id() -> None:
    document = json.loads(results.render_result(RESULT, "1.1.0"))
    assert document["interfaces"][0]["mtu"] == 1500
    assert document["interfaces"][0]["pciID"] == "0000:01:10.0"
    assert document["routes"][1] == {"dst": "10.10.0.0/16", "scope": 253}


def test_an_error_is_one_document_with_code_and_remedy() -> None:
    error = CniError("set VLAN 5000: must be 0-4094", details="choose another", code=7)
    assert json.loads(results.render_error(error, "0.4.0")) == {
        "cniVersion": "0.4.0",
        "code": 7,
        "msg": "set VLAN 5000: must be 0-4094",
        "details": "choose another",
    }


def ipam_result(world: World, version: str | None) -> dict[str, Any]:
    pools = [{"subnet": "10.10.0.0/16", "prefixLength": 24}, {"subnet": "fd00:10::/48", "prefixLength": 64}]
    conf = world.conf(cniVersion=version, ipam=world.ipam(pools=pools, routes=[{"dst": "10.99.0.0/16"}]))
    reply = world.call("ADD", conf)
    assert reply.code == 0, reply.text
    assert world.call("DEL", conf).code == 0
    return reply.document


@pytest.mark.parametrize("version", [None, "0.1.0", "0.2.0"])
def test_old_versions_have_ip4_and_ip6(world: World, version: str | None) -> None:
    assert ipam_result(world, version) == {
        "cniVersion": version or "0.1.0",
        "ip4": {
            "ip": "10.10.0.2/24",
            "gateway": "10.10.0.1",
            "routes": [{"dst": "10.99.0.0/16", "gw": "10.10.0.1"}],
        },
        "ip6": {"ip": "fd00:10::2/64", "gateway": "fd00:10::1", "routes": []},
        "dns": {},
    }


@pytest.mark.parametrize("version", ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
def test_new_versions_list_interfaces_and_ips(world: World, version: str) -> None:
    document = ipam_result(world, version)
    assert [ip.get("version") for ip in document["ips"]] == (["4", "6"] if version < "1" else [None, None])
    assert ("pciID" in document["interfaces"][0]) == (version == "1.1.0")
    assert document["interfaces"][0].get("mtu") == (1500 if version == "1.1.0" else None)


def test_what_an_old_result_cannot_carry_is_refused_before_anything_changes(world: World) -> None:
    before = world.snapshot()
    pools = [{"subnet": f"10.{n}.0.0/16", "prefixLength": 24} for n in (10, 11)]
    refused = world.call("ADD", world.conf(cniVersion="0.2.0", ipam=world.ipam(pools=pools)))
    assert refused.code == 1
    assert world.snapshot() == before
