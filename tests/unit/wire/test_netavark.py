"""A netavark plugin's documents, by the types that netavark reads them into (src/network/types.rs, 00de93c)."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_interface
from typing import Any

import pytest

from cni_sriov.wire import netavark
from cni_sriov.words.domain import Interface, IPConfig, Result, Route
from cni_sriov.words.errors import BadConfig, BadEnvironment, NoFreeVf
from tests.podman import asked_network, exec_call, kept_network

POD = "/run/netns/netns-1"
NETWORK = kept_network(
    asked_network(
        "fast", {"master": "enp1s0f0", "ipam.pools": '[{"subnet": "10.10.0.0/16", "prefixLength": 24}]'}
    )
)


def status(ips: list[IPConfig], dns: dict[str, Any]) -> dict[str, Any]:
    interface = Interface("eth0", "02:00:00:00:00:01", 1500, POD, "0000:01:10.0")
    found: dict[str, Any] = json.loads(
        netavark.render_status(Result([interface], ips, [Route("10.0.0.0/8")], dns))
    )
    return found


def test_a_status_has_what_inspect_shows() -> None:
    ips = [IPConfig("10.10.0.2/24", "10.10.0.1", 0), IPConfig("fd00:10::2/64", "", 0)]
    dns = {"nameservers": ["192.0.2.1"], "domain": "a.test", "search": ["b.test", "a.test"]}

    found = status(ips, dns)

    subnets = found["interfaces"]["eth0"]["subnets"]
    assert [str(ip_interface(one["ipnet"])) for one in subnets] == ["10.10.0.2/24", "fd00:10::2/64"]
    assert [one.get("gateway") for one in subnets] == ["10.10.0.1", None]
    assert found["interfaces"]["eth0"]["mac_address"] == "02:00:00:00:00:01"
    assert found["dns_server_ips"] == ["192.0.2.1"]
    assert found["dns_search_domains"] == ["a.test", "b.test"]
    assert found.keys() == {"interfaces", "dns_server_ips", "dns_search_domains"}


def test_a_name_server_that_netavark_could_not_read_fails_no_setup() -> None:
    """A file may have one with a zone (`resolvConf`)."""
    found = status([], {"nameservers": ["fe80::1%eth0", "192.0.2.1"]})

    assert [str(ip_address(text)) for text in found["dns_server_ips"]] == ["192.0.2.1"]
    assert "dns_server_ips" not in status([], {"nameservers": ["fe80::1%eth0"]})


def test_an_error_is_the_sentence_with_its_remedy_and_code() -> None:
    found = json.loads(netavark.render_error(NoFreeVf("choose a VF: no free VF", "create some")))

    assert found == {"error": "choose a VF: no free VF (create some) [cni-sriov, code 11]"}


def test_a_setup_is_an_add_in_the_words_of_cni() -> None:
    options = {"vlan": "300", "subnets": "10.10.9.0/24", "deviceID": "0000:01:10.2"}
    asked = exec_call(
        NETWORK,
        "web",
        "net1",
        static_ips=["10.10.9.9", "10.10.9.9"],
        static_mac="02:00:00:00:00:99",
        options=options,
    )

    request = netavark.parse_setup(POD, json.dumps(asked), {"PATH": "/bin"})

    assert (request.verb, request.netns) == ("ADD", POD)
    assert (request.attachment.container_id, request.attachment.ifname) == (asked["container_id"], "net1")
    assert request.args == {"K8S_POD_NAME": "web"}
    assert request.conf["runtimeConfig"] == {
        "ips": ["10.10.9.9"], "mac": "02:00:00:00:00:99", "deviceID": "0000:01:10.2",
    }  # fmt: skip
    assert request.conf["args"] == {"cni": {"vlan": 300, "subnets": ["10.10.9.0/24"]}}
    assert request.warnings == []


def test_what_nobody_asks_for_is_not_there() -> None:
    request = netavark.parse_setup(POD, json.dumps(exec_call(NETWORK)), {})

    assert request.conf.keys().isdisjoint({"runtimeConfig", "args"})


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", "all", "e%d", "x" * 16, "\u00e4"])
def test_an_interface_that_linux_cannot_have_is_refused(name: str) -> None:
    for parse in (netavark.parse_setup, netavark.parse_teardown):
        with pytest.raises(BadEnvironment, match="interface_name"):
            parse(POD, json.dumps(exec_call(NETWORK, ifname=name)), {})


@pytest.mark.parametrize("name", ["", "../x", ".", "a@b", "x" * 201])
def test_a_container_that_is_no_file_name_is_refused(name: str) -> None:
    for parse in (netavark.parse_setup, netavark.parse_teardown):
        with pytest.raises(BadEnvironment, match="container_id"):
            parse(POD, json.dumps(exec_call(NETWORK) | {"container_id": name}), {})


@pytest.mark.parametrize("key", ["dns", "ipam.dns"])
def test_what_netavark_cannot_be_told_of_dns_is_refused_at_create(key: str) -> None:
    options = {"master": "x", "pool": "10.10.0.0/16"}

    def create(name: str, value: str) -> None:
        netavark.parse_create(json.dumps(asked_network("fast", options | {f"{key}.{name}": value})))

    create("nameservers", "192.0.2.1,2001:db8::1")
    with pytest.raises(BadConfig, match="nameservers"):
        create("nameservers", "fe80::1%eth0")
    with pytest.raises(BadConfig, match="takes none from a plugin"):
        create("options", "ndots:1")


def test_what_podman_asked_is_answered_with_what_is_ours() -> None:
    asked = asked_network(
        "fast", {"master": "enp1s0f0"}, subnets=[{"subnet": "10.10.0.0/16"}], labels={"a": "b"}
    )

    answered = json.loads(netavark.render_network(netavark.parse_create(json.dumps(asked))))

    ours = {"options", "ipam_options", "dns_enabled"}
    assert {key: answered[key] for key in asked.keys() - ours} == {
        key: asked[key] for key in asked.keys() - ours
    }
    assert (answered["ipam_options"], answered["dns_enabled"]) == ({"driver": "none"}, False)
    assert json.loads(answered["options"].pop("ipam.pools")) == [
        {"subnet": "10.10.0.0/16", "prefixLength": 24}
    ]
    assert answered["options"] == asked["options"]


def test_a_teardown_reads_what_is_damaged_as_far_as_it_goes() -> None:
    text = json.dumps(exec_call(NETWORK | {"name": 7}))

    request = netavark.parse_teardown(POD, text + "x", {})

    assert (request.verb, request.conf["name"]) == ("DEL", "")
