"""What a hostile node, runtime or pod may do, on the fake kernel: state files, races between calls, odd input.

The star test (verbs/test_star.py) dies between the kernel's effects; here the process also dies between the file
operations.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cni_sriov.kernel import devlink
from cni_sriov.state.ledger import Ledger
from cni_sriov.vf.host import Host
from cni_sriov.words.domain import Route
from cni_sriov.words.log import Log
from tests.fakes import Crash, FakeLink, FakeNetlink, FakeVf
from tests.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

MINE, OTHERS = "/run/netns/pod1", "/run/netns/pod2"


def a_world(root: Path, vfs: int = 1) -> World:
    world = World(root)
    world.kernel.add_pf("enp1s0f0", "0000:01:00.0", numvfs=vfs)
    world.kernel.add_pod(MINE)
    world.kernel.add_pod(OTHERS)
    for vf in world.kernel.pfs[0].vfs:  # as after its first `up`: the PF knows the address it has
        vf.state.mac = vf.link.mac if vf.link else ""
    return world


@pytest.fixture
def one_vf(tmp_path: Path) -> World:
    return a_world(tmp_path)


def count_files_as_effects(world: World, patch: pytest.MonkeyPatch) -> None:
    """From here on a crash can fall before or after each change of a file too."""
    for name in ("unlink", "rename", "link", "symlink", "mkdir"):
        patch.setattr(os, name, as_effect(world, name, getattr(os, name)))


def as_effect(world: World, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **keys: Any) -> Any:
        done: list[Any] = []
        if not ours(world, args):
            return real(*args, **keys)
        world.kernel.effect(f"{name} {args}", lambda: done.append(real(*args, **keys)))
        return done[0]

    return call


def ours(world: World, args: tuple[Any, ...]) -> bool:
    paths = [arg for arg in args if isinstance(arg, str)]
    frozen = any(".at-crash" in path for path in paths)  # the fake's own copying
    return not frozen and any(path.startswith(str(d)) for d in world.kernel.durable for path in paths)


def calls_until_done(root: Path, verbs: list[str]) -> int:
    """How many effects the last verb has, files included."""
    world = a_world(root)
    with pytest.MonkeyPatch.context() as patch:
        count_files_as_effects(world, patch)
        for verb in verbs:
            before = len(world.kernel.effects)
            assert world.call(verb, full_conf(world)).code == 0
    return len(world.kernel.effects) - before


def full_conf(world: World) -> dict[str, Any]:
    told = {"CNIDeviceInfoFile": f"{world.devinfo_dir}/c1_net1"}
    asked = {"vlan": 100, "mac": "02:00:00:00:aa:01", "spoofchk": "off", "mtu": 1400}
    return world.conf(**asked, ipam=world.ipam(), runtimeConfig=told)


def die(world: World, verb: str, k: int, when: str) -> None:
    """It lives where effect k finds nothing to do (an unlink of what is not there has no "after")."""
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Crash):
        count_files_as_effects(world, patch)
        world.kernel.crash_at(k, when)
        world.call(verb, full_conf(world))
    world.kernel.restart()


# one VF, one owner ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["ADD", "DEL"])
def test_delete_after_death_between_any_two_file_operations_never_touches_the_next_owner(
    tmp_path: Path, verb: str
) -> None:
    """The dead call may have left a Record whose VF is free by now; another pod takes it, then the runtime says DEL."""
    verbs = ["ADD"] if verb == "ADD" else ["ADD", "DEL"]
    for k in range(calls_until_done(tmp_path / "count", verbs)):
        world = a_world(tmp_path / str(k))
        before = world.snapshot()
        if verb == "DEL":
            assert world.call("ADD", full_conf(world)).code == 0
        die(world, verb, k, "after")
        theirs = world.conf(vlan=7, ipam=world.ipam())
        taken = world.call("ADD", theirs, "c2", OTHERS).code == 0
        seen = world.kernel.snapshot()

        reply = world.call("DEL", full_conf(world))

        assert reply.code == 0, f"effect {k}: {reply.text}"
        if taken:
            assert world.kernel.snapshot() == seen, f"effect {k} {world.kernel.effects[k]}"
            assert world.call("DEL", theirs, "c2", OTHERS).code == 0
        assert world.snapshot() == before, f"effect {k}"


def test_a_late_delete_leaves_the_next_owner_alone_whose_network_has_another_state_dir(one_vf: World) -> None:
    """The other network's ADD reclaims the VF by its claim; the Record in the first stateDir stays behind."""
    theirs = one_vf.conf(name="other", vlan=7, stateDir=str(one_vf.root / "state2"))
    assert one_vf.call("ADD", one_vf.conf(vlan=100)).code == 0
    one_vf.kernel.kill_netns(MINE)
    one_vf.kernel.add_pod(MINE)
    assert one_vf.call("ADD", theirs, "c2", OTHERS).code == 0
    seen = one_vf.kernel.snapshot()

    reply = one_vf.call("DEL", one_vf.conf(vlan=100), netns="")

    assert (reply.code, one_vf.kernel.snapshot()) == (0, seen)
    assert one_vf.call("DEL", theirs, "c2", OTHERS).code == 0


