"""GC and STATUS, and each cniVersion's form, through the front door on the fake kernel."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from cni_sriov.state.files import Lock
from cni_sriov.words.domain import Attachment
from tests.world import World

NEW = {"cniVersion": "1.1.0"}


def attach(world: World, *containers: str, **keys: Any) -> None:
    for container in containers:
        path = f"/run/netns/{container}"
        if path not in world.kernel.pods:
            world.kernel.add_pod(path)
        reply = world.call("ADD", world.conf(ipam=world.ipam(), **keys), container, path)
        assert reply.code == 0, reply.text


def held(world: World) -> set[str]:
    return {
        name.rpartition("/")[2] for name in world.files() if "/owners/" in name or name.startswith("state/")
    }


def gc(world: World, *keep: str, **conf: Any) -> Any:
    entries = [{"containerID": container, "ifname": "net1"} for container in keep]
    return world.call(
        "GC",
        world.conf(**NEW, ipam=world.ipam(), **({"cni.dev/valid-attachments": entries} | conf)),
        "",
        "",
        "",
    )


def test_gc_gives_back_what_the_runtime_no_longer_knows(world: World) -> None:
    before = world.snapshot()
    attach(world, "c1", "c2", "c3", vlan=100)

    assert gc(world, "c2").code == 0

    assert held(world) == {"c2@net1"}
    assert world.call("DEL", world.conf(), "c2").code == 0
    for container in ("c1", "c2", "c3"):
        del world.kernel.pods[f"/run/netns/{container}"]
    assert world.snapshot() == before


def test_gc_is_for_this_network_only(world: World) -> None:
    attach(world, "c1", name="fast")
    attach(world, "c2", name="slow")
    assert gc(world).code == 0
    assert held(world) == {"c2@net1"}


NULL = {"cni.dev/valid-attachments": None, "cni.dev/attachments": None}  # libcni with a nil slice: ocicni's


@pytest.mark.parametrize("missing", [{}, NULL, {"cni.dev/valid-attachments": None}])
def test_gc_without_a_list_never_means_delete_all(world: World, missing: dict[str, Any]) -> None:
    attach(world, "c1")
    conf = world.conf(**NEW, ipam=world.ipam()) | missing
    assert world.call("GC", conf, "", "", "").code == 0
    assert held(world) == {"c1@net1"}


@pytest.mark.parametrize("missing", [{}, NULL])
def test_gc_without_a_list_takes_back_what_is_dead(world: World, missing: dict[str, Any]) -> None:
    attach(world, "c1", "c2")
    attach(world, "c3", name="slow")
    for container in ("c2", "c3"):
        world.kernel.kill_netns(f"/run/netns/{container}")
    assert world.call("GC", world.conf(**NEW, ipam=world.ipam()) | missing, "", "", "").code == 0
    assert held(world) == {"c1@net1", "c3@net1"}


def test_gc_with_an_empty_list_means_all_of_the_network(world: World) -> None:
    """What Multus sends (gatherValidAttachmentsFromCache makes a list that is not nil)."""
    attach(world, "c1")
    assert gc(world).code == 0
    assert held(world) == set()


def test_gc_keeps_the_union_of_both_keys(world: World) -> None:
    attach(world, "c1", "c2", "c3")
    old = {"cni.dev/attachments": [{"containerID": "c3", "ifname": "net1"}]}
    assert gc(world, "c1", **old).code == 0
    assert held(world) == {"c1@net1", "c3@net1"}


@pytest.mark.parametrize(
    "bad", [{}, "c1", 7, True, [1], [{}], [{"containerID": "c1"}], [{"containerID": 1, "ifname": "a"}]]
)
def test_gc_with_a_malformed_list_touches_nothing(world: World, bad: Any) -> None:
    attach(world, "c1")
    assert gc(world, **{"cni.dev/valid-attachments": bad}).code == 7
    assert held(world) == {"c1@net1"}


def test_gc_goes_on_past_errors_and_tells_all(world: World) -> None:
    attach(world, "c1", "c2", vlan=100)
    world.kernel.fail_effect(0, "before")

    failed = gc(world)

    assert failed.code == 11
    assert "c1/net1" in failed.text
    assert held(world) == {"c1@net1"}
    assert gc(world).code == 0
    assert held(world) == set()


def test_gc_leaves_alone_what_a_running_call_holds(world: World) -> None:
    attach(world, "c1")

    lock = Lock(str(world.run_dir / "locks" / Attachment("c1", "net1").filename), "ADD")
    lock.acquire(0)
    assert gc(world).code == 0
    assert held(world) == {"c1@net1"}
    lock.release()


@pytest.mark.parametrize("verb", ["GC", "STATUS"])
def test_gc_and_status_exist_since_1_1_0(world: World, verb: str) -> None:
    assert world.call(verb, world.conf(), "", "", "").code == 1


def status(world: World, **conf: Any) -> Any:
    return world.call("STATUS", world.conf(**(NEW | {"ipam": world.ipam()} | conf)), "", "", "")


def test_status_of_a_node_that_can_serve_is_silent_and_changes_nothing(world: World) -> None:
    before, run = world.snapshot(), world.run_dir.exists()
    reply = status(world)
    assert (reply.exit_code, reply.document) == (0, {})
    assert (world.snapshot(), world.run_dir.exists()) == (before, run)


def test_status_waits_for_no_lock(world: World) -> None:
    """An ADD may hold the node's for as long as its card takes; a runtime asks every few seconds."""
    attach(world, "c1")
    paths = [world.run_dir / "claims.lock", world.run_dir / "locks/c1@net1", world.run_dir / "subnets/lock"]
    locks = [Lock(str(path), "ADD") for path in paths]
    for lock in locks:
        lock.acquire(0)
    began = time.monotonic()

    codes = [status(world, statusOnFull=word).code for word in ("ok", "error")]

    assert (codes, time.monotonic() - began < 5) == ([0, 0], True)
    for lock in locks:
        lock.release()


