"""The ledger remembers what this call has read and written; the files are right all the same."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.state import files
from cni_sriov.state.ledger import Ledger
from cni_sriov.words.domain import Attachment
from cni_sriov.words.errors import Unreadable
from cni_sriov.words.log import Log
from cni_sriov.words.record import Record
from tests.unit.one_port import MINE, OTHERS, a_world, full_conf
from tests.world import World

PF, VF = "0000:01:00.0", "0000:01:10.0"
OURS, OTHER = Attachment("c1", "net1"), Attachment("c2", "net1")


def record(attachment: Attachment) -> Record:
    return Record(attachment, "fast", PF, VF, 0, "/run/netns/x", [4, 5], "this boot")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = Ledger(str(tmp_path / "state"), Log("none"), str(tmp_path / "run"), "this boot")
    ledger.open()
    return ledger


def another(ledger: Ledger) -> Ledger:
    """The same files, seen by another process."""
    return Ledger(ledger.state_dir, ledger.log, ledger.run_dir, ledger.boot_id)


def known(ledger: Ledger, how: str) -> tuple[Ledger, Record]:
    """A ledger that knows the claim by what it did, and the Record."""
    ours = record(OURS)
    ledger.put(ours)
    if how == "wrote":
        return ledger, ours
    reader = another(ledger)
    found = reader.find(OURS)
    assert found is not None
    return reader, found


@pytest.mark.parametrize("how", ["wrote", "read"])
def test_a_vf_that_another_has_by_now_is_his(ledger: Ledger, how: str) -> None:
    ours, found = known(ledger, how)
    another(ledger).claim(record(OTHER))

    assert (ours.claimant(found), ours.owns(found)) == (OTHER, False)
    ours.forget(found)
    assert another(ledger).claimant(found) == OTHER


@pytest.mark.parametrize("how", ["wrote", "read"])
def test_a_claim_that_is_lost_is_taken_again(ledger: Ledger, how: str, tmp_path: Path) -> None:
    ours, found = known(ledger, how)
    (tmp_path / f"run/claims/{PF}+{VF}").unlink()

    assert ours.claimant(found) is None
    assert ours.owns(found)
    assert another(ledger).claimant(found) == OURS


@pytest.mark.parametrize("how", ["wrote", "read"])
@pytest.mark.parametrize("content", ["", "{}", "a directory"])
def test_of_a_claim_that_was_damaged_since_the_record_speaks(
    ledger: Ledger, how: str, content: str, tmp_path: Path
) -> None:
    ours, found = known(ledger, how)
    path = tmp_path / f"run/claims/{PF}+{VF}"
    path.unlink()
    if content == "a directory":
        path.mkdir()
    else:
        path.write_text(content)

    assert ours.claimant(found) == OURS
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_of_a_claim_that_was_damaged_since_another_ones_record_speaks_louder(
    ledger: Ledger, tmp_path: Path
) -> None:
    """Ours outlived its claim, and the VF was taken again."""
    ours, found = known(ledger, "wrote")
    there = Ledger(str(tmp_path / "state2"), Log("none"), ledger.run_dir, ledger.boot_id)
    there.open()
    there.put(record(OTHER))
    (tmp_path / f"run/claims/{PF}+{VF}").write_text("")

    assert (ours.claimant(found), ours.owns(found)) == (OTHER, False)


@pytest.mark.parametrize("blind", ["claim", "another Record"])
def test_where_nobody_can_look_now_nobody_says_whose_it_is(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blind: str
) -> None:
    ours, found = known(ledger, "wrote")
    claim, other, real = tmp_path / f"run/claims/{PF}+{VF}", Path(ours.state_dir, OTHER.filename), os.open
    other.write_text("{}")
    if blind != "claim":
        claim.write_text("")

    def fail(name: Any, *rest: Any, **more: Any) -> int:
        if name == str(claim if blind == "claim" else other):
            raise OSError(errno.EIO, os.strerror(errno.EIO), name)
        return real(name, *rest, **more)

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(Unreadable, match="Input/output error"):
        another(ledger).claimant(found)


def test_a_delete_reads_its_claim_as_text_alone(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, found = known(ledger, "read")
    monkeypatch.setattr(Record, "from_json", None)  # a call of it would fail

    assert ours.owns(found)
    ours.forget(found)
    assert ours.claimed() == {}


@pytest.mark.parametrize("leave", ["nothing", "text of a killed writer"])
def test_a_file_is_written_anew_over_what_a_killed_writer_left(tmp_path: Path, leave: str) -> None:
    path = tmp_path / "f"
    if leave != "nothing":
        (tmp_path / ".tmp-f").write_text(leave)

    files.replace(str(path), "new")

    assert (path.read_text(), [entry.name for entry in tmp_path.iterdir()]) == ("new", ["f"])


def test_the_temporary_file_is_never_a_symlink_that_is_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / ".tmp-f").symlink_to(tmp_path / "theirs")

    files.replace(str(tmp_path / "f"), "ours")

    assert ((tmp_path / "theirs").read_text(), (tmp_path / "f").is_symlink()) == ("theirs", False)


def test_two_states_have_two_names(tmp_path: Path) -> None:
    """Directories in use are links by their path, in one directory."""
    names: list[Any] = [files.as_name(path) for path in ("/a/b", "/a%2Fb", "/a%b", "/a/%2F")]
    assert len({*names}) == len(names)
    assert not any("/" in name for name in names)


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
def test_a_record_of_wrong_types_stops_nobody_else(tmp_path: Path, key: str) -> None:
    """Whatever wrote it: neither its own DEL nor the others' ADD may end in a bug's 999; the VF stays taken."""
    for number, value in enumerate(WRONG[key]):
        world = a_world(tmp_path / str(number), vfs=2)
        assert world.call("ADD", full_conf(world)).code == 0
        for path in (world.state_dir / "c1@net1", *(world.run_dir / "claims").iterdir()):
            path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))

        deleted = world.call("DEL", full_conf(world))
        others = [
            world.call("ADD", world.conf(mac="02:00:00:00:bb:01"), c, OTHERS, c).code for c in ("c2", "c3")
        ]

        if value == "later":  # a word that a later version may have
            assert (deleted.code, others) == (0, [0, 103])
            continue
        assert (deleted.code, others) == (11, [0, 11]), f"{value}: {deleted.text}"
        assert [f for f in world.files() if "data" in f] != [], f"{value}: the lease went, and the VF did not"


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

    assert (codes[2:], set(codes[:2]) <= {0, 5, 11}) == ([0, 0], True), codes


@pytest.mark.parametrize(("first", "second"), [("net1", "net1.tmp"), ("a", "a.damaged"), ("a", "a:tmp")])
def test_no_interface_name_is_another_ones_temporary_file(tmp_path: Path, first: str, second: str) -> None:
    world = a_world(tmp_path, vfs=2)
    before = world.snapshot()
    assert world.call("ADD", world.conf(), ifname=second).code == (4 if ":" in second else 0)

    codes = [world.call(verb, world.conf(), ifname=first).code for verb in ("ADD", "DEL")]
    records = len(list(world.state_dir.iterdir()))
    world.call("DEL", world.conf(), ifname=second)

    assert (codes, records, world.snapshot()) == ([0, 0], 0 if ":" in second else 1, before)
