"""Whose it is, and what nobody owns any more: issue 7, items 6, 7, 10, 11 and 16, on the fake kernel.

Dead here is what docs/state.md calls provably dead: the VF is back in the host while nobody holds the lock.
"""

from __future__ import annotations

import json
from ipaddress import ip_interface, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.ctl.test_import import POOL, Node
from tests.unit.ctl.tool import sriovctl
from tests.unit.test_callers_accepted import foreign

if TYPE_CHECKING:
    from tests.fakes import FakeLink
    from tests.world import Reply, World

MAC = "02:00:00:00:aa:01"
VF = "0000:01:10.0"
WEB = "IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=web"


def pod(container: str) -> str:
    return f"/run/netns/{container}"


def attach(world: World, container: str, cni_args: str = "", **keys: Any) -> Reply:
    if pod(container) not in world.kernel.pods:
        world.kernel.add_pod(pod(container))
    return world.call(
        "ADD", world.conf(**({"ipam": world.ipam()} | keys)), container, pod(container), args=cni_args
    )


def owners(world: World) -> set[str]:
    """The containers that have a VF, as the operator sees them."""
    document = sriovctl(world, "status", "--json").document
    return {vf["owner"]["containerID"] for pf in document["pfs"] for vf in pf["vfs"] if vf["owner"]}


# 6: by name ----------------------------------------------------------------------------------------------------------

ASKED: dict[str, dict[str, Any]] = {
    "its MAC": {"runtimeConfig": {"mac": MAC}},
    "its MAC, by conf": {"mac": MAC},
    "its address": {"runtimeConfig": {"ips": ["10.10.7.5"]}},
    "its subnet": {"args": {"cni": {"subnets": ["10.10.7.0/24"]}}},
    "both": {"runtimeConfig": {"mac": MAC, "ips": ["10.10.7.5"]}},
}
BY_NAME = pytest.mark.parametrize("keys", ASKED.values(), ids=ASKED)


@BY_NAME
def test_what_a_dead_container_had_is_had_by_who_asks_for_it(world: World, keys: dict[str, Any]) -> None:
    assert [attach(world, name, **(keys if name == "c1" else {})).code for name in ("c0", "c1")] == [0, 0]
    for name in ("c0", "c1"):
        world.kernel.kill_netns(pod(name))

    asked = attach(world, "c2", **keys)

    assert asked.code == 0, asked.text
    assert owners(world) == {"c0", "c2"}, "exactly the one in the way"


@BY_NAME
def test_what_a_living_one_has_stays_its_and_the_error_names_it(world: World, keys: dict[str, Any]) -> None:
    assert attach(world, "holder7", **keys).code == 0
    world.kernel.add_pod(pod("c2"))
    before = world.snapshot()

    refused = attach(world, "c2", **keys)

    assert refused.code in {103, 104}
    assert "holder7" in refused.text
    assert refused.document["details"]
    assert world.snapshot() == before


def test_a_sticky_name_goes_on_with_the_dead_ones_subnet(world: World) -> None:
    ipam = world.ipam(sticky=True)
    first = attach(world, "c1", WEB, ipam=ipam).document["ips"]
    assert attach(world, "c0", ipam=ipam).code == 0
    for name in ("c0", "c1"):
        world.kernel.kill_netns(pod(name))

    again = attach(world, "c2", WEB, ipam=ipam)

    assert (again.code, again.document["ips"]) == (0, first), again.text
    assert owners(world) == {"c0", "c2"}


