"""What libcni makes of a file and sends to the plugin, seen through cnitool; and `validate`, which must know before.

cnitool is the distribution's (libcni 1.1.2 on Debian 12): what later ones read otherwise is in tests/unit/ctl/test_libcni.py.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from .guest import Done
from .node import PLUGIN_DIR, Node
from .vm import PORTS

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

Json = dict[str, Any]
DIRECTORY = "/tmp/judged"
PLUGIN: Json = {"type": "sriov", "master": PORTS[0], "vlan": 100}
LIST: Json = {"cniVersion": "1.0.0", "name": "fast", "plugins": [PLUGIN]}
ALONE: Json = {"cniVersion": "1.0.0", "name": "fast", **PLUGIN}
POOLS = [{"subnet": "10.10.0.0/16", "prefixLength": 24}]
IPAM: Json = {"type": "host-subnet", "pools": POOLS}
# containers/podman 4 and k8snetworkplumbingwg/multus-cni v4.3.0 put theirs before what their own environment has
TWICE = "IgnoreUnknown=true;K8S_POD_NAME=p;IgnoreUnknown=1;K8S_POD_NAME=p"


def without(raw: Json, *keys: str) -> Json:
    return {key: value for key, value in raw.items() if key not in keys}


def inside(**keys: Any) -> Json:
    return LIST | {"plugins": [PLUGIN | keys]}


# (what, the file's ending, its document)
GOOD: list[tuple[str, str, Any]] = [
    ("a list", "conflist", LIST),
    ("a plugin", "conf", ALONE),
    ("a plugin in .json", "json", ALONE),
    ("no cniVersion", "conflist", without(LIST, "cniVersion")),
    ("no cniVersion, alone", "conf", without(ALONE, "cniVersion")),
    ("an empty cniVersion", "conflist", LIST | {"cniVersion": ""}),
    ("keys in another case", "conflist", inside(vlan=None, Vlan=200, SpoofChk="off", MAC="02:00:00:00:aa:01", LogLevel="debug")),
    ("Type", "conflist", LIST | {"plugins": [{"Type": "sriov", "Master": PORTS[0]}]}),
    ("nulls", "conflist", inside(vlan=None, mac=None, dns=None, ipam=None, capabilities={"mac": None}, args=None)),
    ("both spellings, one value", "conflist", inside(Vlan=100)),
    ("host-subnet", "conflist", inside(ipam=IPAM)),
    ("host-subnet in another case", "conflist", inside(IPAM={"Type": "host-subnet", "Pools": POOLS, "OnLink": True})),
    ("a VLAN of the pod's own", "conflist", inside(args={"cni": {"vlan": 7}}, allowRequests=["vlan"])),
]  # fmt: skip
BAD: list[tuple[str, str, Any]] = [
    ("disableCheck adsf", "conflist", LIST | {"disableCheck": "adsf"}),
    ("disableCheck null", "conflist", LIST | {"disableCheck": None}),
    ("cniVersion 1", "conflist", LIST | {"cniVersion": 1}),
    ("cniVersion 9.9.9", "conflist", LIST | {"cniVersion": "9.9.9"}),
    ("name 5", "conflist", LIST | {"name": 5}),
    ("name a b", "conflist", LIST | {"name": "a b"}),
    ("no plugins", "conflist", without(LIST, "plugins")),
    ("plugins empty", "conflist", LIST | {"plugins": []}),
    ("plugins an object", "conflist", LIST | {"plugins": PLUGIN}),
    ("no type", "conflist", LIST | {"plugins": [without(PLUGIN, "type")]}),
    ("type 5", "conflist", inside(type=5)),
    ("nameservers a word", "conflist", inside(dns={"nameservers": "10.0.0.1"})),
    ("DNS, Nameservers a word", "conf", ALONE | {"DNS": {"Nameservers": "10.0.0.1"}}),
    ("a capability of words", "conflist", inside(capabilities={"mac": "yes"})),
    ("ipam a word", "conflist", inside(ipam="host-subnet")),
    ("prevResult a list", "conflist", inside(prevResult=[])),
    ("a list in a .conf", "conf", LIST),
    ("a plugin in a .conflist", "conflist", ALONE),
    ("not JSON", "conflist", "{"),
    ("vlan 5000", "conflist", inside(vlan=5000)),
    ("Vlan 5000", "conflist", inside(vlan=None, Vlan=5000)),
    ("two spellings", "conflist", inside(Vlan=200)),
    ("no VF", "conflist", LIST | {"plugins": [{"type": "sriov"}]}),
    ("a VLAN that the pod may not ask for", "conflist", inside(args={"cni": {"vlan": 7}})),
]  # fmt: skip


def put(node: Node, suffix: str, document: Any, directory: str = DIRECTORY) -> None:
    """The one file of its directory."""
    if directory == DIRECTORY:
        node.vm.run(f"rm -rf {directory}")
    text = document if isinstance(document, str) else json.dumps(document)
    node.vm.put(f"{directory}/10-x.{suffix}", text)


def cnitool(node: Node, verb: str, directory: str = DIRECTORY, netns: str = "c1", **env: str) -> Done:
    given = {"CNI_PATH": f"{PLUGIN_DIR}:/usr/lib/cni", "NETCONFPATH": directory} | env
    return node.vm.run(["cnitool", verb, "fast", f"/run/netns/{netns}"], env=given, check=False)


def refused(node: Node, directory: str) -> dict[str, list[str]]:
    """What `validate` says of the files in a directory, by their names."""
    done = node.vm.run(f"{PLUGIN_DIR}/sriovctl validate --json {directory}", check=False)
    said: dict[str, list[str]] = {}
    for finding in json.loads(done.stdout)["findings"]:
        if finding["severity"] == "error":
            said.setdefault(finding["document"], []).append(f"{finding['path']}: {finding['rule']}")
    return said


Row = tuple[int, str, str, Any, bool]  # its number; what, the file's ending, its document; whether it is good


def judged(node: Node, netns: str, row: Row, errors: list[str]) -> list[str]:
    """Where `validate` and cnitool do not agree with the row. What was attached is detached again."""
    number, what, _, _, good = row
    directory = f"{DIRECTORY}/{number:02}"
    added = cnitool(node, "add", directory, netns)
    found = []
    if (errors == [], added.returncode == 0) != (good, good):
        found.append(f"{what}: validate {errors} cnitool {added.stdout} {added.stderr}")
    if added.returncode == 0:
        deleted = cnitool(node, "del", directory, netns)
        found += [f"{what}: {deleted.stderr}"] if deleted.returncode else []
    return found


def test_validate_says_what_cnitool_will_do(node: Node) -> None:
    """One `validate` for all, and two containers, each with every second row: the guest has two processors."""
    pods = ("c1", "c2")
    node.add_netns(*pods)
    rows = [(number, *row, number < len(GOOD)) for number, row in enumerate([*GOOD, *BAD])]
    for number, _, suffix, document, _ in rows:
        put(node, suffix, document, f"{DIRECTORY}/{number:02}")
    node.vm.run(
        f"cd {DIRECTORY}; mkdir all; for n in ??; do for f in $n/*; do cp $f all/$n.${{f##*.}}; done; done"
    )
    said = refused(node, f"{DIRECTORY}/all")

    def side(pod: str) -> list[str]:
        mine = rows[pods.index(pod) :: len(pods)]
        return [
            line for row in mine for line in judged(node, pod, row, said.get(f"{row[0]:02}.{row[2]}", []))
        ]

    with ThreadPoolExecutor(len(pods)) as threads:
        wrong = [line for lines in threads.map(side, pods) for line in lines]
    node.vm.run(f"rm -rf /var/lib/cni/results {DIRECTORY}")
    assert wrong == []
    assert node.state_files() == []


def test_a_conf_without_a_version_is_attached_and_detached(node: Node) -> None:
    """libcni puts "cniVersion": "" into it; the answer is of 0.1.0, with the address under ip4."""
    node.add_netns("c1")
    put(node, "conflist", without(inside(ipam=IPAM), "cniVersion"))

    added = cnitool(node, "add")

    assert added.returncode == 0, added.stderr
    assert json.loads(added.stdout)["ip4"]["ip"] == node.addresses("c1", "eth0")[0]
    assert node.links("c1")["0000:01:10.0"]["ifname"] == "eth0"
    deleted = cnitool(node, "del")
    assert deleted.returncode == 0, deleted.stderr
    assert (added.stderr, deleted.stderr) == ("", ""), "nobody asked"
    node.vm.run("rm -rf /var/lib/cni/results")


def test_cni_args_that_come_twice_are_read_as_skel_reads_them(node: Node) -> None:
    node.add_netns("c1")
    put(node, "conflist", inside(ipam=IPAM))

    added = cnitool(node, "add", CNI_ARGS=TWICE + ";IP=10.10.3.7;IP=10.10.7.7")

    assert added.returncode == 0, added.stderr
    assert node.addresses("c1", "eth0") == ["10.10.7.7/24"], "the last one wins"
    for verb in ("check", "del"):
        done = cnitool(node, verb, CNI_ARGS=TWICE)
        assert (done.returncode, done.stderr) == (0, "")
    node.vm.run("rm -rf /var/lib/cni/results")
