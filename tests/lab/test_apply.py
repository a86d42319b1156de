"""`sriovctl apply` of the bundle on the emulated card: what a port and its VFs are is told by `ip -j -d link`, sysfs and the
kernel's log in the guest.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import bundle
from tests.unit.test_units import HOST, settings

from .ctl import SRIOVCTL
from .guest import Done
from .node import CONF, Node
from .vm import PORTS, Vm

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

FILE = "/etc/cni-sriov/host.json"
WANTED: dict[str, Any] = {
    "pfs": [
        {
            "pf": {"names": [PORTS[0]]},
            "numvfs": "max",
            "mtu": 9000,
            "vfs": [
                {"range": "0-3", "trust": "on", "spoofchk": "off", "mtu": 9000, "driver": "kernel"},
                {"range": "4-6", "trust": "off", "spoofchk": "on", "driver": "auto"},
            ],
        },
        {"pf": {"pciAddresses": ["0000:01:00.1"]}, "numvfs": 4, "vfs": [{"range": "3", "trust": "on"}]},
        {"pf": {"drivers": ["mlx5_core"]}, "optional": True, "numvfs": 8},
    ]
}


@pytest.fixture(scope="session")
def lab_share() -> Path:
    return bundle.directory()


@pytest.fixture
def card(lab_module: Vm) -> Node:
    """One guest for the file, each test goes on from what the one before it left."""
    node = Node(lab_module)
    node.clear()
    return node


def apply(node: Node, document: dict[str, Any] | None = None, options: str = "", prefix: str = "") -> Done:
    if document is not None:
        node.vm.run("mkdir -p /etc/cni-sriov")
        node.vm.put(FILE, json.dumps(document))
    return node.vm.run(f"{prefix} {SRIOVCTL} apply {options}", check=False)


def rights() -> str:
    """Those that the unit leaves: a command before the command."""
    left = "".join(
        f",+{name.removeprefix('CAP_').lower()}" for name in settings(HOST)["Service.CapabilityBoundingSet"]
    )
    return f"setpriv --bounding-set=-all{left} --no-new-privs"


def told(node: Node) -> list[list[tuple[str, str, str]]]:
    """(driver, trust, spoofchk) of each VF of each port."""
    drivers = node.vm.run(
        "for d in /sys/bus/pci/devices/*/physfn; do d=${d%/physfn};"
        ' echo ${d##*/} $(basename "$(readlink $d/driver)"); done'
    ).stdout.splitlines()
    driver_of = dict(line.split() for line in drivers)
    found = []
    for port in PORTS:
        links = node.vm.run(
            f"cd /sys/class/net/{port}/device; readlink -e virtfn? | xargs -n1 basename"
        ).stdout
        found.append(
            [
                (driver_of[pci], "on" if vf["trust"] else "off", "on" if vf["spoofchk"] else "off")
                for pci, vf in zip(links.split(), node.vfs(port), strict=True)
            ]
        )
    return found


def ifindexes(node: Node) -> dict[str, int]:
    return {pci: link["ifindex"] for pci, link in node.links().items()}


def vfs_made(node: Node) -> str:
    """By the kernel's log: igb says so of each numvfs, igbvf of each VF that it takes."""
    return node.vm.run("dmesg | grep -c 'VFs allocated\\|Virtual Function'").stdout


def test_a_bare_card_becomes_what_the_file_says(card: Node) -> None:
    """With no more rights than the unit leaves."""
    card.vm.run(f"ip link set {PORTS[0]} down; ip link set {PORTS[1]} down")
    dry = apply(card, WANTED, "--dry-run")
    assert dry.returncode == 0, dry.stdout + dry.stderr
    assert f"would give {PORTS[0]} 7 VFs (has none)" in dry.stdout
    assert f"would bind vf 4-6 of {PORTS[0]} to vfio-pci" in dry.stdout
    assert card.links()["0000:01:00.0"]["mtu"] == 1500
    assert "0000:01:10.0" not in card.links()

    done = apply(card, options="--wait 5", prefix=rights())

    assert done.returncode == 0, done.stdout + done.stderr
    assert told(card) == [
        [("igbvf", "on", "off")] * 4 + [("vfio-pci", "off", "on")] * 3,
        [("igbvf", "off", "on")] * 3 + [("igbvf", "on", "on")],
    ]
    links = card.links()
    assert [links[f"0000:01:00.{n}"]["mtu"] for n in (0, 1)] == [9000, 1500]
    assert all("UP" in links[f"0000:01:00.{n}"]["flags"] for n in (0, 1))
    assert [links[f"0000:01:{vf}"]["mtu"] for vf in ("10.0", "10.2", "10.4", "10.6", "10.1")] == [
        9000
    ] * 4 + [1500]


def test_the_second_time_nothing_is_touched(card: Node) -> None:
    before, indexes = card.card(), ifindexes(card)
    made = vfs_made(card)

    again = apply(card, options="--json")

    document = json.loads(again.stdout)
    assert (again.returncode, document["changed"], again.stderr) == (0, False, "")
    assert [pf["plan"] + pf["done"] + pf["refused"] + pf["left"] for pf in document["pfs"]] == [[], []]
    assert vfs_made(card) == made
    assert (card.changed(before), ifindexes(card)) == ([], indexes)


def test_a_container_keeps_its_vf_and_del_brings_the_default_back(card: Node) -> None:
    card.add_netns("c1")
    conf = CONF | {"trust": "off", "spoofchk": "on", "mtu": 1400}
    assert card.cni("ADD", conf, "c1").code == 0
    before, inside = card.card(), card.links("c1")
    wanted = {"pfs": [WANTED["pfs"][0] | {"numvfs": 3, "mtu": 1500, "vfs": []}]}

    refused = apply(card, wanted)

    assert refused.returncode == 1
    assert f"change {PORTS[0]} from 7 to 3 VFs: 1 of them in use, and all would go" in refused.stdout
    assert "vf 0 (0000:01:10.0): attached to c1/net1 (/run/netns/c1)" in refused.stdout
    assert (card.changed(before), card.links("c1").keys()) == ([], inside.keys())
    assert told(card)[0][0] == ("igbvf", "off", "on")

    assert card.cni("DEL", conf, "c1").code == 0
    assert told(card)[0][0] == ("igbvf", "on", "off")
    assert card.links()["0000:01:10.0"]["mtu"] == 9000
