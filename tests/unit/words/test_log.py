"""Lines for whoever looks: to the file that is named, or to standard error."""

from __future__ import annotations

import os
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cni_sriov.words.log import Log
from tests.world import World


def test_log_file(world: World) -> None:
    assert world.call("DEL", world.conf(logLevel="debug", logFile=str(world.root / "sriov.log"))).code == 0
    assert "msg=" in (world.root / "sriov.log").read_text()


def written(path: Path, level: str, **context: str) -> list[str]:
    log = Log(level, str(path), context)
    for word in ("debug", "info", "warning", "error"):
        getattr(log, word)("it is", value=f'a "b"\n{word}', n=7)
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize(("level", "count"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1), ("panic", 0), ("none", 0)])  # fmt: skip
def test_what_is_below_the_level_is_not_written(tmp_path: Path, level: str, count: int) -> None:
    assert len(written(tmp_path / "log", level)) == count


def test_a_line_is_read_back_as_words(tmp_path: Path) -> None:
    """As a shell splits it: a value of somebody else's can make neither a second line nor another key."""
    (line,) = written(tmp_path / "log", "error", container="c1", netns="")
    words = dict(word.split("=", 1) for word in shlex.split(line))

    stamp = datetime.strptime(words.pop("time"), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert abs(stamp - datetime.now(UTC)) < timedelta(minutes=1)
    assert words == {"level": "error", "container": "c1", "msg": "it is", "value": r'a "b"\nerror', "n": "7"}


def test_a_log_is_kept_where_it_is_a_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert [Log("info", path).is_kept for path in (str(tmp_path / "log"), "", str(tmp_path))] == [
        True,
        False,
        False,
    ]
    assert "log file not writable" in capfd.readouterr().err


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "panic", "none"])
def test_a_level_has_a_name_that_stands_for_it(level: str) -> None:
    assert Log(Log(level).level_name).level == Log(level).level


@pytest.mark.parametrize("what", ["directory", "symlink", "fifo"])
def test_what_cannot_be_written_fails_no_call(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], what: str
) -> None:
    path = tmp_path / "log"
    if what == "directory":
        path.mkdir()
    elif what == "symlink":
        path.symlink_to(tmp_path / "victim")
    else:
        os.mkfifo(path)

    Log("info", str(path)).error("said all the same")

    assert "log file not writable" in capfd.readouterr().err
    assert not (tmp_path / "victim").exists()


def test_what_goes_well_is_info_in_a_file_and_debug_on_standard_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "log")
    for level, kept in (("info", ""), ("debug", ""), ("warning", path), ("info", path)):
        log = Log(level, kept)
        log.routine("attached", level=level)
        assert log.has_routine is ((level, kept) in {("debug", ""), ("info", path)})

    assert "level=debug msg=attached level=debug" in capfd.readouterr().err
    assert "level=info msg=attached level=info" in Path(path).read_text()
    assert len(Path(path).read_text().splitlines()) == 1
