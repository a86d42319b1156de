"""The bundle on this machine's kernel, where the fake one only has our word: another IPAM's executable, altnames, namespaces
whose numbers come again, routes and IPv6 in the container. What is expected comes from `ip -j` and /proc.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import bundle, numbers
from tests.integration.rig import BUNDLE, PF, STATE, Rig, call, conf, vf_pci

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.root, pytest.mark.bundle]
POD = "/run/netns/pod"
BIN = "/run/ipam"
IPAM = """#!/bin/sh
cat > /run/ipam/$CNI_COMMAND.conf
[ $CNI_COMMAND != ADD ] || cat /run/ipam/answer
"""


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    assert BUNDLE.exists(), "no bundle: run `make build`"
    with Rig(vfs=4) as rig:
        rig.add_pod("pod")
        rig.run("mkdir", BIN)
        write(rig, f"{BIN}/calico-ipam", IPAM)
        rig.run("chmod", "755", f"{BIN}/calico-ipam")
        rig.run("ln", "-s", str(bundle.sriov()), f"{BIN}/host-subnet")
        yield rig


@pytest.fixture(autouse=True)
def _all_is_given_back(rig: Rig) -> Iterator[None]:
    before = rig.ip("link", "show")
    yield
    after = rig.ip("link", "show")
    for links in (before, after):
        for link in links:
            link.pop("ifindex")
            link.pop("link_index", None)
    assert (by_name(after), rig.leftovers()) == (by_name(before), [])


def by_name(links: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(links, key=lambda link: str(link["ifname"]))


def write(rig: Rig, path: str, text: str) -> None:
    rig.inside(Path(path).write_text, text)


def ask(rig: Rig, verb: str, given: dict[str, Any]) -> Any:
    """(0, the result) or (the error's code, the error)."""
    made = call(verb, "c1", POD, given)
    status, document = rig.answer(made._replace(env=made.env | {"CNI_PATH": BIN}))
    return (document["code"] if status else 0), document


def answered(rig: Rig, ips: list[dict[str, Any]], *routes: dict[str, Any]) -> dict[str, Any]:
    """The conf, after the IPAM has been told what to answer."""
    write(rig, f"{BIN}/answer", json.dumps({"cniVersion": "1.1.0", "ips": ips, "routes": routes}))
    return conf(cniVersion="1.1.0", deviceID=vf_pci(0), ipam={"type": "calico-ipam"})


def routes_in(rig: Rig, table: str, family: str = "-4") -> list[dict[str, Any]]:
    shown = rig.ip("-n", "pod", "-N", family, "route", "show", "table", "all", "dev", "net1")
    return [route for route in shown if route.get("table", "254") == table]


# another IPAM --------------------------------------------------------------------------------------------------------


def test_a_foreign_ipam_reads_the_whole_conf_at_each_verb(rig: Rig) -> None:
    given = answered(rig, [{"address": "10.1.0.5/16"}])
    given |= {"datastore_type": "kubernetes", "kubernetes": {"kubeconfig": "/x"}, "nodename": "n"}
    gc = given | {"cni.dev/valid-attachments": [{"containerID": "c1", "ifname": "net1"}]}
    sent = {"ADD": given, "CHECK": given, "GC": gc, "DEL": given}

    codes = [ask(rig, verb, mine)[0] for verb, mine in sent.items()]

    assert codes == [0, 0, 0, 0]
    assert {verb: json.loads(rig.run("cat", f"{BIN}/{verb}.conf")) for verb in sent} == sent


# namespaces whose numbers come again ---------------------------------------------------------------------------------

FOUR = {"type": "host-subnet", "pools": [{"subnet": "10.40.0.0/22", "prefixLength": 24, "gateway": "none"}]}
BRIDGE = {"cniVersion": "1.1.0", "name": "br", "type": "bridge", "ipam": FOUR}


def bridged(rig: Rig, verb: str, container: str, netns: str, **keys: Any) -> tuple[int, Any]:
    made = call(verb, container, f"/run/netns/{netns}", BRIDGE | keys, (f"{BIN}/host-subnet",))
    status, document = rig.answer(made)
    return (document["code"] if status else 0), document


def die(rig: Rig, *containers: str) -> set[int]:
    """Bridge containers that live at one path, and end without a DEL; the inodes that their namespaces had."""
    inodes = set()
    for container in containers:
        inodes.add(rig.inside(os.stat, rig.add_pod("same")).st_ino)
        assert bridged(rig, "ADD", container, "same")[0] == 0
        rig.del_pod("same")
    return inodes


def live(rig: Rig, inodes: set[int]) -> None:
    """Namespaces of others: one has the path, and one an inode."""
    names = (f"other{n}" for n in itertools.count())

    def make() -> int:
        path = rig.add_pod(next(names))
        return rig.inside(os.stat, path).st_ino

    numbers.take(inodes.pop(), make)
    rig.add_pod("same")


@pytest.fixture
def nobody(rig: Rig) -> Iterator[None]:
    yield
    for name in rig.run("ls", "/run/netns").split():
        if name.startswith(("other", "same")):
            rig.del_pod(name)
    assert bridged(rig, "GC", "", "pod", **{"cni.dev/valid-attachments": []})[0] == 0


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize("way", ["add", "gc"])
def test_a_netns_that_has_path_and_inode_of_a_dead_one_is_another(rig: Rig, way: str) -> None:
    """Four containers of a bridge that died without DEL fill a pool; see also test_dead_netns.py."""
    live(rig, die(rig, "c1", "c2", "c3", "c4"))
    if way == "gc":
        tool = str(bundle.directory() / "cni-sriov" / "sriovctl")
        items = json.loads(rig.run(tool, "gc", "--json"))["items"]
        assert {item["owner"]: item["taken"] for item in items} == {f"c{n}/net1": True for n in range(1, 5)}

    code, answer = bridged(rig, "ADD", "c5", "same")

    assert code == 0, answer


COOKIE = "import socket; s = socket.socket(); print(int.from_bytes(s.getsockopt(1, 71, 8), 'little'))"


def test_every_identity_that_is_kept_has_the_cookie(rig: Rig) -> None:
    """SO_NETNS_COOKIE, asm-generic/socket.h: in the Record, the claim, and the lease of either door."""
    cookie = rig.run("ip", "netns", "exec", "pod", "python3", "-c", COOKIE).strip()
    assert ask(rig, "ADD", conf())[0] == 0
    assert bridged(rig, "ADD", "c2", "pod")[0] == 0
    kept = [path for path in rig.leftovers() if path.rsplit("/", 2)[1] in {"sriov", "claims", "owners"}]
    texts = {path: rig.run("cat", path) for path in kept}
    assert (ask(rig, "DEL", conf())[0], bridged(rig, "DEL", "c2", "pod")[0]) == (0, 0)
    assert len(texts) == 4
    assert [path for path, text in texts.items() if not re.search(rf"\b{cookie}\b", text)] == []


# altnames ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["enp1s0f0np0-with-a-long-name", "a" * 127, "é" * 63], ids=["28", "127", "126 bytes"]
)
@pytest.mark.parametrize("key", ["master", "pf.names"])
def test_a_pf_is_found_by_any_altname(rig: Rig, key: str, name: str) -> None:
    rig.run("ip", "link", "property", "add", "dev", PF, "altname", name)
    given = conf(**({"master": name} if key == "master" else {"pf": {"names": [name]}}))
    if key == "pf.names":
        del given["master"]
    try:
        for verb in ("ADD", "CHECK", "DEL"):
            code, answer = ask(rig, verb, given)
            assert code == 0, answer
        assert ask(rig, "STATUS", given | {"cniVersion": "1.1.0"})[0] == 0
    finally:
        rig.run("ip", "link", "property", "del", "dev", PF, "altname", name)


