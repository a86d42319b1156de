"""Every key of sriov-cni, with its meaning: each is given to ADD as its documentation has it, and read off the card."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.drop_in import known
from tests.fakes import FakeLink, FakeVf
from tests.pages import text_of
from tests.world import World

VF = "0000:01:10.4"
# its configuration reference and pkg/types/types.go, of sriov-cni 2; cniDir and master are of 1
THEIRS = {
    *("name", "type", "cniVersion", "ipam", "deviceID", "vlan", "vlanQoS", "vlanProto", "mac", "spoofchk", "trust", "link_state"),
    *("min_tx_rate", "max_tx_rate", "logLevel", "logFile", "mtu", "master", "cniDir", "dns", "capabilities", "prevResult"),
    "runtimeConfig.mac",
}  # fmt: skip
Look = Callable[[FakeVf, FakeLink], Any]
KEYS: list[tuple[str, dict[str, Any], Look, Any]] = [
    ("deviceID", {}, lambda vf, link: vf.pci_address, VF),
    ("vlan", {"vlan": 1000}, lambda vf, link: vf.state.vlan, 1000),
    ("vlan 0", {"vlan": 0}, lambda vf, link: vf.state.vlan, 0),
    ("vlanQoS", {"vlan": 1000, "vlanQoS": 4}, lambda vf, link: vf.state.vlan_qos, 4),
    ("vlanProto", {"vlan": 5, "vlanProto": "802.1Q"}, lambda vf, link: vf.state.vlan_proto, "802.1q"),
    ("mac", {"mac": "CA:FE:C0:FF:EE:00"}, lambda vf, link: (vf.state.mac, link.mac), ("ca:fe:c0:ff:ee:00",) * 2),
    ("runtimeConfig.mac", {"mac": "CA:FE:C0:FF:EE:00", "capabilities": {"mac": True}, "runtimeConfig": {"mac": "CA:FE:C0:FF:EE:01"}},
     lambda vf, link: link.mac, "ca:fe:c0:ff:ee:01"),
    ("spoofchk", {"spoofchk": "off"}, lambda vf, link: vf.state.spoofchk, False),
    ("trust", {"trust": "on"}, lambda vf, link: vf.state.trust, True),
    ("link_state", {"link_state": "auto"}, lambda vf, link: vf.state.link_state, "auto"),
    ("min_tx_rate", {"min_tx_rate": 0, "max_tx_rate": 200}, lambda vf, link: vf.state.min_tx_rate, 0),
    ("max_tx_rate", {"max_tx_rate": 200}, lambda vf, link: vf.state.max_tx_rate, 200),
    ("mtu", {"mtu": 1400}, lambda vf, link: link.mtu, 1400),
    ("master", {"master": "anything"}, lambda vf, link: vf.pci_address, VF),
    ("ipam", {"ipam": {}}, lambda vf, link: link.addresses, []),
    ("cniDir", {"cniDir": "/var/lib/cni/sriov-1"}, lambda vf, link: link.name, "net1"),
    *[(f"logLevel {level}", {"logLevel": level}, lambda vf, link: link.is_up, True)
      for level in ("panic", "error", "warning", "info", "debug")],
    ("dns", {"dns": {"nameservers": ["192.0.2.1"]}}, lambda vf, link: link.is_up, True),
    ("capabilities", {"capabilities": {"mac": True, "ips": True}}, lambda vf, link: link.is_up, True),
    ("prevResult", {"prevResult": {"cniVersion": "0.3.1", "ips": []}}, lambda vf, link: link.is_up, True),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "look", "value"), [row[1:] for row in KEYS], ids=[row[0] for row in KEYS])
def test_each_key_does_what_it_did(world: World, keys: dict[str, Any], look: Look, value: Any) -> None:
    known(world)
    before = world.kernel.snapshot()
    conf = world.conf(**({"cniVersion": "0.3.1", "master": None, "deviceID": VF} | keys))

    added = world.call("ADD", conf)

    assert added.code == 0, added.text
    vf = next(vf for vf in world.kernel.pfs[0].vfs if vf.pci_address == VF)
    assert look(vf, world.pod_link()) == value
    assert world.call("DEL", conf).code == 0
    assert world.kernel.snapshot() == before


@pytest.mark.parametrize("leave", [{"capabilities": {"mac": True}}, {"allowRequests": ["mac"]}])
def test_a_mac_by_cni_args(world: World, leave: dict[str, Any]) -> None:
    """Over a `mac` of the conf only where the operator wrote that it may: the one difference."""
    conf = world.conf(cniVersion="0.3.1", master=None, deviceID=VF, mac="CA:FE:C0:FF:EE:00") | leave
    assert world.call("ADD", conf, args="IgnoreUnknown=1;MAC=CA:FE:C0:FF:EE:02").code == 0
    assert world.pod_link().mac == "ca:fe:c0:ff:ee:02"


def test_every_key_has_its_test_and_its_line_on_the_page() -> None:
    tested = {row[0].partition(" ")[0] for row in KEYS} | {"name", "type", "cniVersion", "logFile"}
    rows = re.findall(r"^\| (`.+?) \|", text_of("docs/sriov-cni.md"), re.MULTILINE)
    told = {key for row in rows for key in re.findall(r"`([^`]+)`", row)}

    assert tested == THEIRS
    assert told - {"MAC"} == THEIRS