def test_status_without_a_device_judges_the_rest(world: World) -> None:
    """Under Multus the device plugin names the VF at ADD only."""
    assert status(world, master=None).code == 0


def test_status_of_a_missing_pf_is_50_and_51_with_attachments(world: World) -> None:
    assert status(world, master="gone0").code == 50
    attach(world, "c1")
    assert status(world, master="gone0").code == 51
    assert status(world).code == 0


def test_status_of_a_pf_without_vfs_names_the_remedy(world: World) -> None:
    world.kernel.add_pf("enp2s0f0", "0000:02:00.0")
    reply = status(world, master="enp2s0f0")
    assert (reply.code, "sriovctl vfs enp2s0f0" in reply.text) == (50, True)


def test_status_of_a_pf_that_is_down(world: World) -> None:
    netlink = world.kernel.netlink
    attach(world, "c1")
    netlink.set_down(netlink.ifindex("enp1s0f0"))
    assert status(world).code == 51
    assert status(world, pfUp=False).code == 51
    assert world.call("DEL", world.conf(), "c1").code == 0
    netlink.set_down(netlink.ifindex("enp1s0f0"))
    assert status(world).code == 0, "ADD brings it up"
    assert status(world, pfUp=False).code == 50


def test_exhaustion_is_an_error_only_if_the_conf_says_so(world: World) -> None:
    attach(world, *(f"c{n}" for n in range(7)))
    assert status(world).code == 0
    full = status(world, statusOnFull="error")
    assert (full.code, "no free VF" in full.text) == (50, True)


def test_an_exhausted_pool_too(world: World) -> None:
    tiny = world.ipam(pools=[{"subnet": "10.10.0.0/24", "prefixLength": 24}])
    world.kernel.add_pod("/run/netns/c1")
    assert status(world, ipam=tiny, statusOnFull="error").code == 0
    assert world.call("ADD", world.conf(ipam=tiny), "c1", "/run/netns/c1").code == 0
    full = status(world, ipam=tiny, statusOnFull="error")
    assert (full.code, "no free subnet" in full.text) == (50, True)
    assert status(world, ipam=tiny).code == 0


def test_two_interfaces_of_one_container_are_on_different_pfs(world: World) -> None:
    """Also where the first PF has fewer claims: others have filled the second one."""
    world.kernel.add_pf("enp1s0f1", "0000:01:00.1", numvfs=7)
    both = world.conf(master=None, pf={"names": ["enp1s0f0", "enp1s0f1"]})
    attach(world, "c8", "c9", master="enp1s0f1")
    pfs = []
    for ifname in ("net1", "net2", "net3"):
        assert world.call("ADD", both, ifname=ifname).code == 0
        found = world.kernel.pods["/run/netns/pod1"].find(ifname)
        # the fake lays out ports as an I350 does
        pfs.append(int(found[1].pci_address[-1]) % 2 if found else -1)
    assert pfs == [0, 1, 0]


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


def test_dummies_do_not_keep_version_from_answering(world: World) -> None:
    """podman 4 asks VERSION before each verb with CNI_* = dummy."""
    reply = world.call("VERSION", json.dumps({"cniVersion": "0.4.0"}), "dummy", "dummy", "dummy")
    assert reply.document["cniVersion"] == "0.4.0"
    assert reply.document["supportedVersions"][-1] == "1.1.0"


GUID = "c2:11:22:33:44:55:66:77"


@pytest.mark.parametrize("guid", [GUID, 5, ["x"], False])
def test_an_infiniband_guid_is_refused_by_add_and_by_nothing_else(world: World, guid: Any) -> None:
    """Code 2 is the specification's: "Error message must contain the key and value of the unsupported field"."""
    attach(world, "c1")
    before = world.snapshot()
    asking = world.conf(**NEW, ipam=world.ipam(), runtimeConfig={"infinibandGUID": guid})

    refused = world.call("ADD", asking, "c2")

    assert (refused.code, world.snapshot()) == (2, before), refused.text
    assert "runtimeConfig.infinibandGUID" in refused.document["msg"]
    assert json.dumps(guid) in refused.document["msg"]
    codes = [world.call(verb, asking, "c1", "/run/netns/c1").code for verb in ("STATUS", "CHECK", "DEL")]
    assert codes == [0, 0, 0]
    attach(world, "c3")
    assert world.call("GC", asking | {"cni.dev/valid-attachments": []}, "", "", "").code == 0
    assert held(world) == set()


RANGES = [[{"subnet": "10.99.0.0/24"}]]


def test_ip_ranges_are_refused_with_host_subnet_alone(world: World) -> None:
    before = world.snapshot()
    asking = world.conf(**NEW, ipam=world.ipam(), runtimeConfig={"ipRanges": RANGES})

    refused = world.call("ADD", asking)

    assert (refused.code, world.snapshot()) == (2, before), refused.text
    assert f"runtimeConfig.ipRanges {json.dumps(RANGES)}" in refused.document["msg"]
    assert world.call("ADD", world.conf(runtimeConfig={"ipRanges": RANGES})).code == 0, "layer 2 has none"
    assert world.call("DEL", asking).code == 0


@pytest.mark.parametrize("guid", ["", None])
def test_an_empty_guid_is_not_asked(world: World, guid: str | None) -> None:
    assert world.call("ADD", world.conf(runtimeConfig={"infinibandGUID": guid})).code == 0