# in the container ----------------------------------------------------------------------------------------------------

V6 = [{"address": "fd01::5/64", "gateway": "fd01::1"}]
SERVICES = "10.96.0.0/12"  # the issue's: a Kubernetes cluster's services
FIELDS: dict[str, tuple[dict[str, int], dict[str, Any]]] = {  # as answered, and as `ip -N -j route` shows it
    "table": ({"table": 100}, {"table": "100"}),
    "scope": ({"scope": 200}, {"scope": "200"}),
    "priority": ({"priority": 77}, {"metric": 77}),
    "mtu": ({"mtu": 1400}, {"metrics": [{"mtu": 1400}]}),
    "advmss": ({"advmss": 1300}, {"metrics": [{"advmss": 1300}]}),
}


@pytest.mark.parametrize("field", FIELDS)
def test_host_subnets_own_routes_have_the_same_fields(rig: Rig, field: str) -> None:
    asked, shown = FIELDS[field]
    pools = [{"subnet": "10.20.0.0/16", "prefixLength": 29}]
    ipam = {"type": "host-subnet", "pools": pools, "routes": [{"dst": SERVICES} | asked]}
    given = conf(cniVersion="1.1.0", ipam=ipam)

    code, answer = ask(rig, "ADD", given)

    assert code == 0, answer
    found = [route for route in routes_in(rig, shown.get("table", "254")) if route["dst"] == SERVICES]
    checked = ask(rig, "CHECK", given | {"prevResult": answer})
    assert ask(rig, "DEL", given)[0] == 0
    assert len(found) == 1
    assert {key: found[0].get(key) for key in shown if key != "table"} == {
        key: value for key, value in shown.items() if key != "table"
    }
    assert checked == (0, None)