def test_a_name_that_is_free_by_reclaim_can_be_attached_again(tmp_path: Path) -> None:
    """podman and cnitool reuse container names; their stale Record must not say "attached already" for ever."""
    world = a_world(tmp_path, vfs=1)
    assert world.call("ADD", world.conf()).code == 0
    world.kernel.kill_netns(MINE)
    world.kernel.add_pod(MINE)
    theirs = world.conf(name="other", stateDir=str(world.root / "state2"))
    assert world.call("ADD", theirs, "c2", OTHERS).code == 0

    reply = world.call("ADD", world.conf())

    assert reply.code == 11, reply.text  # no free VF, which is the truth


def test_an_admin_mac_equal_to_the_vfs_own_address_does_not_stay(one_vf: World) -> None:
    """The PF shows one address for both, so it cannot be seen; but with it the VF can set no address any more."""
    before = one_vf.snapshot()
    own = one_vf.kernel.pfs[0].vfs[0].link
    assert own is not None

    codes = [one_vf.call(verb, one_vf.conf(mac=own.mac)).code for verb in ("ADD", "DEL")]

    assert (codes, one_vf.snapshot()) == ([0, 0], before)


# directories that others use too -------------------------------------------------------------------------------------


def test_files_of_others_in_the_state_directory_are_left_alone(one_vf: World) -> None:
    """sriov-cni keeps <containerID>-<ifname> and pci/ in /var/lib/cni/sriov, and an operator may mistype stateDir."""
    (one_vf.state_dir / "pci").mkdir(parents=True)
    one_vf.state_dir.chmod(0o700)
    (one_vf.state_dir / "3f2a-net1").write_text('{"cniVersion": "0.3.1"}')
    (one_vf.state_dir / "10-flannel.conflist").write_text("{}")
    before = one_vf.files()

    codes = [one_vf.call(verb, one_vf.conf()).code for verb in ("ADD", "CHECK", "DEL")]

    assert (codes, one_vf.files()) == ([0, 0, 0], before)


def test_claims_come_back_after_run_was_wiped(one_vf: World) -> None:
    """Else the VF of a pod that died would be taken as it was left, and "as it was left" be its baseline."""
    before = one_vf.snapshot()
    assert one_vf.call("ADD", full_conf(one_vf)).code == 0
    shutil.rmtree(one_vf.run_dir)
    one_vf.kernel.kill_netns(MINE)
    one_vf.kernel.add_pod(MINE)

    codes = [one_vf.call(verb, one_vf.conf(), "c2", OTHERS).code for verb in ("ADD", "DEL")]

    assert (codes, one_vf.kernel.snapshot()["vfs"]) == ([0, 0], before["kernel"]["vfs"])


