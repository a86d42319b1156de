"""What gc and release give back stands in the file where its ADD logged: there `sriovctl explain` looks for its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni_sriov.ctl import noted
from tests.unit.ctl.test_release import ID, abandon, attach, release
from tests.unit.ctl.tool import host, sriovctl
from tests.world import World

OTHER = "77aa00bb11cc"


@pytest.fixture
def log(world: World) -> Path:
    path = world.root / "var/log/cni.log"
    path.parent.mkdir(parents=True)
    return path


def given_back(log: Path) -> list[str]:
    return [line for line in log.read_text().splitlines() if "given back" in line]


def test_release_says_that_it_was_the_operators_word(world: World, log: Path) -> None:
    attach(world, logFile=str(log))
    abandon(world)
    assert release(world, ID, "--yes", "--dry-run").status == 0
    assert given_back(log) == []

    assert release(world, ID, "--yes").status == 0

    (line,) = given_back(log)
    assert f'verb="sriovctl release" containerID={ID} ifname=eth0 msg="given back" vf=0000:' in line
    assert line.endswith('reason="on the operator\'s word"')


def test_gc_says_what_proved_it_dead(world: World, log: Path) -> None:
    attach(world, OTHER, logFile=str(log))
    world.kernel.kill_netns(f"/run/netns/{OTHER}")

    assert sriovctl(world, "gc").status == 0

    (line,) = given_back(log)
    assert f'verb="sriovctl gc" containerID={OTHER} ifname=eth0 msg="given back" vf=0000:' in line
    assert line.endswith('reason="the VF is back in the host"')


def test_where_add_logged_on_its_standard_error_nothing_is_written(world: World, log: Path) -> None:
    attach(world)
    abandon(world)

    assert release(world, ID, "--yes").status == 0

    assert list(log.parent.iterdir()) == []


@pytest.mark.parametrize("named", ["relative.log", "/var/log/../x.log", "/var/log/\0", "/var/log/\x1b[2J"])
def test_a_record_that_names_no_file_of_ours_is_given_back_all_the_same(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    """As no ADD wrote it: a configuration's logFile is an absolute path."""
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    attach(world)
    (record,) = host(world).ledger.claims()
    record.origin = f"7\twhy\t\t\t\t{named}"

    noted.given_back(record, "sriovctl gc", "it is gone")

    assert [path for path in sorted(tmp_path.rglob("*.log")) if path not in before] == []


def test_a_link_is_not_followed_and_what_is_made_is_not_for_others(world: World, log: Path) -> None:
    attach(world, logFile=str(log))
    (record,) = host(world).ledger.claims()
    log.unlink()
    (log.parent / "passwd").touch()
    log.symlink_to("passwd")
    noted.given_back(record, "sriovctl gc", "it is gone")
    assert (log.parent / "passwd").read_text() == ""

    log.unlink()
    noted.given_back(record, "sriovctl gc", "first\nsecond\x1b[2J")

    assert (log.stat().st_mode & 0o777, len(log.read_text().splitlines())) == (0o600, 1)
    assert log.read_text().strip().isprintable()
