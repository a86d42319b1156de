"""An attachment's lock: the call's own, which leaves no file when it is refused, and that of one of many."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from cni_sriov.owner import reclaim, records
from cni_sriov.state import files
from cni_sriov.state.ledger import Ledger
from cni_sriov.state.lock import Lock
from cni_sriov.words.domain import Attachment
from cni_sriov.words.errors import BadConfig, MacInUse, NoFreeVf, TryAgain
from cni_sriov.words.log import Log
from cni_sriov.words.record import Record
from tests.unit.ctl.tool import host as a_host
from tests.unit.one_port import a_world
from tests.world import FakeHost

if TYPE_CHECKING:
    from pathlib import Path

    from cni_sriov.vf.host import Host
    from tests.world import World

OURS = Attachment("c1", "net1")


@pytest.fixture
def host(world: World) -> Host:
    ledger = Ledger(
        str(world.state_dir), Log("debug", str(world.log_file)), str(world.run_dir), world.boot_id
    )
    ledger.open()
    return FakeHost(world.kernel, ledger, ledger.log, allow_own_netns=False)


def lock_file(world: World) -> Path:
    return world.run_dir / "locks/c1@net1"


def test_a_refused_call_leaves_no_lock_file(host: Host, world: World) -> None:
    with pytest.raises(BadConfig), records.held(host, OURS, "ADD"):
        raise BadConfig("no")
    assert not lock_file(world).exists()


def test_a_call_that_went_well_or_whose_attachment_is_known_leaves_it(host: Host, world: World) -> None:
    with records.held(host, OURS, "CHECK"):
        pass
    assert lock_file(world).exists()
    with pytest.raises(SystemExit), records.held(host, OURS, "ADD", lambda: True):
        raise SystemExit
    assert lock_file(world).exists()
    host.ledger.put(Record(OURS, "fast", "0000:01:00.0", "0000:01:10.0", 0, "/x", [], world.boot_id))
    with pytest.raises(BadConfig), records.held(host, OURS, "ADD"):
        raise BadConfig("no")
    assert lock_file(world).exists()


def test_the_error_on_its_way_is_told_whatever_becomes_of_the_file(host: Host, world: World) -> None:
    def unreadable() -> bool:
        raise ZeroDivisionError

    with pytest.raises(BadConfig), records.held(host, OURS, "ADD", unreadable):
        raise BadConfig("no")
    assert "lock file stays" in world.log_file.read_text()


@pytest.mark.parametrize("verb", ["ADD", "CHECK"])
def test_one_of_many_whose_call_runs_is_not_waited_for(host: Host, verb: str) -> None:
    begun = time.monotonic()
    with host.ledger.attachment_lock(OURS, verb), records.alone(host, OURS, "GC", begun + 60) as lock:
        assert lock is None
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("verb", records.GIVING_BACK)
def test_who_gives_it_back_is_waited_for(host: Host, verb: str) -> None:
    holder = host.ledger.attachment_lock(OURS, verb)
    holder.acquire()
    release = threading.Timer(0.2, holder.release)
    release.start()
    with records.alone(host, OURS, "reclaim", time.monotonic() + 60) as lock:
        assert lock is not None
        assert lock.waited
    release.join()


def test_who_takes_too_long_is_named(host: Host) -> None:
    with host.ledger.attachment_lock(OURS, "DEL"):
        with records.alone(host, OURS, "reclaim") as lock:  # without a deadline nobody is waited for
            assert lock is None
        with (
            pytest.raises(TryAgain, match=r"held for more than .* by pid \d+ \(DEL\)"),
            records.alone(host, OURS, "reclaim", time.monotonic() + 0.1),
        ):
            pass


def test_a_dry_run_makes_no_file_and_knows_who_is_busy(host: Host, world: World) -> None:
    with records.alone(host, OURS, "gc", dry_run=True) as lock:
        assert lock is not None
    assert not lock_file(world).exists()
    with host.ledger.attachment_lock(OURS, "ADD"), records.alone(host, OURS, "gc", dry_run=True) as lock:
        assert lock is None


def test_a_lock_knows_whether_anybody_had_it_before(tmp_path: Path) -> None:
    for is_new in (True, False):
        with Lock(str(tmp_path / "lock"), "ADD") as lock:
            assert lock.is_new is is_new
            assert not lock.waited


def test_locks_of_the_gone_are_swept_and_no_others(host: Host, world: World) -> None:
    host.ledger.put(Record(OURS, "fast", "0000:01:00.0", "0000:01:10.0", 0, "/x", [], world.boot_id))
    for name in ("c1@net1", "gone@net1", "busy@net1", "odd"):
        (world.run_dir / "locks" / name).touch()
    with host.ledger.attachment_lock(Attachment("busy", "net1"), "ADD"):
        records.sweep_locks(host)

    assert sorted(path.name for path in (world.run_dir / "locks").iterdir()) == [
        "busy@net1",
        "c1@net1",
        "odd",
    ]


# then again ----------------------------------------------------------------------------------------------------------


def failing(*errors: Exception) -> list[Exception]:
    return list(errors)


def play(errors: list[Exception]) -> str:
    if errors:
        raise errors.pop(0)
    return "done"


def test_it_is_done_again_as_often_as_way_was_made() -> None:
    errors, met = failing(NoFreeVf("none"), MacInUse("taken"), NoFreeVf("none")), []

    def make_way(error: Exception, until: float) -> bool:
        met.append(type(error))
        return until > time.monotonic()

    assert reclaim.then_again(lambda: play(errors), NoFreeVf, MacInUse, make_way=make_way) == "done"
    assert met == [NoFreeVf, MacInUse, NoFreeVf]


def test_what_nobody_can_help_is_told_at_once() -> None:
    errors = failing(NoFreeVf("first"), NoFreeVf("second"))
    with pytest.raises(NoFreeVf, match="first"):
        reclaim.then_again(lambda: play(errors), NoFreeVf, make_way=lambda *_: False)


def test_another_error_is_none_of_its_business() -> None:
    errors = failing(MacInUse("taken"))
    with pytest.raises(MacInUse):
        reclaim.then_again(lambda: play(errors), NoFreeVf, make_way=lambda *_: True)


def test_it_comes_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reclaim, "LOCK_DEADLINE_S", 0.2)

    def act() -> None:
        raise NoFreeVf("still none")

    with pytest.raises(NoFreeVf):
        reclaim.then_again(act, NoFreeVf, make_way=lambda *_: True)


def test_a_sweep_reads_each_claim_once_however_many_locks_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """400 locks and 60 claims took 1.6 s: each lock read all claims."""
    world = a_world(tmp_path, vfs=7)
    for number in range(7):
        world.kernel.add_pod(f"/run/netns/p{number}")
        assert world.call("ADD", world.conf(), f"p{number}", f"/run/netns/p{number}").code == 0
    for number in range(100):
        (world.run_dir / f"locks/gone{number}@net1").touch()
    read: list[str] = []
    real = files.read

    def counted(path: str) -> str | None:
        read.append(path)
        return real(path)

    monkeypatch.setattr(files, "read", counted)

    records.sweep_locks(a_host(world, str(world.state_dir)))

    assert sorted(path.name for path in (world.run_dir / "locks").iterdir()) == [
        f"p{n}@net1" for n in range(7)
    ]
    assert len(read) <= 2 * 7
