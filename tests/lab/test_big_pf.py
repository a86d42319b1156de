"""A PF with 256 VFs and more: netdevsim in the guest, our netlink face beside `ip` and devlink.

netdevsim takes what igb refuses (link_state, min_tx_rate, 802.1ad) and has an eswitch. It is on no PCI bus and its
VFs have no netdevs of their own, so it is the face that is proven here, not an attachment.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from . import netdevsim
from .ready import Lab
from .vm import Vm

pytestmark = pytest.mark.lab

PACKAGE = Path(__file__).parents[2] / "cni_sriov"
DEVICE = "/sys/bus/netdevsim/devices/netdevsim1"
BUFFER = 1 << 15  # what NetlinkSocket has room for, if it is not told
ASK = """
import json, sys, time
sys.path.insert(0, "/mnt/host")
from cni_sriov.kernel import attributes, devlink, replies, rtnl
from cni_sriov.kernel.netlink import Netlink
from cni_sriov.kernel.sysfs import Sysfs
netlink = Netlink()
pf = netlink.ifindex({name!r})
print(json.dumps({expression}))
"""


class Pf:
    """A netdevsim device in the guest."""

    def __init__(self, vm: Vm, name: str) -> None:
        self.vm = vm
        self.name = name

    def create_vfs(self, count: int) -> None:
        self.vm.run(
            f"echo 0 > {DEVICE}/sriov_numvfs; echo {count} > /sys/kernel/debug/netdevsim/netdevsim1/max_vfs;"
            f"echo {count} > {DEVICE}/sriov_numvfs"
        )

    def ask(self, expression: str) -> Any:
        """What our code says in the guest."""
        script = ASK.format(name=self.name, expression=expression)
        return json.loads(self.vm.run(["python3", "-I", "-B", "-c", script]).stdout)

    def states(self) -> dict[int, dict[str, Any]]:
        found = self.ask("{index: state.to_json() for index, state in netlink.vf_states(pf).items()}")
        return {int(index): state for index, state in found.items()}

    def by_ip(self) -> dict[int, dict[str, Any]]:
        """As `ip` shows them: Debian 12's loses most of a list that is longer than 64 KiB."""
        (entry,) = self.vm.json(f"ip -j -d link show dev {self.name}")
        return {vf["vf"]: vf for vf in entry["vfinfo_list"]}