def test_two_ways_to_one_destination_are_both_there(rig: Rig) -> None:
    """netlink.RouteAddEcmp adds without NLM_F_EXCL (ConfigureIface of containernetworking/plugins 1.9); ours gets a metric."""
    ways = [{"dst": "fd09::/64", "gw": "fd01::1"}, {"dst": "fd09::/64", "gw": "fd01::2"}]
    given = answered(rig, V6, *ways)
    code, answer = ask(rig, "ADD", given)
    assert code == 0, answer
    shown = json.dumps(routes_in(rig, "254", "-6"))
    assert ask(rig, "DEL", given)[0] == 0
    assert [gw for gw in ("fd01::1", "fd01::2") if f'"{gw}"' not in shown] == []


@pytest.mark.parametrize("kind", ["calico-ipam", "host-subnet"])
def test_ipv6_addresses_outlive_a_link_that_goes_down_and_up(rig: Rig, kind: str) -> None:
    given = answered(rig, V6)
    if kind == "host-subnet":
        pools = [{"subnet": "fd00:10::/48", "prefixLength": 64}]
        given = conf(deviceID=vf_pci(0), ipam={"type": "host-subnet", "pools": pools})
    code, answer = ask(rig, "ADD", given)
    assert code == 0, answer
    for state in ("down", "up"):
        rig.run("ip", "-n", "pod", "link", "set", "net1", state)
    (link,) = rig.ip("-n", "pod", "-6", "addr", "show", "dev", "net1")
    assert ask(rig, "DEL", given)[0] == 0
    held = [
        f"{entry['local']}/{entry['prefixlen']}" for entry in link["addr_info"] if entry["scope"] == "global"
    ]
    assert held == [answer["ips"][0]["address"]]


def test_an_ipv6_address_enables_ipv6_on_the_interface_and_on_lo(rig: Rig) -> None:
    """ConfigureIface does both (containernetworking/plugins 1.9)."""
    knobs = [f"net.ipv6.conf.{name}.disable_ipv6" for name in ("lo", "default")]
    rig.run("ip", "netns", "exec", "pod", "sysctl", "-qw", *(f"{knob}=1" for knob in knobs))
    given = answered(rig, V6)
    code, answer = ask(rig, "ADD", given)
    assert code == 0, answer
    names = ["net.ipv6.conf.lo.disable_ipv6", "net.ipv6.conf.net1.disable_ipv6"]
    shown = rig.run("ip", "netns", "exec", "pod", "sysctl", "-n", *names).split()
    assert ask(rig, "DEL", given)[0] == 0
    rig.run("ip", "netns", "exec", "pod", "sysctl", "-qw", *(f"{knob}=0" for knob in knobs))
    assert shown == ["0", "0"]


def test_state_is_where_the_rig_looks(rig: Rig) -> None:
    """So that the check after each test here looks at something."""
    assert ask(rig, "ADD", conf())[0] == 0
    assert any(path.startswith(f"{STATE}/sriov/") for path in rig.leftovers())
    assert ask(rig, "DEL", conf())[0] == 0