def test_what_a_running_call_holds_is_nobodys_to_take(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cni_sriov.claim.LOCK_DEADLINE_S", 0.2)  # it is waited for
    from cni_sriov.statefile import Lock

    assert attach(world, "c1", mac=MAC).code == 0
    world.kernel.kill_netns(pod("c1"))
    with Lock(str(world.run_dir / "locks/c1@net1"), "DEL"):
        assert attach(world, "c2", mac=MAC).code in {11, 103}
    assert attach(world, "c2", mac=MAC).code == 0


# 10: a LAN's network and broadcast address, pools that are none ------------------------------------------------------

LAN = {"subnet": "10.1.0.0/29", "prefixLength": 32, "gateway": "10.1.0.1"}


def test_single_addresses_of_a_lan_are_its_hosts(world: World) -> None:
    found = set()
    for n in range(16):
        reply = foreign(world, "ADD", f"c{n}", ipam=world.ipam(pools=[LAN]))
        if reply.code:
            assert reply.code == 11, reply.text
            break
        found.add(ip_interface(reply.document["ips"][0]["address"]).ip)
    assert found == set(ip_network("10.1.0.0/29").hosts()) - {ip_interface("10.1.0.1").ip}


@pytest.mark.parametrize("address", ["10.1.0.0", "10.1.0.7"])
def test_nor_are_they_leased_to_who_asks_or_imported(world: World, address: str) -> None:
    asked = attach(world, "c1", ipam=world.ipam(pools=[LAN]), runtimeConfig={"ips": [address]})
    assert asked.code == 7, asked.text
    node = Node(world)
    node.set(LAN)
    node.hold("10.1.0.2", "c2")
    node.hold(address, "c3")

    run = node.run()

    assert f"{address}/32" not in node.leases()
    assert address in run.err + run.out


NO_POOLS = [
    *("224.0.0.0/24", "239.1.0.0/16", "224.0.0.0/4", "127.0.0.0/8", "127.1.0.0/16", "255.255.255.255/32"),
    *("169.254.0.0/16", "169.254.7.0/24", "fe80::/64", "fe80:0:0:7::/64"),
]


@pytest.mark.parametrize("subnet", NO_POOLS)
def test_what_no_interface_can_have_is_no_pool(world: World, subnet: str, tmp_path: Path) -> None:
    length = ip_network(subnet).max_prefixlen
    before, conf = (
        world.snapshot(),
        world.conf(ipam=world.ipam(pools=[{"subnet": subnet, "prefixLength": length}])),
    )
    (tmp_path / "x.conf").write_text(json.dumps(conf))

    refused = world.call("ADD", conf)
    under = foreign(world, "ADD", ipam=conf["ipam"])
    judged = sriovctl(world, "validate", str(tmp_path / "x.conf"))

    assert (refused.code, under.code, judged.status) == (7, 7, 1), refused.text
    assert subnet in refused.text
    assert world.snapshot() == before


# 11: none can ever fit -----------------------------------------------------------------------------------------------


def all_on(world: World, driver: str, count: int = 7) -> None:
    for vf in world.kernel.pfs[0].vfs[:count]:
        world.kernel.set_driver(vf, driver)


@pytest.mark.parametrize("driver", ["vfio-pci", "uio_pci_generic"])
def test_vfs_on_another_driver_never_fit(world: World, driver: str) -> None:
    all_on(world, driver)
    refused = attach(world, "c1")
    assert (refused.code, driver in refused.text) == (7, True), refused.text


def test_an_index_that_no_vf_has_never_fits(world: World) -> None:
    pf = {"names": ["enp1s0f0"], "vfs": "9-12"}
    refused = attach(world, "c1", master=None, pf=pf)
    assert (refused.code, "vfs" in refused.text.lower()) == (7, True), refused.text


def test_what_fits_and_is_taken_is_worth_another_try(world: World) -> None:
    all_on(world, "vfio-pci", 6)
    assert attach(world, "c1").code == 0
    assert attach(world, "c2").code == 11
    pf = {"names": ["enp1s0f0"], "vfs": "6"}
    assert attach(world, "c3", master=None, pf=pf).code == 11


def test_gc_with_null_for_its_list_is_no_error_and_is_documented(world: World) -> None:
    """What CRI-O sends for a network without pods: ocicni pkg/ocicni/ocicni.go GC, a nil slice (HEAD, v0.5)."""
    conf = world.conf(cniVersion="1.1.0", ipam=world.ipam()) | {"cni.dev/valid-attachments": None}
    assert attach(world, "c1").code == 0
    assert world.call("GC", conf, "", "", "").code == 0
    docs = Path(__file__).parents[2] / "docs"
    lines = [line for page in sorted(docs.glob("*.md")) for line in page.read_text().splitlines()]
    near = ["\n".join(lines[n : n + 3]) for n in range(len(lines))]
    assert any("valid-attachments" in text and "null" in text for text in near)


# 16: what a migrating user trips over --------------------------------------------------------------------------------

SINGLE = {"subnet": "10.1.0.0/16", "prefixLength": 32, "gateway": "10.1.0.1"}


@pytest.mark.parametrize("door", ["sriov", "host-subnet"])
@pytest.mark.parametrize(
    ("args", "keys"),
    [
        ("IP=10.1.2.11/24", {}),
        ("", {"args": {"cni": {"ips": ["10.1.2.11/24"]}}}),
        ("", {"runtimeConfig": {"ips": ["10.1.2.11/16"]}}),
    ],
    ids=["CNI_ARGS", "args.cni", "runtimeConfig"],
)
def test_in_a_pool_of_single_addresses_the_address_decides(
    world: World, door: str, args: str, keys: dict[str, Any]
) -> None:
    ipam = world.ipam(pools=[SINGLE])
    if door == "sriov":
        reply = attach(world, "c1", args, ipam=ipam, **keys)
    else:
        reply = foreign(world, "ADD", cni_args=args, ipam=ipam, **keys)
    assert reply.code == 0, reply.text
    assert [ip["address"] for ip in reply.document["ips"]] == ["10.1.2.11/32"]


def test_resolv_conf_is_read_or_named(world: World, tmp_path: Path) -> None:
    """host-local's key: plugins/ipam/host-local/dns.go (v1.9.1)."""
    path = tmp_path / "resolv.conf"
    path.write_text("# a comment\nnameserver 192.0.2.53\nsearch a.example b.example\noptions ndots:5\n")
    reply = attach(world, "c1", ipam=world.ipam(resolvConf=str(path)), logLevel="warning")
    if reply.code:
        assert (reply.code, "resolvConf" in reply.text) == (7, True)
    elif reply.document["dns"]:
        expected = {
            "nameservers": ["192.0.2.53"],
            "search": ["a.example", "b.example"],
            "options": ["ndots:5"],
        }
        assert reply.document["dns"] == expected
    else:
        assert "resolvConf" in world.log_file.read_text()


BOTH = [{"subnet": "10.10.0.0/16", "prefixLength": 24}, {"subnet": "fd00:10::/48", "prefixLength": 64}]


@pytest.mark.parametrize(
    ("args", "keys"),
    [
        ("IP=10.10.7.5", {"args": {"cni": {"ips": ["fd00:10:0:7::5"]}}}),
        ("IP=10.10.7.5", {"runtimeConfig": {"ips": ["fd00:10:0:7::5"]}}),
        ("", {"args": {"cni": {"ips": ["10.10.7.5"]}}, "runtimeConfig": {"ips": ["fd00:10:0:7::5"]}}),
    ],
    ids=["CNI_ARGS and args.cni", "CNI_ARGS and runtimeConfig", "args.cni and runtimeConfig"],
)
def test_requests_for_different_pools_are_all_met_or_the_loser_is_named(
    world: World, args: str, keys: dict[str, Any]
) -> None:
    """host-local adds them up: backend/allocator/config.go LoadIPAMConfig (v1.9.1)."""
    reply = attach(world, "c1", args, ipam=world.ipam(pools=BOTH), logLevel="warning", **keys)
    assert reply.code == 0, reply.text
    addresses = [ip["address"] for ip in reply.document["ips"]]
    said = world.log_file.read_text() if world.log_file.exists() else ""
    assert addresses == ["10.10.7.5/24", "fd00:10:0:7::5/64"] or "10.10.7.5" in said


@pytest.mark.parametrize("content", [b"c9", b"c9\n", b"c9\r\n"])
def test_a_file_of_an_older_host_local_costs_no_other_its_lease(world: World, content: bytes) -> None:
    """Only the container's ID in it: backend/disk/backend.go ReleaseByID still looks for these (v1.9.1)."""
    node = Node(world)
    node.set(POOL)
    node.hold("10.1.0.2", "c2")
    node.hold("10.1.0.3", "c9")
    (node.network / "10.1.0.3").write_bytes(content)

    run = node.run()

    assert node.leases().get("10.1.0.2/32") == "c2/net1", run.err
    assert "10.1.0.3/32" in node.leases() or "10.1.0.3" in run.out + run.err


def link_at(world: World, pci_address: str = VF) -> FakeLink:
    return next(link for link in world.kernel.host.links.values() if link.pci_address == pci_address)


@pytest.mark.parametrize("way", ["DEL", "death"])
def test_a_vf_that_came_home_under_another_name_gets_its_own_back(world: World, way: str) -> None:
    """Its own is taken when it comes, and free again before the next one has it."""
    assert attach(world, "c1", deviceID=VF).code == 0
    kernel = world.kernel
    kernel.add_link(kernel.host, "enp1s0f0v0")
    if way == "death":
        kernel.kill_netns(pod("c1"))
    deleted = world.call("DEL", world.conf(ipam=world.ipam()), "c1", pod("c1") if way == "DEL" else "")
    assert deleted.code == 0, deleted.text
    assert link_at(world).name != "enp1s0f0v0"
    kernel.rename(kernel.host, kernel.netlink.ifindex("enp1s0f0v0"), "other0")

    assert attach(world, "c2", deviceID=VF).code == 0
    assert world.call("DEL", world.conf(ipam=world.ipam()), "c2", pod("c2")).code == 0

    assert link_at(world).name == "enp1s0f0v0"