def test_a_state_directory_that_others_use_is_refused_and_keeps_its_mode(one_vf: World) -> None:
    """`"stateDir": "/etc"` is one slip of an editor; mode 0700 there would stop the node."""
    one_vf.state_dir.mkdir(mode=0o755)
    (one_vf.state_dir / "passwd").touch()
    before = one_vf.snapshot()

    reply = one_vf.call("ADD", one_vf.conf())

    assert (reply.code, one_vf.state_dir.stat().st_mode & 0o777, one_vf.snapshot()) == (5, 0o755, before)


def test_delete_goes_through_while_run_is_full(one_vf: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = one_vf.snapshot()
    assert one_vf.call("ADD", one_vf.conf()).code == 0

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    monkeypatch.setattr(os, "write", full)

    assert (one_vf.call("DEL", one_vf.conf()).code, one_vf.snapshot()) == (0, before)


# what pods, udev and operators do to a VF meanwhile -------------------------------------------------------------------


def vf_of(world: World) -> FakeVf:
    return world.kernel.pfs[0].vfs[0]


def link_of(world: World) -> FakeLink:
    link = vf_of(world).link
    assert link is not None
    return link


def test_altnames_that_a_pod_gave_do_not_keep_the_vf_from_coming_home(one_vf: World) -> None:
    """A move takes altnames along, and is refused while the host has one of them: every DEL would fail."""
    before = one_vf.snapshot()
    assert one_vf.call("ADD", one_vf.conf()).code == 0
    link_of(one_vf).altnames += ["enp1s0f0", "mine"]

    reply = one_vf.call("DEL", one_vf.conf())

    assert (reply.code, one_vf.snapshot()) == (0, before), reply.text


def test_udev_may_give_the_altname_between_our_look_and_our_rename(one_vf: World) -> None:
    before = one_vf.snapshot()
    assert one_vf.call("ADD", one_vf.conf()).code == 0
    one_vf.kernel.kill_netns(MINE)
    one_vf.kernel.add_pod(MINE)
    one_vf.kernel.before("set_name", lambda _netlink, _ifindex, name: link_of(one_vf).altnames.append(name))

    reply = one_vf.call("DEL", one_vf.conf())

    assert (reply.code, one_vf.snapshot()) == (0, before), one_vf.log_file.read_text()


def test_a_vf_that_was_up_is_up_again_even_if_somebody_set_it_up_under_the_pods_name(one_vf: World) -> None:
    """NetworkManager sets UP what it finds; the rename then sets it down."""
    netlink = one_vf.kernel.netlink
    netlink.set_up(netlink.ifindex("enp1s0f0v0"))
    before = one_vf.snapshot()
    assert one_vf.call("ADD", one_vf.conf()).code == 0
    one_vf.kernel.kill_netns(MINE)
    one_vf.kernel.add_pod(MINE)
    netlink.set_up(netlink.ifindex("net1"))

    reply = one_vf.call("DEL", one_vf.conf())

    assert (reply.code, one_vf.snapshot()) == (0, before)


@pytest.mark.parametrize("found", [0, 0x100])
def test_a_promiscuous_pods_vf_is_as_it_was(one_vf: World, found: int) -> None:
    """`tuning` in a chain whose DEL never came, or the pod itself: the flags move along."""
    link_of(one_vf).modes = found
    before = one_vf.snapshot()
    assert one_vf.call("ADD", one_vf.conf()).code == 0
    link_of(one_vf).modes = 0x200

    assert (one_vf.call("DEL", one_vf.conf()).code, one_vf.snapshot()) == (0, before)


def test_the_admin_mac_goes_back_also_where_the_netdev_is_gone(one_vf: World) -> None:
    """An unbound driver takes the netdev from under the pod (kernels.md 6.12); the PF keeps the pod's MAC for the VF."""
    assert one_vf.call("ADD", one_vf.conf(mac="02:00:00:00:aa:01")).code == 0
    one_vf.kernel.set_driver(vf_of(one_vf), "vfio-pci")

    reply = one_vf.call("DEL", one_vf.conf())

    assert (reply.code, vf_of(one_vf).admin_mac, one_vf.files()) == (0, False, []), reply.text


def test_the_name_may_come_up_in_the_pod_after_we_looked(one_vf: World) -> None:
    def the_pod_is_quicker(*_: object) -> None:
        one_vf.kernel.add_link(one_vf.kernel.pods[MINE], "net1")
        link_of(one_vf).altnames.append("net1")  # so that the kernel refuses before it moves

    one_vf.kernel.before("move", the_pod_is_quicker)

    reply = one_vf.call("ADD", one_vf.conf(vlan=100))

    assert (reply.code, vf_of(one_vf).state.vlan, one_vf.files()) == (102, 0, []), reply.text


def hide_pf(world: World) -> None:
    """The PF into a netns of its own (kernels.md 6.16)."""
    host, pf = world.kernel.host, world.kernel.pfs[0].link
    elsewhere = world.kernel.add_pod("/run/netns/pf")
    world.kernel.move(host, world.kernel.netlink.ifindex(pf.name), elsewhere, pf.name)


def show_pf(world: World) -> None:
    world.kernel.kill_netns("/run/netns/pf")
    world.kernel.pfs[0].link.is_up = True


def test_a_pf_in_a_netns_of_its_own_is_101(one_vf: World) -> None:
    hide_pf(one_vf)

    reply = one_vf.call("ADD", one_vf.conf(master=None, deviceID="0000:01:10.0"))

    assert (reply.code, one_vf.files()) == (101, [])


@pytest.mark.parametrize("asked", [{"vlan": 100}, {"mac": "02:00:00:00:aa:01"}], ids=["vlan", "mac"])
@pytest.mark.parametrize("trusted", [False, True], ids=["", "trusted"])
def test_a_pf_in_a_netns_of_its_own_does_not_make_del_fail_for_ever(
    one_vf: World, asked: dict[str, Any], trusted: bool
) -> None:
    """What was asked by way of the PF stays on its VF until then, so the VF is nobody else's; the lease is free. Also
    the admin MAC of a VF that was trusted all along: that one takes its own address back without the PF.
    """
    vf_of(one_vf).state.trust = trusted
    before = one_vf.snapshot()
    ipam = one_vf.ipam(pools=[{"subnet": "10.10.0.0/24", "prefixLength": 24}])
    assert one_vf.call("ADD", one_vf.conf(**asked, ipam=ipam)).code == 0
    hide_pf(one_vf)

    gone = [one_vf.call("DEL", one_vf.conf(ipam=ipam), netns=netns) for netns in (MINE, "")]

    assert [reply.code for reply in gone] == [0, 0], gone[0].text
    assert [name for name in one_vf.files() if "/leases/" in name] == []
    (record,) = one_vf.state_dir.iterdir()
    told = json.loads(record.read_text())
    assert (told["status"], told["leases"], told["addresses"]) == ("released", [], [])
    assert link_of(one_vf).name == "enp1s0f0v0"
    assert "is in another netns" in one_vf.log_file.read_text()
    refused = one_vf.call("ADD", one_vf.conf(master=None, deviceID="0000:01:10.0"), "c2", OTHERS)
    assert (refused.code, "claimed" in refused.text) == (11, True), refused.text
    show_pf(one_vf)
    assert one_vf.call("ADD", one_vf.conf(), "c2", OTHERS).code == 0, "it is reclaimed"
    assert (one_vf.call("DEL", one_vf.conf(), "c2", OTHERS).code, one_vf.snapshot()) == (0, before)


def test_where_the_pf_has_nothing_to_restore_its_absence_is_no_matter(one_vf: World) -> None:
    before = one_vf.files()
    assert one_vf.call("ADD", one_vf.conf(mtu=1400)).code == 0
    hide_pf(one_vf)

    assert (one_vf.call("DEL", one_vf.conf()).code, one_vf.files()) == (0, before)
    assert link_of(one_vf).mtu == 1500


def test_what_a_hidden_pf_left_is_finished_by_the_same_attachments_add(one_vf: World) -> None:
    assert one_vf.call("ADD", one_vf.conf(vlan=100)).code == 0
    hide_pf(one_vf)
    assert one_vf.call("DEL", one_vf.conf()).code == 0

    early = one_vf.call("ADD", one_vf.conf())
    show_pf(one_vf)
    late = one_vf.call("ADD", one_vf.conf())

    assert (early.code, "another netns" in early.text, late.code) == (11, True, 0), early.text
    assert vf_of(one_vf).state.vlan == 0


@pytest.mark.parametrize(("mode", "code"), [("switchdev", 101), ("legacy", 0), ("", 0)])
def test_a_pf_in_switchdev_mode_is_101(
    one_vf: World, monkeypatch: pytest.MonkeyPatch, mode: str, code: int
) -> None:
    """By devlink's word: ice and netdevsim have a switch ID in legacy mode, too."""
    (one_vf.root / "kernel/sys/class/net/enp1s0f0/phys_switch_id").write_text("0102")
    monkeypatch.setattr(devlink, "eswitch_mode", lambda device: mode if device == "0000:01:00.0" else "?")

    reply = one_vf.call("ADD", one_vf.conf())

    assert (reply.code, "switchdev" in reply.text) == (code, code == 101)
    assert bool(one_vf.files()) == (code == 0)


def test_an_empty_list_of_a_selector_means_any(one_vf: World) -> None:
    selector = {"names": ["enp1s0f0"], "vendors": [], "devices": [], "drivers": []}

    assert one_vf.call("ADD", one_vf.conf(master=None, pf=selector)).code == 0


def test_a_stop_signal_while_add_announces_undoes_it(one_vf: World) -> None:
    before = one_vf.snapshot()

    def stopped(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    one_vf.kernel.before("announce", stopped)

    reply = one_vf.call("ADD", one_vf.conf(vlan=100, ipam=one_vf.ipam()))

    assert (reply.code, one_vf.snapshot()) == (11, before)


def test_a_stop_signal_while_add_undoes_itself_does_not_stop_the_undoing(one_vf: World) -> None:
    before = one_vf.snapshot()

    def stopped(_netlink: object, _pf: int, _index: int, vlan: int, *_: object) -> None:
        if vlan == 0:  # the undoing
            os.kill(os.getpid(), signal.SIGTERM)

    one_vf.kernel.before("set_vf_vlan", stopped, always=True)

    # igb refuses link_state
    reply = one_vf.call("ADD", one_vf.conf(vlan=100, trust="on", link_state="disable"))

    assert (reply.code, one_vf.snapshot()) == (11, before)


# state files that are not what they should be -------------------------------------------------------------------------

WRONG: dict[str, list[Any]] = {
    "vf": [5, "../../etc", None],
    "pf": [[], "x"],
    "ipam": ["x", {"scope": 1}, {"dataDir": "/x"}],
    "leases": [5, [5], [{}]],
    "netns": [5, None],
    "netns_identity": [5, "ab"],
    "status": [[], "later"],
    "boot_id": [7],
    "vf_index": ["1", None],
    "settings": [[], {"mac": 5}, {"vlan": "x"}],
    "baseline": ["x", {"ifname": 5}, {"altnames": 5}, {"mtu": "x"}],
    "attachment": [[], {"container_id": 5, "ifname": "x"}, "c1"],
    "parent_dev": [5],
    "driver": [5],
    "vf_inode": ["x", None],
    "network": [5],
    "device_info": [5, None, "c1", "/x\0y", "/x\udc80"],
}


@pytest.mark.parametrize("key", WRONG)
def test_a_record_of_wrong_types_is_set_aside_and_stops_nobody(tmp_path: Path, key: str) -> None:
    """Whatever wrote it: neither its own DEL nor the others' ADD may end in a bug's 999."""
    for number, value in enumerate(WRONG[key]):
        world = a_world(tmp_path / str(number), vfs=2)
        assert world.call("ADD", full_conf(world)).code == 0
        for path in (world.state_dir / "c1@net1", *(world.run_dir / "claims").iterdir()):
            path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))

        deleted = world.call("DEL", full_conf(world))
        others = [
            world.call("ADD", world.conf(mac="02:00:00:00:bb:01"), c, OTHERS, c).code for c in ("c2", "c3")
        ]

        assert (deleted.code, others[0]) == (0, 0), f"{value}: {deleted.text}"
        assert others[1] in {0, 11, 103}
        assert [f for f in world.files() if "data" in f] == [], f"{value}: a lease is left"


