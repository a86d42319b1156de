"""A VF whose PF is not visible, as in a virtual machine: `deviceID` works for what needs no PF."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.kernel.replies import Address, KernelRoute
from cni_sriov.words.domain import Route
from tests.fakes import FakeLink
from tests.unit import dpdk
from tests.unit.ctl.tool import sriovctl
from tests.world import World

VF, MAC = "0000:01:10.0", "02:00:00:00:aa:01"


@pytest.fixture
def machine(world: World) -> World:
    """The PF's side is gone from sysfs, as the hypervisor hides it; its VF 0 is what was passed through."""
    devices = world.kernel.root / "sys/bus/pci/devices"
    (devices / VF / "physfn").unlink()
    for path in devices.iterdir():
        if path.name != VF:
            shutil.rmtree(path)
    for link in [link for link in world.kernel.host.links.values() if link.pci_address not in {"", VF}]:
        shutil.rmtree(world.kernel.root / "sys/class/net" / link.name)
        world.kernel.host.links = {i: o for i, o in world.kernel.host.links.items() if o is not link}
    return world


def conf(world: World, **keys: Any) -> dict[str, Any]:
    return world.conf(**({"master": None, "deviceID": VF} | keys))


def vf_of(world: World) -> FakeLink:
    link = world.kernel.pfs[0].vfs[0].link
    assert link is not None
    return link


def driver(world: World, name: str) -> None:
    path = world.kernel.root / "sys/bus/pci/devices" / VF / "driver"
    path.unlink()
    path.symlink_to(f"../../drivers/{name}")


def test_it_is_attached_checked_told_and_given_back(machine: World) -> None:
    before = machine.settled()
    asked = conf(machine, mac=MAC, mtu=1400, txqueuelen=100, ipam=machine.ipam())
    info = {"CNIDeviceInfoFile": f"{machine.devinfo_dir}/c1_net1"}

    added = machine.call("ADD", asked | {"runtimeConfig": info})

    assert added.code == 0, added.text
    assert added.document["interfaces"][0]["mac"] == MAC
    told = json.loads(Path(info["CNIDeviceInfoFile"]).read_text())
    assert told == {"type": "pci", "version": "1.1.0", "pci": {"pci-address": VF}}
    assert machine.call("CHECK", asked | {"prevResult": added.document}).code == 0
    assert machine.call("ADD", asked).code == 106
    machine.kernel.add_pod("/run/netns/pod2")
    assert machine.call("ADD", conf(machine), "c2", "/run/netns/pod2").code == 11
    (row,) = sriovctl(machine, "status", "--json").document["pfs"]
    assert (row["pci"], row["vfs"][0]["pci"], row["vfs"][0]["owner"]["containerID"]) == ("", VF, "c1")
    assert "1 attached whose PF is not visible" in sriovctl(machine, "status").out
    assert machine.call("DEL", conf(machine), netns="").code == 0
    del machine.kernel.pods["/run/netns/pod2"]
    assert machine.settled() == before


def test_when_its_pod_died_gc_and_the_next_add_take_it_back(machine: World) -> None:
    for again in (False, True):
        assert machine.call("ADD", conf(machine, mac=MAC)).code == 0
        machine.kernel.kill_netns("/run/netns/pod1")
        machine.kernel.add_pod("/run/netns/pod1")
        if again:
            assert machine.call("ADD", conf(machine), "c2").code == 0
        else:
            (item,) = sriovctl(machine, "gc", "--json").document["items"]
            assert (item["what"], item["taken"]) == (f"VF {VF}", True)
    assert machine.call("DEL", conf(machine), "c2").code == 0
    assert vf_of(machine).mac != MAC


@pytest.mark.parametrize(
    "keys",
    [{"vlan": 0}, {"vlan": 5, "vlanQoS": 1}, {"spoofchk": "on"}, {"trust": "off"}, {"link_state": "auto"},
     {"max_tx_rate": 10}, {"min_tx_rate": 1}, {"runtimeConfig": {"bandwidth": {"egressRate": 1000000}}}],
)  # fmt: skip
def test_what_needs_the_pf_is_refused_by_name(machine: World, keys: dict[str, Any]) -> None:
    before = machine.settled()

    refused = machine.call("ADD", conf(machine, **keys))

    key = "max_tx_rate" if "runtimeConfig" in keys else next(iter(keys))
    assert (refused.code, key in refused.text, "only its PF can" in refused.text) == (101, True, True)
    assert machine.settled() == before


