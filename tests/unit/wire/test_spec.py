"""What the CNI specification 1.1.0 asks of a plugin, through the front door on the fake kernel, where no other test says
it. docs/conformance.md has the whole list.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.doors import cni
from cni_sriov.state.ledger import Ledger
from cni_sriov.vf.host import Host
from cni_sriov.words.domain import Request
from cni_sriov.words.log import Log
from tests.world import Reply, World

POD = "/run/netns/pod1"
NEEDED = {
    "ADD": ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"],
    "CHECK": ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"],
    "DEL": ["CNI_CONTAINERID", "CNI_IFNAME"],
}


def call(
    world: World, verb: str, conf: dict[str, Any], door: str = "sriov", **variables: str | None
) -> Reply:
    env = {
        "CNI_COMMAND": verb,
        "CNI_CONTAINERID": "c1",
        "CNI_NETNS": POD,
        "CNI_IFNAME": "net1",
        "CNI_PATH": "/x",
    }
    said = {1: "", 2: ""}

    def write(fd: int, text: str) -> None:
        said[fd] += text

    given = {key: value for key, value in (env | variables).items() if value is not None}
    exit_code = cni.main(given, lambda: json.dumps(conf), write, world._host, door)  # noqa: SLF001
    assert exit_code or (said[1] == "") == (verb in {"DEL", "CHECK", "GC", "STATUS"}), said[1]
    return Reply(exit_code, said[1])


# parameters and errors -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["ADD", "CHECK", "DEL"])
def test_every_missing_variable_is_named_with_code_4(world: World, verb: str) -> None:
    for value in (None, ""):
        refused = call(world, verb, world.conf(), "sriov", **dict.fromkeys(NEEDED[verb], value))
        assert (refused.exit_code, refused.code) == (1, 4)
        assert all(name in refused.document["msg"] for name in NEEDED[verb])


def test_cni_path_and_cni_args_are_optional(world: World) -> None:
    for verb in ("ADD", "CHECK", "DEL"):
        assert call(world, verb, world.conf(), CNI_PATH=None).exit_code == 0
    for verb in ("STATUS", "GC"):
        assert (
            call(
                world, verb, world.conf(cniVersion="1.1.0"), "sriov", **dict.fromkeys(NEEDED["ADD"])
            ).exit_code
            == 0
        )


@pytest.mark.parametrize("version", ["0.3.1", "1.0.0", "1.1.0"])
def test_an_error_speaks_the_confs_version(world: World, version: str) -> None:
    error = call(world, "ADD", world.conf(cniVersion=version, master="gone0")).document
    assert (error["cniVersion"], error["code"]) == (version, 101)
    assert set(error) <= {"cniVersion", "code", "msg", "details"}


def test_unknown_fields_are_ignored(world: World) -> None:
    strange = {"vendor.example/x": [1], "ipMasq": True, "capabilities": {"portMappings": True, "new": True}}
    assert call(world, "ADD", world.conf(**strange, runtimeConfig={"portMappings": [{}], "new": 1})).code == 0


# ADD and DEL ---------------------------------------------------------------------------------------------------------


def test_add_makes_the_interface_and_tells_it_as_it_is(world: World) -> None:
    added = call(world, "ADD", world.conf(cniVersion="1.1.0", mtu=1400, ipam=world.ipam())).document

    link = world.pod_link()
    expected = {"name": "net1", "mac": link.mac, "mtu": 1400, "sandbox": POD, "pciID": "0000:01:10.0"}
    assert added["interfaces"] == [expected]
    assert [ip["interface"] for ip in added["ips"]] == [0]
    assert [ip["address"] for ip in added["ips"]] == [a.address for a in link.addresses]


def test_a_taken_name_is_an_error_and_stays_whose_it_is(world: World) -> None:
    pod = world.kernel.pods[POD]
    world.kernel.add_link(pod, "net1")
    before = world.snapshot()
    assert call(world, "ADD", world.conf(vlan=100)).code == 102
    assert world.snapshot() == before


def test_a_container_may_have_two_interfaces_but_none_twice(world: World) -> None:
    codes = [call(world, "ADD", world.conf(), CNI_IFNAME=name).code for name in ("net1", "net2", "net1")]
    assert codes == [0, 0, 106]
    assert [call(world, "DEL", world.conf(), CNI_IFNAME=name).code for name in ("net1", "net2")] == [0, 0]


@pytest.mark.parametrize("netns", [POD, "", None, "/run/netns/gone"])
def test_delete_is_silent_and_may_come_at_any_time(world: World, netns: str | None) -> None:
    before = world.snapshot()
    for attach in (False, True, False):
        if attach:
            assert call(world, "ADD", world.conf(vlan=100, ipam=world.ipam())).code == 0
        deleted = call(world, "DEL", world.conf(ipam=world.ipam()), CNI_NETNS=netns)
        assert (deleted.exit_code, deleted.document) == (0, {})
        assert world.snapshot() == before


def test_delete_takes_prev_result_or_none(world: World) -> None:
    for known in (True, False):
        added = call(world, "ADD", world.conf(ipam=world.ipam()))
        conf = world.conf(ipam=world.ipam(), prevResult=added.document if known else None)
        assert call(world, "DEL", conf).code == 0


# CHECK, STATUS, VERSION ----------------------------------------------------------------------------------------------


def test_check_is_silent_at_once_after_add_and_an_error_without_one(world: World) -> None:
    assert call(world, "CHECK", world.conf()).code == 107
    added = call(world, "ADD", world.conf(vlan=100, ipam=world.ipam()))
    checked = call(world, "CHECK", world.conf(vlan=100, ipam=world.ipam(), prevResult=added.document))
    assert (checked.exit_code, checked.document) == (0, {})
    assert call(world, "DEL", world.conf()).code == 0
    assert call(world, "CHECK", world.conf()).code == 107


def test_nothing_relies_on_status(world: World) -> None:
    """An ADD after a STATUS that said no: it may be able by then."""
    netlink = world.kernel.netlink
    netlink.set_down(netlink.ifindex("enp1s0f0"))
    new = {"cniVersion": "1.1.0"}
    assert call(world, "STATUS", world.conf(**new, pfUp=False)).code == 50
    netlink.set_up(netlink.ifindex("enp1s0f0"))
    assert call(world, "ADD", world.conf(**new, pfUp=False)).code == 0


@pytest.mark.parametrize("asked", ["0.1.0", "0.4.0", "1.1.0"])
def test_version_echoes_and_lists(world: World, asked: str) -> None:
    told = call(world, "VERSION", {"cniVersion": asked}, "sriov", **dict.fromkeys(NEEDED["ADD"])).document
    assert told["cniVersion"] == asked
    assert {"0.4.0", "1.0.0", "1.1.0"} <= set(told["supportedVersions"])


# delegation ----------------------------------------------------------------------------------------------------------


def test_a_delegate_has_our_environment_and_tells_its_errors_to_our_stderr(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "plugin"
    script.write_text(
        '#!/bin/sh\necho "$CNI_PATH|$FROM_RUNTIME|$CNI_COMMAND|$(cat)"\necho trouble >&2\nexit 3\n'
    )
    script.chmod(0o755)
    env = {"CNI_PATH": "/a:/b", "FROM_RUNTIME": "yes", "CNI_COMMAND": "ADD", "PATH": "/usr/bin:/bin"}
    ledger = Ledger(str(tmp_path), Log("none"), boot_id="x")
    host = Host(ledger, Log("none"), request=Request(environment=env))

    answer = host.run_plugin(str(script), {"CNI_COMMAND": "DEL"}, '{"name": "x"}')

    assert answer == (3, '/a:/b|yes|DEL|{"name": "x"}\n')
    assert capfd.readouterr().err == "trouble\n"


def test_an_ipam_result_names_no_interfaces(world: World) -> None:
    conf = world.conf(type="bridge", master=None, ipam=world.ipam())
    told = call(world, "ADD", conf, "host-subnet").document
    assert "interfaces" not in told
    assert [set(ip) for ip in told["ips"]] == [{"address", "gateway"}]
    assert call(world, "DEL", conf, "host-subnet").code == 0