def test_a_claim_under_the_name_of_another_vf_is_damaged(tmp_path: Path) -> None:
    world = a_world(tmp_path, vfs=2)
    assert world.call("ADD", world.conf()).code == 0
    claim = next((world.run_dir / "claims").iterdir())
    claim.with_name(claim.name.replace("10.0", "10.2")).write_text(claim.read_text())

    assert world.call("DEL", world.conf()).code == 0
    assert world.call("ADD", world.conf(), "c2", OTHERS).code == 0


@pytest.mark.parametrize("kind", ["directory", "fifo", "symlink"])
def test_what_is_no_file_among_the_records_stops_nobody(one_vf: World, kind: str) -> None:
    one_vf.state_dir.mkdir(mode=0o700)
    path = one_vf.state_dir / "dead@net1"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/etc/passwd")

    codes = [one_vf.call(verb, one_vf.conf(), "dead").code for verb in ("ADD", "DEL")]
    codes += [one_vf.call(verb, one_vf.conf(), "c2", OTHERS).code for verb in ("ADD", "DEL")]

    assert (codes[2:], set(codes[:2]) <= {0, 5}) == ([0, 0], True), codes


@pytest.mark.parametrize(("first", "second"), [("net1", "net1.tmp"), ("a", "a.damaged"), ("a", "a:tmp")])
def test_no_interface_name_is_another_ones_temporary_file(tmp_path: Path, first: str, second: str) -> None:
    world = a_world(tmp_path, vfs=2)
    before = world.snapshot()
    assert world.call("ADD", world.conf(), ifname=second).code == (4 if ":" in second else 0)

    codes = [world.call(verb, world.conf(), ifname=first).code for verb in ("ADD", "DEL")]
    records = len(list(world.state_dir.iterdir()))
    world.call("DEL", world.conf(), ifname=second)

    assert (codes, records, world.snapshot()) == ([0, 0], 0 if ":" in second else 1, before)