@pytest.fixture(scope="session")
def lab_share(saved_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    share = tmp_path_factory.mktemp("share")
    shutil.copytree(PACKAGE, share / "cni_sriov", ignore=shutil.ignore_patterns("__pycache__", "ctl"))
    built = netdevsim.module(saved_lab.image.release)
    if built is not None:
        shutil.copy2(built, share)
    return share


@pytest.fixture(scope="module")
def pf(lab_module: Vm) -> Pf:
    """A PF with 256 VFs; VF n has a MAC and a VLAN that tell n, given by `ip`."""
    lab_module.run(
        "modprobe netdevsim 2> /dev/null || { modprobe psample; insmod /mnt/host/netdevsim.ko; };"
        "mount -t debugfs debugfs /sys/kernel/debug; echo '1 1' > /sys/bus/netdevsim/new_device; udevadm settle"
    )
    pf = Pf(lab_module, lab_module.run(f"ls {DEVICE}/net").stdout.strip())
    pf.create_vfs(256)
    lines = [f"link set {pf.name} vf {n} mac {mac_of(n)} vlan {n + 1} qos {n % 8}\n" for n in range(256)]
    lab_module.run("ip -batch -", input="".join(lines))
    return pf


def mac_of(index: int) -> str:
    return f"02:00:00:00:{index >> 8:02x}:{index & 255:02x}"


def test_256_vfs_are_read_from_one_answer(pf: Pf) -> None:
    states = pf.states()

    assert list(states) == list(range(256))
    for index, state in states.items():
        asked = {"mac": mac_of(index), "vlan": index + 1, "vlan_qos": index % 8, "vlan_proto": "802.1q"}
        assert {key: state[key] for key in asked} == asked, index
    for index, seen in pf.by_ip().items():
        rates = {"min_tx": states[index]["min_tx_rate"], "max_tx": states[index]["max_tx_rate"]}
        assert (seen["address"], seen["rate"]) == (states[index]["mac"], rates)
        assert [seen[key] for key in ("spoofchk", "trust", "link_state")] == [
            states[index][key] for key in ("spoofchk", "trust", "link_state")
        ]


def test_the_answer_is_larger_than_a_buffer_and_than_a_list_can_say(pf: Pf) -> None:
    """With counters asked for, the list's 16-bit length wraps: there `ip` stops, and we do not."""
    ask = "netlink._socket.ask('', rtnl.RTM_GETLINK, rtnl.link(pf, attributes.attr_u32(rtnl.IFLA_EXT_MASK, {mask})), 1 << 20)"
    plain = ask.format(mask="rtnl.RTEXT_FILTER_VF | rtnl.RTEXT_FILTER_SKIP_STATS")
    counted = ask.format(mask="rtnl.RTEXT_FILTER_VF")

    sizes = pf.ask(f"[len({plain}), len({counted}), len(replies.decode_vfs({counted}))]")

    assert BUFFER < sizes[0] < 1 << 16 < sizes[1]
    assert sizes[2] == 256


def test_one_vf_of_256(pf: Pf) -> None:
    took = pf.ask(
        "[(lambda t: [netlink.vf_state(pf, 200).to_json(), time.monotonic() - t])(time.monotonic())]"
    )
    print(f"one of 256 VFs: {took[0][1] * 1000:.1f} ms in the guest")
    assert took[0][0] == pf.states()[200]
    with pytest.raises(Exception, match="the PF does not list this VF"):
        pf.ask("netlink.vf_state(pf, 256)")


SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("set_vf_mac(pf, {n}, '02:00:00:00:bb:01')", {"address": "02:00:00:00:bb:01"}),
    ("set_vf_vlan(pf, {n}, 7, 3, '802.1ad')", {"vlan_list": [{"vlan": 7, "qos": 3, "protocol": "802.1ad"}]}),
    ("set_vf_vlan(pf, {n}, 9, 0, '802.1q')", {"vlan_list": [{"vlan": 9}]}),
    ("set_vf_rate(pf, {n}, 10, 200)", {"rate": {"max_tx": 200, "min_tx": 10}}),
    ("set_vf_spoofchk(pf, {n}, True)", {"spoofchk": True}),
    ("set_vf_trust(pf, {n}, True)", {"trust": True}),
    ("set_vf_link_state(pf, {n}, 'enable')", {"link_state": "enable"}),
    ("set_vf_link_state(pf, {n}, 'disable')", {"link_state": "disable"}),
    ("set_vf_link_state(pf, {n}, 'auto')", {"link_state": "auto"}),
]


def test_every_setting_arrives_and_only_at_its_vf(pf: Pf) -> None:
    """VF 3 as `ip` sees it; VF 255, which `ip` cannot see, as we do."""
    for n in (3, 255):
        pf.vm.run(f"ip link set {pf.name} vf {n} mac {mac_of(0)} vlan 5")
    before = pf.states()
    for call, seen in SETTINGS:
        pf.ask(f"[netlink.{call.format(n=3)}, netlink.{call.format(n=255)}]")
        shown = pf.by_ip()[3]
        assert {key: shown[key] for key in seen} == seen, call
        after = pf.states()
        assert after[255] == after[3], call
    assert [n for n in before if after[n] != before[n]] == [3, 255]


def test_switchdev_is_told_from_legacy_by_devlink_alone(pf: Pf) -> None:
    """netdevsim has a switch ID in either mode, as ice has: the ID alone would refuse all of Intel's E800 cards."""
    both = f"[devlink.eswitch_mode('netdevsim1', 'netdevsim'), bool(Sysfs().switch_id({pf.name!r}))]"
    pf.create_vfs(4)

    legacy = pf.ask(both)
    pf.vm.run("devlink dev eswitch set netdevsim/netdevsim1 mode switchdev")
    switchdev = pf.ask(both)
    pf.vm.run("devlink dev eswitch set netdevsim/netdevsim1 mode legacy")

    assert (legacy, switchdev) == (["legacy", True], ["switchdev", True])
    assert pf.ask("[devlink.eswitch_mode('0000:01:00.0'), devlink.eswitch_mode('0000:77:00.0')]") == ["", ""]


def test_512_vfs(pf: Pf) -> None:
    """Beyond what any list length can say, with or without counters."""
    pf.create_vfs(512)
    lines = [f"link set {pf.name} vf {n} mac {mac_of(n)}\n" for n in range(512)]
    pf.vm.run("ip -batch -", input="".join(lines))

    states = pf.states()

    assert {index: state["mac"] for index, state in states.items()} == {n: mac_of(n) for n in range(512)}