@pytest.mark.parametrize("name", ["e1000e", "virtio_net", "igb", "vfio-pci"])
def test_any_other_card_of_the_machine_is_refused(machine: World, name: str) -> None:
    driver(machine, name)

    refused = machine.call("ADD", conf(machine))

    assert (refused.code, name in refused.text, "host-device" in refused.text) == (101, True, True)


def test_a_pf_named_as_a_vf_is_refused(world: World) -> None:
    refused = world.call("ADD", conf(world, deviceID="0000:01:00.0"))

    assert (refused.code, "host-device" in refused.text) == (101, True), refused.text


def test_what_the_machine_itself_uses_is_not_taken(machine: World) -> None:
    vf_of(machine).addresses.append(Address("192.0.2.1/24", 0, 0x80))
    addressed = machine.call("ADD", conf(machine))
    vf_of(machine).addresses.clear()
    vf_of(machine).routes.append(KernelRoute(Route("0.0.0.0/0", gw="192.0.2.254"), 0, 254))
    routed = machine.call("ADD", conf(machine))

    assert (addressed.code, "global address" in addressed.text) == (11, True), addressed.text
    assert (routed.code, "default route" in routed.text) == (11, True), routed.text


def test_a_hypervisor_that_keeps_its_mac_says_so(machine: World) -> None:
    """Its PF has an admin MAC for it and does not trust it."""
    machine.kernel.pfs[0].vfs[0].admin_mac = True
    before = machine.settled()

    refused = machine.call("ADD", conf(machine, mac=MAC))

    assert (refused.code, "mac" in refused.text) == (100, True), refused.text
    assert machine.settled() == before


def test_status_takes_it_for_served(machine: World) -> None:
    new = {"cniVersion": "1.1.0", "statusOnFull": "error"}
    assert machine.call("STATUS", conf(machine, **new)).code == 0
    assert machine.call("STATUS", conf(machine, deviceID="0000:09:00.0", **new)).code == 50
    assert machine.call("STATUS", conf(machine, vlan=5, **new)).code == 50


# passed through, and taken from the machine: for a program in user space -------------------------------------------------


def on_vfio(machine: World, alias: str = "pci:v00008086d000010CAsv*sd*bc*sc*i* igbvf") -> None:
    """And what the kernel has for such a device."""
    dpdk.furnish(machine)
    dpdk.ahead(machine, machine.kernel.pfs[0].vfs[0])
    root = machine.kernel.root
    (root / "lib/modules/6.1.0").mkdir(parents=True)
    (root / "lib/modules/6.1.0/modules.alias").write_text(f"alias {alias}\n")
    (root / "proc/sys/kernel").mkdir(parents=True)
    (root / "proc/sys/kernel/osrelease").write_text("6.1.0\n")
    modalias = "pci:v00008086d000010CAsv00008086sd0000A02Bbc02sc00i00"
    (root / f"sys/bus/pci/devices/{VF}/modalias").write_text(f"{modalias}\n")


def test_a_vf_that_has_a_driver_for_user_space_is_given_as_it_is(machine: World) -> None:
    """Nobody can tell its address, or set one."""
    on_vfio(machine)
    before = machine.snapshot()

    added = machine.call("ADD", conf(machine, ipam=machine.ipam(), cniVersion="1.1.0"))

    (interface,) = added.document["interfaces"]
    assert interface == {"name": "net1", "sandbox": "/run/netns/pod1", "pciID": VF}
    assert added.document["ips"][0]["address"] == "10.10.0.2/24"
    assert machine.call("DEL", conf(machine)).code == 0
    assert machine.snapshot() == before


def test_a_whole_card_that_has_one_is_still_refused(machine: World) -> None:
    on_vfio(machine, "pci:v00008086d000010CAsv*sd*bc*sc*i* igb")

    refused = machine.call("ADD", conf(machine))

    assert (refused.code, "its driver is vfio-pci, which is no VF's" in refused.text) == (101, True)