def test_killed_calls_leave_no_temporary_file(tmp_path: Path) -> None:
    for k in range(calls_until_done(tmp_path / "count", ["ADD"])):
        for when in ("before", "after"):
            world = a_world(tmp_path / f"{k}{when}")
            before = world.snapshot()
            die(world, "ADD", k, when)

            reply = world.call("DEL", full_conf(world))

            # a claim's is in /run, and the next claim of that VF takes its place; so it is with the store's
            left = [file for file in world.files() if not file.startswith("run/claims/.tmp-")]
            left = [file for file in left if not file.endswith("owners/.tmp")]
            assert (reply.code, left, world.kernel.snapshot()) == (0, [], before["kernel"]), (
                f"effect {k} {when}"
            )


def test_vfs_made_anew_under_a_pod_are_free_and_a_late_delete_spares_their_new_owner(one_vf: World) -> None:
    """numvfs 0 and N again: the pod's interface vanished, and its PCI address is another VF (kernels.md 6.11)."""
    assert one_vf.call("ADD", one_vf.conf(vlan=100, ipam=one_vf.ipam())).code == 0
    pf = one_vf.kernel.pfs[0]
    one_vf.kernel.change_numvfs(pf, 0)
    one_vf.kernel.change_numvfs(pf, 1)
    assert one_vf.call("ADD", one_vf.conf(vlan=7), "c2", OTHERS).code == 0
    seen = one_vf.snapshot()

    reply = one_vf.call("DEL", one_vf.conf(ipam=one_vf.ipam()))

    assert (reply.code, one_vf.snapshot()) == (0, seen)
    assert [one_vf.call("DEL", one_vf.conf(), "c2").code, one_vf.files()] == [0, []]


