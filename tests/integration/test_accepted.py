"""Issue 7 on real namespaces, by the bundle: what a fake kernel cannot show of items 3, 6, 7, 9, 14, 15, 16.

Written from the issue's text. veth ends stand in for VFs (rig.py); what is expected comes from `ip -j` and /proc.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import bundle
from tests.integration.rig import BUNDLE, PF, PF_PCI, STATE, Call, Rig, answer_of, call, conf, vf_pci

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.root, pytest.mark.bundle]
POD = "/run/netns/pod"
BIN = "/run/ipam"
IPAM = """#!/bin/sh
cat > /run/ipam/$CNI_COMMAND.conf
[ ! -e /run/ipam/slow-$CNI_COMMAND ] || sleep 3
[ $CNI_COMMAND != ADD ] || cat /run/ipam/answer
"""


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    assert BUNDLE.exists(), "no bundle: run `make build`"
    with Rig(vfs=4) as rig:
        for name in ("pod", "pod2"):
            rig.add_pod(name)
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


def ask(
    rig: Rig, verb: str, given: dict[str, Any], container: str = "c1", netns: str = POD, **env: str
) -> Any:
    """(0, the result) or (the error's code, the error)."""
    made = call(verb, container, netns, given)
    status, document = rig.answer(made._replace(env=made.env | {"CNI_PATH": BIN} | env))
    return (document["code"] if status else 0), document


def answered(rig: Rig, ips: list[dict[str, Any]], *routes: dict[str, Any]) -> dict[str, Any]:
    """The conf, after the IPAM has been told what to answer."""
    write(rig, f"{BIN}/answer", json.dumps({"cniVersion": "1.1.0", "ips": ips, "routes": routes}))
    return conf(cniVersion="1.1.0", deviceID=vf_pci(0), ipam={"type": "calico-ipam"})


def routes_in(rig: Rig, table: str, family: str = "-4") -> list[dict[str, Any]]:
    shown = rig.ip("-n", "pod", "-N", family, "route", "show", "table", "all", "dev", "net1")
    return [route for route in shown if route.get("table", "254") == table]


def said(error: dict[str, Any]) -> str:
    return f"{error['msg']} | {error.get('details', '')}"


# 3 -------------------------------------------------------------------------------------------------------------------


def test_a_foreign_ipam_reads_the_whole_conf_at_each_verb(rig: Rig) -> None:
    given = answered(rig, [{"address": "10.1.0.5/16"}])
    given |= {"datastore_type": "kubernetes", "kubernetes": {"kubeconfig": "/x"}, "nodename": "n"}
    gc = given | {"cni.dev/valid-attachments": [{"containerID": "c1", "ifname": "net1"}]}
    sent = {"ADD": given, "CHECK": given, "GC": gc, "DEL": given}

    codes = [ask(rig, verb, mine)[0] for verb, mine in sent.items()]

    assert codes == [0, 0, 0, 0]
    assert {verb: json.loads(rig.run("cat", f"{BIN}/{verb}.conf")) for verb in sent} == sent


# 6, 7: leases under a foreign main plugin ----------------------------------------------------------------------------

FOUR = {"type": "host-subnet", "pools": [{"subnet": "10.40.0.0/22", "prefixLength": 24, "gateway": "none"}]}
BRIDGE = {"cniVersion": "1.1.0", "name": "br", "type": "bridge", "ipam": FOUR}


def bridged(rig: Rig, verb: str, container: str, netns: str, **keys: Any) -> tuple[int, Any]:
    made = call(verb, container, f"/run/netns/{netns}", BRIDGE | keys, (f"{BIN}/host-subnet",))
    status, document = rig.answer(made)
    return (document["code"] if status else 0), document


def die(rig: Rig, *containers: str, path: str = "") -> set[int]:
    """Bridge containers that live, and end without a DEL; the inodes that their namespaces had."""
    inodes = set()
    for container in containers:
        name = path or container
        inodes.add(rig.inside(os.stat, rig.add_pod(name)).st_ino)
        assert bridged(rig, "ADD", container, name)[0] == 0
        rig.del_pod(name)
    return inodes


def live(rig: Rig, inodes: set[int], path: str = "") -> list[str]:
    """Namespaces of others, until each of these inodes is in use again: the kernel gives out the lowest one."""
    made: list[str] = []
    while inodes:
        assert len(made) < 200, "no inode came again"
        made.append(path if path and not made else f"other{len(made)}")
        inodes -= {rig.inside(os.stat, rig.add_pod(made[-1])).st_ino}
    return made


@pytest.fixture
def nobody(rig: Rig) -> Iterator[None]:
    yield
    for name in rig.run("ls", "/run/netns").split():
        if name.startswith(("other", "c", "same", "alive")):
            rig.del_pod(name)
    assert bridged(rig, "GC", "", "pod", **{"cni.dev/valid-attachments": []})[0] == 0


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize("path", ["", "same"], ids=["paths of their own", "one path"])
@pytest.mark.parametrize("way", ["add", "gc"])
def test_a_netns_that_has_the_inode_of_a_dead_one_is_another(rig: Rig, path: str, way: str) -> None:
    """Five containers of a bridge that died without DEL, and a pool of four."""
    others = live(rig, die(rig, "c1", "c2", "c3", "c4", path=path), path)
    if way == "gc":
        tool = str(bundle.directory() / "cni-sriov" / "sriovctl")
        items = json.loads(rig.run(tool, "gc", "--json"))["items"]
        assert {item["owner"]: item["taken"] for item in items} == {f"c{n}/net1": True for n in range(1, 5)}

    code, answer = bridged(rig, "ADD", "c5", others[0])

    assert code == 0, answer


@pytest.mark.usefixtures("nobody")
def test_the_living_keep_theirs(rig: Rig) -> None:
    for name in ("alive1", "alive2"):
        rig.add_pod(name)
        assert bridged(rig, "ADD", name, name)[0] == 0
    others = live(rig, die(rig, "c1", "c2"))

    codes = [bridged(rig, "ADD", f"new{n}", others[0])[0] for n in range(3)]

    assert codes == [0, 0, 11]
    assert [bridged(rig, "CHECK", name, name)[0] for name in ("alive1", "alive2")] == [0, 0]


@pytest.mark.usefixtures("nobody")
def test_a_dead_bridge_containers_address_is_had_by_who_asks(rig: Rig) -> None:
    die(rig, "c1")
    rig.add_pod("alive1")
    asked = {"runtimeConfig": {"ips": ["10.40.0.1"]}}
    assert bridged(rig, "ADD", "c2", "alive1", **asked)[0] == 0
    code, error = bridged(rig, "ADD", "c3", "alive1", **asked)
    assert (code, "c2" in said(error)) == (104, True), error


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


# 9 -------------------------------------------------------------------------------------------------------------------


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


# 14: the kernel's side -----------------------------------------------------------------------------------------------

V4 = [{"address": "10.1.0.5/16", "gateway": "10.1.0.1"}]
V6 = [{"address": "fd01::5/64", "gateway": "fd01::1"}]
SERVICES = "10.96.0.0/12"  # the issue's: a Kubernetes cluster's services
FIELDS: dict[str, tuple[dict[str, int], dict[str, Any]]] = {  # as answered, and as `ip -N -j route` shows it
    "table": ({"table": 100}, {"table": "100"}),
    "scope": ({"scope": 200}, {"scope": "200"}),
    "priority": ({"priority": 77}, {"metric": 77}),
    "mtu": ({"mtu": 1400}, {"metrics": [{"mtu": 1400}]}),
    "advmss": ({"advmss": 1300}, {"metrics": [{"advmss": 1300}]}),
}
MUST = {"table", "scope", "priority"}  # ConfigureIface does these (plugins pkg/ipam/ipam_linux.go, v1.9.1)


@pytest.mark.parametrize("field", FIELDS)
def test_a_route_of_a_foreign_ipam_is_as_it_was_answered(rig: Rig, field: str) -> None:
    asked, shown = FIELDS[field]
    given = answered(rig, V4, {"dst": SERVICES} | asked)

    code, answer = ask(rig, "ADD", given)

    if code and field not in MUST:
        assert field in said(answer)
        return
    assert code == 0, answer
    found = [route for route in routes_in(rig, shown.get("table", "254")) if route["dst"] == SERVICES]
    everywhere = [
        route for route in routes_in(rig, "254") + routes_in(rig, "100") if route["dst"] == SERVICES
    ]
    checked = ask(rig, "CHECK", given | {"prevResult": answer})
    assert ask(rig, "DEL", given)[0] == 0
    assert (len(found), len(everywhere)) == (1, 1), everywhere
    assert {key: found[0].get(key) for key in shown if key != "table"} == {
        key: value for key, value in shown.items() if key != "table"
    }
    assert checked == (0, None)


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


def test_check_misses_a_route_in_its_own_table(rig: Rig) -> None:
    given = answered(rig, V4, {"dst": SERVICES, "table": 100})
    code, answer = ask(rig, "ADD", given)
    assert code == 0, answer
    moved = bool(routes_in(rig, "100"))
    if moved:
        rig.run("ip", "-n", "pod", "route", "del", SERVICES, "table", "100")
    drifted = ask(rig, "CHECK", given | {"prevResult": answer})
    assert ask(rig, "DEL", given)[0] == 0
    assert (moved, drifted[0]) == (True, 107), drifted


def test_two_ways_to_one_destination_are_both_there_or_refused(rig: Rig) -> None:
    """netlink.RouteAddEcmp adds without NLM_F_EXCL (ConfigureIface, v1.9.1)."""
    ways = [{"dst": "fd09::/64", "gw": "fd01::1"}, {"dst": "fd09::/64", "gw": "fd01::2"}]
    given = answered(rig, V6, *ways)
    code, answer = ask(rig, "ADD", given)
    if code:
        assert "fd09::/64" in said(answer)
        return
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
    """ConfigureIface does both (v1.9.1)."""
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


def test_an_ipam_may_write_addresses_as_it_likes(rig: Rig) -> None:
    """12: CHECK compares them as addresses."""
    given = answered(rig, [{"address": "FD01:0::5/64", "gateway": "FD01::0:1"}], {"dst": "FD09:0::/64"})
    code, answer = ask(rig, "ADD", given)
    assert code == 0, answer
    checked = ask(rig, "CHECK", given | {"prevResult": answer})
    assert ask(rig, "DEL", given)[0] == 0
    assert checked == (0, None)


# 15: standard input that is none -------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["ADD", "DEL", "CHECK", "GC"])
@pytest.mark.parametrize("door", ["sriov", "host-subnet"])
@pytest.mark.parametrize(
    "flags", [os.O_RDONLY | os.O_DIRECTORY, os.O_WRONLY], ids=["a directory", "write-only"]
)
def test_an_input_that_cannot_be_read_is_one_error_document(
    rig: Rig, tmp_path: Path, door: str, verb: str, flags: int
) -> None:
    """skel: code 5, "error reading from stdin" (cni pkg/skel/skel.go, v1.3.0)."""
    asked = call(verb, "c1", POD, {}, (f"{BIN}/{door}" if door == "host-subnet" else str(bundle.sriov()),))
    (tmp_path / "file").touch()
    stdin = os.open(tmp_path if flags & os.O_DIRECTORY else tmp_path / "file", flags)
    try:
        done = rig.inside(subprocess.run, asked.argv, env=asked.env, stdin=stdin, capture_output=True)
    finally:
        os.close(stdin)
    assert (done.returncode, json.loads(done.stdout)["code"]) == (1, 5), done.stderr


def test_version_reads_no_input(rig: Rig) -> None:
    """skel gives VERSION an empty one (v1.3.0)."""
    asked = call("VERSION", "", "", {})
    stdin = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    done = rig.inside(subprocess.run, asked.argv, env=asked.env, stdin=stdin, capture_output=True)
    os.close(stdin)
    assert (done.returncode, "1.1.0" in json.loads(done.stdout)["supportedVersions"]) == (0, True), (
        done.stderr
    )


# 16: a DEL that takes its time ---------------------------------------------------------------------------------------


def test_an_add_of_the_same_vf_waits_for_a_del_that_is_under_way(rig: Rig) -> None:
    given = answered(rig, [{"address": "10.1.0.5/16"}])
    assert ask(rig, "ADD", given)[0] == 0
    write(rig, f"{BIN}/slow-DEL", "")
    rig.run("rm", "-f", f"{BIN}/DEL.conf")
    leaving = call("DEL", "c1", POD, given)
    process = rig.start(Call(leaving.argv, leaving.env | {"CNI_PATH": BIN}, leaving.stdin))
    while not rig.inside(os.path.exists, f"{BIN}/DEL.conf"):
        assert process.poll() is None
    mine = conf(deviceID=vf_pci(0))

    code, answer = ask(rig, "ADD", mine, "c2", "/run/netns/pod2")

    rig.run("rm", f"{BIN}/slow-DEL")
    assert answer_of(process) == (0, None)
    assert ask(rig, "DEL", mine, "c2", "/run/netns/pod2")[0] == 0
    assert code == 0, answer


# what users wish for -------------------------------------------------------------------------------------------------


def test_keys_of_the_interface_are_set_and_put_back(rig: Rig) -> None:
    given = conf(deviceID=vf_pci(1), txqueuelen=543, allmulti=True, promisc=True)
    (before,) = rig.ip("link", "show", "dev", "vf1")
    assert ask(rig, "ADD", given)[0] == 0
    (link,) = rig.ip("-n", "pod", "link", "show", "dev", "net1")
    assert ask(rig, "DEL", given)[0] == 0
    (after,) = rig.ip("link", "show", "dev", "vf1")
    assert (link["txqlen"], {"ALLMULTI", "PROMISC"} - set(link["flags"])) == (543, set())
    assert (after["txqlen"], after["flags"]) == (before["txqlen"], before["flags"])


@pytest.fixture
def no_pf(rig: Rig) -> Iterator[dict[str, Any]]:
    """As in a virtual machine that was passed VFs: the device says nothing of a PF."""
    physfn, virtfn = f"/run/rig/pci/{vf_pci(3)}/physfn", f"/run/rig/pci/{PF_PCI}/virtfn3"
    rig.run("rm", physfn, virtfn)
    given = conf(deviceID=vf_pci(3), mtu=1400)
    del given["master"]
    yield given
    rig.run("ln", "-s", f"../{PF_PCI}", physfn)
    rig.run("ln", "-s", f"../{vf_pci(3)}", virtfn)


def test_a_vf_without_a_pf_does_what_needs_none(rig: Rig, no_pf: dict[str, Any]) -> None:
    code, answer = ask(rig, "ADD", no_pf)
    assert code == 0, answer
    assert ask(rig, "CHECK", no_pf | {"prevResult": answer}) == (0, None)
    (link,) = rig.ip("-n", "pod", "link", "show", "dev", "net1")
    assert (link["mtu"], link["address"]) == (1400, answer["interfaces"][0]["mac"])
    assert ask(rig, "DEL", no_pf) == (0, None)


@pytest.mark.parametrize(
    "keys",
    [{"vlan": 100}, {"spoofchk": "off"}, {"trust": "on"}, {"link_state": "auto"}, {"max_tx_rate": 100}],
    ids=lambda keys: next(iter(keys)),
)
def test_a_key_that_needs_the_pf_is_101_and_says_so(
    rig: Rig, no_pf: dict[str, Any], keys: dict[str, Any]
) -> None:
    code, error = ask(rig, "ADD", no_pf | keys)
    assert (code, next(iter(keys)) in said(error), "PF" in said(error)) == (101, True, True), error


def test_state_is_where_the_rig_looks(rig: Rig) -> None:
    """So that the check after each test here looks at something."""
    assert ask(rig, "ADD", conf())[0] == 0
    assert any(path.startswith(f"{STATE}/sriov/") for path in rig.leftovers())
    assert ask(rig, "DEL", conf())[0] == 0
