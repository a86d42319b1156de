"""State that cannot be read is never "not there" (rule 14 of the design): the VF stays taken, DEL fails and names the file,
nothing is renamed away, and the others go on.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.ctl.tool import sriovctl
from tests.unit.one_port import MINE, OTHERS, a_world, full_conf
from tests.world import World


def nested(levels: int) -> Any:
    return {"a": nested(levels - 1)} if levels else 1


def changed(**keys: Any) -> Callable[[str], str]:
    return lambda text: json.dumps(json.loads(text) | keys)


def without(key: str) -> Callable[[str], str]:
    return lambda text: json.dumps({name: value for name, value in json.loads(text).items() if name != key})


DAMAGE: dict[str, Callable[[str], str]] = {
    "another major number": changed(format=2, by="9.9.0"),
    "a missing field": without("netns_identity"),
    "another type": changed(vf_index="0"),
    "too deep": changed(ipam={"type": "x", "conf": nested(900), "args": "", "path": ""}),
    "too large": lambda text: json.dumps(json.loads(text) | {"network": "x" * (17 << 20)}),
    "half": lambda text: text[: len(text) // 2],
    "empty": lambda _: "",
}
JSON = {"another major number", "a missing field", "another type", "too deep"}


def record_of(world: World, container: str = "c1") -> Path:
    return world.state_dir / f"{container}@net1"


def claim_of(world: World) -> Path:
    """The one claim there is."""
    return next((world.run_dir / "claims").iterdir())


def attached(tmp_path: Path, damage: str, *, record: bool = True, claim: bool = True) -> World:
    """A pod that has one of two VFs, and whose files were damaged since."""
    world = a_world(tmp_path, vfs=2)
    assert world.call("ADD", full_conf(world)).code == 0
    for path, wanted in ((record_of(world), record), (claim_of(world), claim)):
        if wanted:
            path.write_text(DAMAGE[damage](path.read_text()))
    return world


def plain(world: World) -> dict[str, Any]:
    return world.conf(ipam=world.ipam())


def contents(world: World) -> dict[str, bytes]:
    """Of all files but locks, which name their last holder."""
    return {name: (world.root / name).read_bytes() for name in world.files() if "locks" not in name}


@pytest.mark.parametrize("damage", DAMAGE)
def test_both_files_unreadable_the_vf_stays_taken_and_del_names_one(tmp_path: Path, damage: str) -> None:
    world = attached(tmp_path, damage)
    before = world.snapshot(), contents(world)

    refused = world.call("DEL", full_conf(world))
    checked = world.call("CHECK", full_conf(world))

    assert (refused.code, checked.code) == (11, 11), refused.text + checked.text
    assert str(record_of(world)) in refused.text
    assert "sriovctl gc --forget" in refused.text
    assert ("9.9.0" in refused.text) == (damage == "another major number")
    assert (world.snapshot(), contents(world)) == before
    assert world.kernel.pods[MINE].find("net1") is not None


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_others_go_on_with_the_other_vf(tmp_path: Path, damage: str) -> None:
    world = attached(tmp_path, damage)
    mine = contents(world)

    codes = [world.call(verb, plain(world), "c2", OTHERS).code for verb in ("ADD", "CHECK", "DEL")]
    assert codes == [0, 0, 0]
    assert world.call("ADD", plain(world), "c2", OTHERS).code == 0
    world.kernel.add_pod("/run/netns/pod3")
    full = world.call("ADD", plain(world), "c3", "/run/netns/pod3")

    assert (full.code, "no free VF" in full.text) == (11, True), full.text
    assert mine.items() <= contents(world).items()


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_same_attachment_is_not_added_twice(tmp_path: Path, damage: str) -> None:
    world = attached(tmp_path, damage)
    before = contents(world)

    assert world.call("ADD", full_conf(world)).code == 11
    assert contents(world) == before


@pytest.mark.parametrize("damage", DAMAGE)
def test_gc_takes_the_others_and_tells(tmp_path: Path, damage: str) -> None:
    world = attached(tmp_path, damage)
    mine = contents(world)
    assert world.call("ADD", plain(world), "c2", OTHERS).code == 0
    conf = full_conf(world) | {"cniVersion": "1.1.0", "cni.dev/valid-attachments": []}

    collected = world.call("GC", conf)

    assert not record_of(world, "c2").exists()
    assert contents(world) == mine
    assert str(record_of(world)) in world.log_file.read_text()
    assert (collected.code, str(record_of(world)) in collected.text) == (11, True)


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_operator_sees_it(tmp_path: Path, damage: str) -> None:
    world = attached(tmp_path, damage)
    claim = str(claim_of(world))

    status = sriovctl(world, "--state-dir", str(world.state_dir), "--json", "status")
    table = sriovctl(world, "--state-dir", str(world.state_dir), "status")
    collected = sriovctl(world, "--state-dir", str(world.state_dir), "--json", "gc")

    assert (status.status, table.status, collected.status) == (0, 0, 1), status.err + collected.err
    told = {one["file"]: one for one in json.loads(status.out)["unreadable"]}
    assert told.keys() == {claim, str(record_of(world))}
    assert told[claim]["vf"] == claim.partition("+")[2]
    assert told[claim]["writtenBy"] == (
        "9.9.0" if damage == "another major number" else told[claim]["writtenBy"]
    )
    assert "cannot be read" in table.out
    left = [item for item in json.loads(collected.out)["items"] if not item["taken"]]
    assert {claim, str(record_of(world))} <= {item["what"] for item in left}


@pytest.mark.parametrize("which", ["record", "claim"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_the_copy_that_can_be_read_serves(tmp_path: Path, damage: str, which: str) -> None:
    before = a_world(tmp_path / "before", vfs=2).kernel.snapshot()["vfs"]
    world = attached(tmp_path / "now", damage, record=which == "record", claim=which == "claim")

    assert world.call("CHECK", full_conf(world)).code == 0
    assert world.call("DEL", full_conf(world)).code == 0
    assert (world.files(), world.kernel.snapshot()["vfs"]) == ([], before)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_record_alone_is_never_taken_for_none(tmp_path: Path, damage: str) -> None:
    """Its claim is lost."""
    world = attached(tmp_path, damage, claim=False)
    claim_of(world).unlink()

    assert [world.call(verb, full_conf(world)).code for verb in ("DEL", "CHECK", "ADD")] == [11, 11, 11]
    assert world.call("DEL", full_conf(world), "never").code == 0


@pytest.mark.parametrize("damage", sorted(JSON))
def test_a_claim_that_tells_whose_it_is_stands_for_a_lost_record(tmp_path: Path, damage: str) -> None:
    world = attached(tmp_path, damage, record=False)
    record_of(world).unlink()

    assert [world.call("DEL", full_conf(world)).code for _ in range(2)] == [11, 11]
    assert world.call("ADD", plain(world), "c2", OTHERS).code == 0
    assert world.call("DEL", full_conf(world), "never").code == 0


@pytest.mark.parametrize("damage", ["half", "empty"])
def test_a_claim_that_tells_nothing_is_whoevers_lock_there_is(tmp_path: Path, damage: str) -> None:
    world = attached(tmp_path, damage, record=False)
    record_of(world).unlink()
    collect = full_conf(world) | {"cniVersion": "1.1.0", "cni.dev/valid-attachments": []}

    assert [world.call("DEL", full_conf(world)).code for _ in range(2)] == [11, 11]
    assert world.call("DEL", full_conf(world), "never").code == 0
    assert world.call("GC", collect).code == 11
    assert world.call("DEL", full_conf(world)).code == 11, "GC swept the lock, which is all that tells"


def test_a_record_under_another_ones_name_is_unreadable(tmp_path: Path) -> None:
    world = a_world(tmp_path, vfs=2)
    assert world.call("ADD", full_conf(world)).code == 0
    record_of(world, "c2").write_text(record_of(world).read_text())

    assert world.call("DEL", full_conf(world), "c2").code == 11
    assert world.call("DEL", full_conf(world)).code == 0


@pytest.mark.parametrize("damage", DAMAGE)
def test_unreadable_leases_stay_leased_and_del_says_so(tmp_path: Path, damage: str) -> None:
    """Owner and leases are one file. The VF comes home all the same."""
    if damage in {"another type", "a missing field"}:
        spoil = changed(leases=5) if damage == "another type" else without("leases")
    elif damage == "too deep":
        spoil = changed(deep=nested(900))
    elif damage == "too large":
        spoil = changed(network="x" * (1 << 17))
    else:
        spoil = DAMAGE[damage]
    world = a_world(tmp_path, vfs=2)
    assert world.call("ADD", full_conf(world)).code == 0
    (lease,) = world.data_dir.glob("default/*/leases/*")
    lease.write_text(spoil(lease.read_text()))
    before = lease.read_bytes()

    refused = [world.call("DEL", full_conf(world)) for _ in range(2)]
    added = world.call("ADD", plain(world), "c2", OTHERS)

    assert [reply.code for reply in refused] == [11, 11], refused[0].text
    assert "owners/c1@net1" in refused[0].text
    assert added.code == 0
    assert added.document["ips"][0]["address"] != "10.10.0.2/24"
    assert lease.read_bytes() == before
    assert not [path for path in world.data_dir.rglob("*") if "damaged" in path.name]


@pytest.mark.parametrize("which", ["claim", "record and claim", "lease"])
@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO, errno.ENOMEM])
def test_what_cannot_be_looked_at_now_is_neither_damaged_nor_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: str, number: int
) -> None:
    world = a_world(tmp_path, vfs=2)
    assert world.call("ADD", full_conf(world)).code == 0
    paths = {"claim": [claim_of(world)], "lease": [*world.data_dir.glob("default/*/owners/*")]}
    blind = {*map(str, paths.get(which, [claim_of(world), record_of(world)]))}
    before, real = world.snapshot(), os.open

    def fail(name: Any, *rest: Any, **more: Any) -> int:
        if name in blind:
            raise OSError(number, os.strerror(number), name)
        return real(name, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", fail)
        refused = world.call("DEL", full_conf(world))
        others = [world.call(verb, plain(world), "c2", OTHERS).code for verb in ("ADD", "DEL")]
    assert (refused.exit_code, others) == (1, [0, 0]), refused.text
    assert "--forget" not in refused.text
    assert world.call("DEL", full_conf(world)).code == 0
    assert world.files() == []
    assert before["kernel"]["vfs"].keys() == world.kernel.snapshot()["vfs"].keys()