def test_a_netns_path_that_another_pod_has_by_now_is_not_touched(one_vf: World) -> None:
    """cnitool and podman reuse names; the kernel reuses inode numbers, so the identity may be equal too."""
    before = one_vf.snapshot()
    assert one_vf.call("ADD", one_vf.conf()).code == 0
    identity = one_vf.kernel.pods[MINE].identity
    one_vf.kernel.kill_netns(MINE)
    pod = one_vf.kernel.add_pod(MINE)
    pod.identity = identity
    one_vf.kernel.add_link(pod, "net1").is_up = True
    seen = pod.snapshot()

    reply = one_vf.call("DEL", one_vf.conf())

    assert (reply.code, pod.snapshot(), one_vf.files()) == (0, seen, [])
    assert one_vf.kernel.snapshot()["host"] == before["kernel"]["host"]


# input ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["stateDir", "logFile"])
def test_a_path_with_a_lone_surrogate_is_code_7(one_vf: World, key: str) -> None:
    """JSON can spell it, no file name can have it."""
    assert one_vf.call("ADD", one_vf.conf(**{key: "/run/\ud800"})).code == 7


@pytest.mark.parametrize(
    "bad", [{"logFile": "/run/\ud800"}, {"logLevel": 7}, {"verifyTimeout": "x"}, {"vlan": 5000}]
)
def test_a_conf_edited_to_nonsense_does_not_make_a_pod_undeletable(
    one_vf: World, bad: dict[str, Any]
) -> None:
    before = one_vf.snapshot()
    assert one_vf.call("ADD", one_vf.conf()).code == 0
    assert one_vf.call("DEL", one_vf.conf(**bad)).code == 0
    assert one_vf.snapshot() == before


