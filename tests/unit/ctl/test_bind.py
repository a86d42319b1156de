"""`sriovctl bind`, `unbind`, `restore` through the front door, on the fake's rules; what a kill leaves, each of them ends."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.kernel.replies import Address
from cni_sriov.state.lock import Lock
from cni_sriov.words.errors import KernelRefused
from tests.fakes import Crash
from tests.pages import table_rows
from tests.unit.ctl.tool import attach, files, host, sriovctl
from tests.world import World

VF, PF = "0000:01:10.0", "0000:01:00.0"
BIND = ("bind", VF, "vfio-pci")


@pytest.fixture
def card(world: World) -> World:
    """With an IOMMU and the modules loaded; the first VF as an operator may have made it."""
    world.kernel.tree.add_iommu()
    for driver in ("vfio-pci", "uio_pci_generic"):
        world.kernel.tree.add_driver(driver)
    netlink, link = world.kernel.netlink, first(world)
    netlink.set_vf_vlan(netlink.ifindex("enp1s0f0"), 0, 100)
    link.mtu, link.is_up, link.altnames, link.txqueuelen = 1400, True, ["first-of-them"], 500
    return world


def first(world: World) -> Any:
    return world.kernel.pfs[0].vfs[0].link


def driver(world: World, address: str = VF) -> str:
    """As sysfs says."""
    link = world.kernel.tree.device(address) / "driver"
    return link.readlink().name if link.is_symlink() else ""


def kept(world: World) -> list[str]:
    return sorted(path.name for path in (world.run_dir / "bound").glob("*"))


def nothing_left(world: World, before: dict[str, Any]) -> None:
    assert world.settled() == before
    assert (world.kernel.tree.override(VF), kept(world)) == ("", [])


# there and back -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("back", [("restore", VF), ("bind", VF, "kernel"), ("bind", VF, "igbvf")])
@pytest.mark.parametrize("to", ["vfio-pci", "uio_pci_generic", "auto"])
def test_there_and_back_leaves_the_vf_as_it_was(card: World, to: str, back: tuple[str, ...]) -> None:
    before = card.settled()

    away = sriovctl(card, "bind", VF, to, "--json")
    assert (away.status, driver(card)) == (0, "uio_pci_generic" if to.startswith("uio") else "vfio-pci")
    assert card.kernel.tree.override(VF) == driver(card)
    assert kept(card) == [VF]
    device = away.document["device"]
    assert (device["pci"], device["before"]) == (VF, "igbvf")
    assert (device["driver"], device["changed"], device["netdev"]) == (driver(card), True, "")

    home = sriovctl(card, *back, "--json")

    assert (home.status, home.document["device"]["changed"], home.document["device"]["notes"]) == (
        0,
        True,
        [],
    )
    assert home.document["device"]["netdev"] == "enp1s0f0v0"
    nothing_left(card, before)


def test_unbind_and_restore(card: World) -> None:
    before = card.settled()

    away = sriovctl(card, "unbind", "enp1s0f0v0")
    assert (away.status, driver(card)) == (0, "")
    assert away.out.splitlines() == [f"{VF} is on no driver, and was on igbvf"]
    home = sriovctl(card, "restore", "enp1s0f0:0")

    assert home.status == 0
    assert home.out.splitlines() == [f"{VF} is on igbvf, and was on no driver", "its netdev is enp1s0f0v0"]
    nothing_left(card, before)


def test_by_way_of_another_driver_it_is_what_it_was_first(card: World) -> None:
    before = card.settled()
    for to in ("vfio-pci", "uio_pci_generic"):
        assert sriovctl(card, "bind", VF, to).status == 0
    assert sriovctl(card, "unbind", VF).status == 0

    assert sriovctl(card, "restore", VF).status == 0

    nothing_left(card, before)


def test_what_had_another_driver_before_gets_that_again(card: World) -> None:
    """driverctl's: bound and overridden by another tool."""
    card.kernel.tree.add_driver("igb_uio")
    card.kernel.sysfs.set_override(VF, "igb_uio")
    card.kernel.sysfs.unbind(VF)
    card.kernel.sysfs.probe(VF)
    root = files(card).root
    for name, text in {
        "proc/sys/kernel/osrelease": "6.12.9",
        "lib/modules/6.12.9/modules.alias": "alias pci:v00008086d000010CAsv*sd*bc*sc*i* igbvf",
        f"sys/bus/pci/devices/{VF}/modalias": "pci:v00008086d000010CAsv00001AF4sd00001100bc02sc00i00",
    }.items():
        file = Path(root, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")

    assert sriovctl(card, "bind", VF, "kernel").status == 0
    assert (driver(card), card.kernel.tree.override(VF), first(card).name) == ("igbvf", "", "enp1s0f0v0")
    assert sriovctl(card, "restore", VF).status == 0

    assert (driver(card), card.kernel.tree.override(VF), kept(card)) == ("igb_uio", "igb_uio", [])


@pytest.mark.parametrize(("argv", "says"), [
    (("bind", VF, "kernel"), f"{VF} is on igbvf already: nothing was changed"),
    (("restore", VF), f"{VF} is on igbvf already: nothing was changed"),
])  # fmt: skip
def test_what_is_so_already_is_unchanged_and_said_so(card: World, argv: tuple[str, ...], says: str) -> None:
    effects = list(card.kernel.effects)

    run = sriovctl(card, *argv)

    assert (run.status, run.out.splitlines()[0], card.kernel.effects, kept(card)) == (0, says, effects, [])


def test_the_document_is_the_pages(card: World) -> None:
    cells = [row[0] for row in table_rows("docs/drivers.md")]
    told = {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}

    dry = sriovctl(card, *BIND, "--dry-run", "--json").document
    done = sriovctl(card, *BIND, "--json").document

    device = {
        f"device.{key}[]" if isinstance(value, list) else f"device.{key}"
        for key, value in done["device"].items()
    }
    assert device | {"dryRun", "plan"} <= told
    assert (set(done), set(dry)) == ({"version", "dryRun", "device"}, {"version", "dryRun", "device", "plan"})


def test_twice_is_once(card: World) -> None:
    assert sriovctl(card, *BIND).status == 0
    effects = list(card.kernel.effects)

    again = sriovctl(card, *BIND, "--json")

    assert (again.status, again.document["device"]["changed"], card.kernel.effects) == (0, False, effects)
    assert kept(card) == [VF]


@pytest.mark.parametrize(("argv", "says"), [
    (("bind", VF, "auto"), "would bind 0000:01:10.0 to vfio-pci"),
    (("unbind", VF), "would unbind 0000:01:10.0"),
    (("bind", VF, "kernel"), "0000:01:10.0 is on igbvf already: nothing would be changed"),
    (("restore", VF), "no bind or unbind changed it: nothing would be done"),
])  # fmt: skip
def test_a_dry_run_tells_and_changes_nothing(card: World, argv: tuple[str, ...], says: str) -> None:
    effects = list(card.kernel.effects)

    run = sriovctl(card, *argv, "--dry-run")

    assert (run.status, card.kernel.effects, card.run_dir.exists()) == (0, effects, False)
    assert says in run.out
    document = sriovctl(card, *argv, "--dry-run", "--json").document
    assert (document["dryRun"], document["device"]) == (True, {"pci": VF, "before": "igbvf"})
    assert document["plan"] is None or set(document["plan"]) == {"driver", "change", "loads", "notes"}


def test_a_pf_goes_and_comes_by_force_alone(card: World) -> None:
    refused = sriovctl(card, "bind", "enp1s0f0", "vfio-pci")
    assert (refused.status, driver(card, PF)) == (1, "igb")
    assert "it is a PF, and without igb its 7 VFs go" in refused.err
    link = card.kernel.pfs[0].link
    was = (link.mac, link.mtu, link.is_up)

    assert sriovctl(card, "bind", "enp1s0f0", "vfio-pci", "--force").status == 0
    assert (driver(card, PF), card.kernel.pfs[0].vfs) == ("vfio-pci", [])
    home = sriovctl(card, "restore", PF, "--json")

    assert (home.status, driver(card, PF), kept(card)) == (0, "igb", [])
    link = card.kernel.pfs[0].link
    assert (link.name, (link.mac, link.mtu, link.is_up)) == ("enp1s0f0", was)
    assert home.document["device"]["notes"] == [f"it had 7 VFs: `sriovctl vfs {PF} 7` makes them anew"]


# never from its user --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("force", [(), ("--force",)])
@pytest.mark.parametrize("argv", [BIND, ("unbind", VF), ("bind", "enp1s0f0:0", "uio_pci_generic")])
def test_what_a_container_has_stays_with_it(
    card: World, argv: tuple[str, ...], force: tuple[str, ...]
) -> None:
    attach(card)
    before = card.settled()

    run = sriovctl(card, *argv, *force)

    assert (run.status, card.settled(), driver(card)) == (1, before, "igbvf")
    assert "it is in use" in run.err
    assert "attached to c1/net1 (/run/netns/pod1)" in run.err


def test_a_pf_with_a_vf_in_a_container_stays(card: World) -> None:
    attach(card)

    run = sriovctl(card, "bind", PF, "vfio-pci", "--force")

    assert (run.status, driver(card, PF), len(card.kernel.pfs[0].vfs)) == (1, "igb", 7)
    assert "vf 0 (0000:01:10.0): attached to c1/net1" in run.err


def test_a_claim_that_comes_in_the_last_moment_is_seen(card: World) -> None:
    """Between the look and the lock an ADD takes the VF: Sysfs.inode is asked for the second time when the plan is made."""
    asked = []

    def add(*_: object) -> None:
        asked.append(1)
        if len(asked) == 2:
            attach(card)

    card.kernel.before("inode", add, always=True)

    run = sriovctl(card, *BIND)

    assert (run.status, driver(card), kept(card)) == (1, "igbvf", [])
    assert "attached to c1/net1" in run.err


def test_an_add_takes_nothing_from_under_the_hands_of_bind(card: World) -> None:
    """What is for user space is taken as it is; the look for claims is over, and unbind may take its time."""
    assert sriovctl(card, *BIND).status == 0
    tried = []

    def add(*_: object) -> None:
        tried.append(card.call("ADD", card.conf(master=None, deviceID=VF)))

    card.kernel.before("unbind", add)

    assert sriovctl(card, "restore", VF).status == 0
    assert [reply.code for reply in tried] == [11], tried[0].text
    assert "sriovctl is giving a device another driver just now" in tried[0].text
    assert driver(card) == "igbvf"


def test_an_address_or_an_upper_device_keeps_it(card: World) -> None:
    first(card).addresses.append(Address("192.0.2.1/24", 0, 0))
    card.kernel.add_upper(card.kernel.pfs[0].vfs[1].link, "br0")  # type: ignore[arg-type] # it has one

    addressed, port = sriovctl(card, *BIND), sriovctl(card, "bind", "enp1s0f0:1", "vfio-pci")

    assert (addressed.status, port.status, driver(card), driver(card, "0000:01:10.2")) == (
        1,
        1,
        "igbvf",
        "igbvf",
    )
    assert "enp1s0f0v0 has the address 192.0.2.1/24" in addressed.err
    assert "enp1s0f0v1 is a port of br0" in port.err


@pytest.mark.parametrize("argv", [("unbind", VF), ("restore", VF), ("vfs", "enp1s0f0", "0")])
def test_what_no_process_shows_is_not_waited_for_without_end(card: World, argv: tuple[str, ...]) -> None:
    """A mapping of the device outlives its descriptor; the kernel knows that its group is taken."""
    assert sriovctl(card, *BIND).status == 0
    group = (card.kernel.tree.device(VF) / "iommu_group").readlink().name
    card.kernel.nodes.taken.add(f"/dev/vfio/{group}")
    effects = len(card.kernel.effects)

    run = sriovctl(card, *argv)

    assert (run.status, driver(card), card.kernel.effects[effects:]) == (1, "vfio-pci", []), run.out
    assert "open in what no process shows" in run.err


@pytest.mark.parametrize("argv", [("unbind", VF), ("restore", VF), ("bind", VF, "uio_pci_generic")])
def test_a_process_that_has_it_open_is_named_and_nothing_is_written(
    card: World, argv: tuple[str, ...]
) -> None:
    assert sriovctl(card, *BIND).status == 0
    group = (card.kernel.tree.device(VF) / "iommu_group").readlink().name
    process = Path(card.root) / "proc/4711"
    (process / "fd").mkdir(parents=True)
    (process / "comm").write_text("dpdk-testpmd\n")
    (process / "fd/5").symlink_to(f"/dev/vfio/{group}")
    effects = list(card.kernel.effects)

    run = sriovctl(card, *argv, "--force")

    assert (run.status, card.kernel.effects, driver(card)) == (1, effects, "vfio-pci")
    assert "it is open in dpdk-testpmd (pid 4711)" in run.err


def test_an_add_takes_no_vf_that_is_bound_away(card: World) -> None:
    for index in range(7):
        assert sriovctl(card, "bind", f"enp1s0f0:{index}", "vfio-pci").status == 0

    assert card.call("ADD", card.conf()).code != 0
    assert sriovctl(card, "restore", "enp1s0f0:3").status == 0
    assert card.call("ADD", card.conf()).code == 0

    assert card.pod_link().pci_address == "0000:01:10.6"


# golden baselines -----------------------------------------------------------------------------------------------------


def test_a_golden_baseline_holds_through_it(card: World) -> None:
    """What a container had, then vfio-pci and back: `baseline` tells no difference, and the next ADD puts nothing right."""
    attach(card)
    assert card.call("DEL", card.conf(ipam=card.ipam())).code == 0
    first(card).traits["ifalias"] = ""
    before = card.settled()

    assert sriovctl(card, *BIND).status == 0
    away = sriovctl(card, "baseline", VF, "--json").document["vfs"][0]
    assert sriovctl(card, "restore", VF).status == 0
    home = sriovctl(card, "baseline", VF, "--json").document["vfs"][0]

    assert (away["differs"], home["differs"]) == ([], [])
    nothing_left(card, before)
    assert card.call("ADD", card.conf()).code == 0
    assert "put right" not in card.log_file.read_text()


def test_what_the_operator_set_before_the_first_add_is_set_again(card: World) -> None:
    first(card).traits["ifalias"] = "rack 7"
    attach(card)
    assert card.call("DEL", card.conf(ipam=card.ipam())).code == 0

    assert sriovctl(card, *BIND).status == 0
    assert sriovctl(card, "restore", VF).status == 0

    assert first(card).traits["ifalias"] == "rack 7"


@pytest.mark.parametrize("trusted", [True, False])
def test_an_admin_mac_that_was_set_meanwhile_stays(card: World, trusted: bool) -> None:
    netlink, pf = card.kernel.netlink, card.kernel.netlink.ifindex("enp1s0f0")
    assert sriovctl(card, *BIND).status == 0
    netlink.set_vf_mac(pf, 0, "02:00:00:00:aa:07")
    netlink.set_vf_trust(pf, 0, trusted)

    run = sriovctl(card, "restore", VF)

    assert (run.status, first(card).mac) == (0, "02:00:00:00:aa:07")
    assert netlink.vf_states(pf)[0].mac == "02:00:00:00:aa:07"


# what goes wrong ------------------------------------------------------------------------------------------------------


def test_a_driver_that_does_not_take_it_and_the_old_one_is_back(world: World) -> None:
    """No IOMMU, but vfio's no-IOMMU mode says it is on: the probe binds nothing, and says nothing."""
    world.kernel.tree.add_driver("vfio-pci")
    parameter = world.kernel.root / "sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
    parameter.parent.mkdir(parents=True)
    parameter.write_text("Y\n")
    before = world.settled()

    run = sriovctl(world, *BIND)

    assert (run.status, run.out, driver(world)) == (1, "", "igbvf")
    assert "nothing bound: its probe refused the device, which is in no IOMMU group (EINVAL)" in run.err
    assert f"{VF} is on igbvf again" in run.err
    nothing_left(world, before)


def test_a_module_is_loaded_when_it_is_missing(card: World) -> None:
    root = Path(files(card).root)
    (root / "sys/bus/pci/drivers/vfio-pci").rmdir()
    kernel = root / "lib/modules/6.12.9"
    kernel.mkdir(parents=True)
    (root / "proc/sys/kernel").mkdir(parents=True)
    (root / "proc/sys/kernel/osrelease").write_text("6.12.9\n")
    missing = sriovctl(card, *BIND)
    assert (missing.status, driver(card)) == (1, "igbvf")
    assert "linux-modules-extra-6.12.9" in missing.err
    (kernel / "modules.dep").write_text("kernel/drivers/vfio/pci/vfio-pci.ko.xz:\n")
    modprobe = root / "sbin/modprobe"
    modprobe.parent.mkdir()
    modprobe.write_text(f"#!/bin/sh\nmkdir {root}/sys/bus/pci/drivers/$2\n")
    modprobe.chmod(0o755)

    run = sriovctl(card, *BIND, "--json")

    assert (run.status, run.document["device"]["loaded"], driver(card)) == (0, ["vfio-pci"], "vfio-pci")


@pytest.mark.parametrize(("where", "says"), [
    ("lo", "it is no PCI device"),
    ("nope0", "it is no PCI device and no netdev of one"),
    ("../../etc", "it is no PCI device"),
    ("0000:01:1f.0", "there is none at 0000:01:1f.0"),
    ("enp1s0f0:7", "use VF 7 of enp1s0f0: it has 7 VFs"),
    ("enp1s0f0:", "it is no PCI device"),
    ("nope:3", "use PF nope"),
    ("enp1s0f0v0:1", "it is a VF"),
])  # fmt: skip
def test_what_is_no_device(card: World, where: str, says: str) -> None:
    effects = list(card.kernel.effects)

    run = sriovctl(card, "bind", where, "vfio-pci")

    assert (run.status, card.kernel.effects) == (1, effects)
    assert says in run.err


@pytest.mark.parametrize(
    "where", [VF, "01:10.0", "enp1s0f0v0", "first-of-them", "enp1s0f0:0", "0000:01:00.0:0"]
)
def test_each_way_to_name_a_device(card: World, where: str) -> None:
    assert (sriovctl(card, "bind", where, "vfio-pci").status, driver(card)) == (0, "vfio-pci")


def test_a_vf_that_vanishes_between_look_and_write(card: World) -> None:
    card.kernel.before("set_override", lambda *_: card.kernel.change_numvfs(card.kernel.pfs[0], 0))

    run = sriovctl(card, *BIND)

    assert (run.status, run.out) == (1, "")
    assert "bind 0000:01:10.0 to vfio-pci: the device has vanished" in run.err


@pytest.mark.parametrize("look", ["inode", "addresses", "find_link", "vf_states", "unbind"])
def test_a_vf_that_vanishes_at_any_look_is_no_success_of_unbind(card: World, look: str) -> None:
    """A device that is not there has no driver either."""
    card.kernel.before(look, lambda *_: card.kernel.change_numvfs(card.kernel.pfs[0], 0))

    run = sriovctl(card, "unbind", VF)

    assert (run.status, run.out) == (1, "")
    assert run.err.splitlines() == [
        f"sriovctl: unbind {VF}: the device has vanished",
        "  a VF goes with its PF's numvfs; lspci -D lists all",
    ]


def test_no_driver_at_all_is_not_meant_by_an_empty_word(card: World) -> None:
    effects = list(card.kernel.effects)

    run = sriovctl(card, "bind", VF, "")

    assert (run.status, run.out, card.kernel.effects, driver(card)) == (2, "", effects, "igbvf")
    assert "sriovctl unbind" in run.err


def test_of_a_vf_that_was_made_anew_nothing_is_restored(card: World) -> None:
    assert sriovctl(card, *BIND).status == 0
    for count in (0, 7):
        card.kernel.change_numvfs(card.kernel.pfs[0], count)

    run = sriovctl(card, "restore", VF)

    assert (run.status, driver(card), kept(card)) == (0, "igbvf", [])
    assert "nothing to restore" in run.out


def test_a_damaged_file_is_named_and_nothing_is_done(card: World) -> None:
    assert sriovctl(card, *BIND).status == 0
    (card.run_dir / "bound" / VF).write_text("{")

    run = sriovctl(card, "restore", VF)

    assert (run.status, driver(card)) == (1, "vfio-pci")
    assert f"bound/{VF}" in run.err


# killed, or refused, at each write ------------------------------------------------------------------------------------


def steps_of(card: World, *argv: str) -> int:
    before = len(card.kernel.effects)
    assert sriovctl(card, *argv).status == 0
    return len(card.kernel.effects) - before


@pytest.mark.parametrize("ending", [("restore", VF), ("bind", VF, "kernel")])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("killed", ["away", "home"])
def test_a_kill_at_each_write_is_made_good(
    tmp_path: Path, killed: str, when: str, ending: tuple[str, ...]
) -> None:
    """kill -9 before or after write k of the way there, or of the way back: then restore, or bind to kernel, and all is as
    before; or the same command again, and it is where it was to go.
    """
    k = 0
    while True:
        card = fresh(tmp_path / f"{k}")
        before = card.settled()
        argv = BIND if killed == "away" else ("restore", VF)
        if killed == "home":
            assert sriovctl(card, *BIND).status == 0
        card.kernel.crash_at(k, when)
        try:
            assert sriovctl(card, *argv).status == 0
            break  # it has no k-th write
        except Crash:
            card.kernel.restart()
        if k % 2:
            again = sriovctl(card, *argv)
            assert (again.status, driver(card)) == (0, "vfio-pci" if killed == "away" else "igbvf")
        assert sriovctl(card, *ending).status == 0, k
        nothing_left(card, before)
        k += 1
    assert k >= 3, "it was cut off, or blind"


@pytest.mark.parametrize("killed", ["away", "home"])
def test_each_write_that_is_refused_is_told_and_made_good(tmp_path: Path, killed: str) -> None:
    k = 0
    while True:
        card = fresh(tmp_path / f"{k}")
        before = card.settled()
        argv = BIND if killed == "away" else ("restore", VF)
        if killed == "home":
            assert sriovctl(card, *BIND).status == 0
        card.kernel.fail_effect(k, "before")
        run = sriovctl(card, *argv)
        if "Input/output error" not in run.err + run.out:
            break
        assert run.status == 1 or "note: " in run.out
        if run.status == 1:
            assert f"sriovctl restore {VF}" in run.err
            assert sriovctl(card, "restore", VF).status == 0
            nothing_left(card, before)
        k += 1
    assert k >= 3


def fresh(root: Path) -> World:
    root.mkdir()
    world = World(root)
    world.kernel.add_pf("enp1s0f0", PF, numvfs=2)
    world.kernel.tree.add_iommu()
    world.kernel.tree.add_driver("vfio-pci")
    link = first(world)
    link.mtu, link.is_up, link.altnames = 1400, True, ["first-of-them"]
    return world


def test_locks_of_others_are_waited_for_and_named(card: World) -> None:
    """No two of them at once, and none while an ADD chooses."""
    seen = []

    def look(*_: object) -> None:
        locks = {name: host(card).ledger.run_dir for name in ("bound.lock", "claims.lock")}
        for name, where in locks.items():
            lock = Lock(f"{where}/{name}", "test")
            seen.append((name, lock.try_acquire()))
            lock.release()

    card.kernel.before("unbind", look)
    assert sriovctl(card, *BIND).status == 0
    card.kernel.before("unbind", look)
    assert sriovctl(card, "restore", VF).status == 0

    assert seen == [
        ("bound.lock", False), ("claims.lock", False),
        ("bound.lock", False), ("claims.lock", True),  # vfio-pci may take its time to let go
    ]  # fmt: skip


def test_json_errors_have_their_code(card: World) -> None:
    run = sriovctl(card, "bind", VF, "e1000e", "--json")

    assert (run.status, json.loads(run.out)["error"]["code"]) == (1, 7)


def test_sysfs_that_cannot_be_written_is_told_so(card: World) -> None:
    def refuse(*_: object) -> None:
        raise KernelRefused("set driver_override", 30)

    card.kernel.before("set_override", refuse)

    run = sriovctl(card, *BIND)

    assert (run.status, driver(card)) == (1, "igbvf")
    assert "/sys is not writable here" in run.err


def test_no_driver_is_no_word_for_unbind(world: World) -> None:
    """A script's variable that is not set."""
    run = sriovctl(world, "bind", "enp1s0f0:0", "")

    assert (run.status, run.out) == (2, "")
    assert "sriovctl unbind" in run.err
    assert world.kernel.pfs[0].vfs[0].driver == "igbvf"


@pytest.mark.parametrize("index", ["1" * 5000, "٣", "²"])
def test_an_index_is_a_number_of_ours(world: World, index: str) -> None:
    run = sriovctl(world, "bind", f"enp1s0f0:{index}", "auto")

    assert (run.status, "bug in" in run.err, "PF:INDEX" in run.err) == (1, False, True)


def test_what_was_kept_and_cannot_be_read_is_given_up_as_the_error_says(card: World) -> None:
    assert sriovctl(card, *BIND).status == 0
    path = card.run_dir / "bound" / VF
    good = path.read_text()
    path.write_text(good[:20])

    refused = sriovctl(card, "restore", VF)
    given_up = sriovctl(card, "gc", "--forget", str(path))

    assert (refused.status, f"sriovctl gc --forget {path}" in refused.err) == (1, True)
    assert (given_up.status, given_up.err, kept(card)) == (0, "", [])
    assert (sriovctl(card, "restore", VF).status, sriovctl(card, "unbind", VF).status) == (0, 0)


def test_what_was_kept_and_can_be_read_is_not_given_up(card: World) -> None:
    assert sriovctl(card, *BIND).status == 0

    run = sriovctl(card, "gc", "--forget", str(card.run_dir / "bound" / VF))

    assert (run.status, "can be read" in run.err, kept(card)) == (1, True, [VF])