def test_a_huge_value_does_not_come_back_in_the_error(one_vf: World) -> None:
    reply = one_vf.call("ADD", one_vf.conf(mac="x" * 100_000))

    assert (reply.code, len(reply.text) < 1000) == (7, True)


def test_infinity_in_disguise_is_code_6_and_not_a_bug_after_all_is_done(one_vf: World) -> None:
    prev = '{"interfaces": [{"name": "br0", "x": 1e999}]}'
    text = json.dumps(one_vf.conf())[:-1] + f', "prevResult": {prev}}}'

    reply = one_vf.call("ADD", text)

    assert (reply.code, one_vf.files()) == (6, []), reply.text


def test_check_holds_nothing_of_other_plugins_against_us(one_vf: World) -> None:
    """A host interface of our name, and a route of another plugin's interface, stand in the prevResult of a chain."""
    added = one_vf.call("ADD", one_vf.conf(ipam=one_vf.ipam()))
    pod = one_vf.kernel.pods[MINE]
    netlink = FakeNetlink(one_vf.kernel, pod)
    one_vf.kernel.add_link(pod, "eth0")
    eth0 = netlink.ifindex("eth0")
    netlink.add_address(eth0, "10.1.0.2/24")
    netlink.set_up(eth0)
    netlink.add_route(eth0, Route("0.0.0.0/0", "10.1.0.1"))
    prev = added.document | {
        "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.0.1"}, {"dst": "10.1.0.0/24", "gw": None}]
    }
    prev["interfaces"] = [{"name": "net1", "mac": "02:00:00:00:ff:01"}, *added.document["interfaces"]]

    reply = one_vf.call("CHECK", one_vf.conf(ipam=one_vf.ipam(), prevResult=prev))

    assert reply.code == 0, reply.text


def test_other_plugins_are_started_with_an_ordinary_umask(one_vf: World, tmp_path: Path) -> None:
    """host-local's files would be 0600 else, and its directories 0700."""
    plugin = tmp_path / "plugin"
    plugin.write_text("#!/bin/sh\ncat > /dev/null\numask\n")
    plugin.chmod(0o755)
    host = Host(Ledger(str(one_vf.state_dir), Log("none"), boot_id="x"), Log("none"))
    before = os.umask(0o077)
    try:
        assert host.run_plugin(str(plugin), {}, "") == (0, "0022\n")
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)
