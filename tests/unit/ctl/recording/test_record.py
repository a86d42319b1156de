"""`sriovctl record`: one file, whole or not at all, for its owner alone."""

from __future__ import annotations

import gzip
import io
import json
import os
from pathlib import Path

import pytest

from cni_sriov.ctl.main import main
from cni_sriov.ctl.recording import scope
from cni_sriov.ctl.recording.camera import Camera
from cni_sriov.ctl.recording.recording import unpacked
from tests.unit.ctl.recording import taken
from tests.world import World


@pytest.fixture
def node(world: World) -> World:
    taken.node(world)
    return world


def test_a_file_for_its_owner(node: World, tmp_path: Path) -> None:
    file = tmp_path / "node.json.gz"
    run = taken.live(node, "record", str(file))

    assert (run.status, run.err) == (0, "")
    assert run.out.startswith(f"{file}: ")
    assert "--anonymous" in run.out
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("node")] == ["node.json.gz"]
    assert unpacked(file.read_bytes(), "x").node.boot_id == node.boot_id


def test_as_json(node: World, tmp_path: Path) -> None:
    run = taken.live(node, "record", str(tmp_path / "n"), "--anonymous", "--json")

    size = (tmp_path / "n").stat().st_size
    assert run.document["file"] == str(tmp_path / "n")
    assert (run.document["bytes"], run.document["anonymous"], run.document["failed"]) == (size, True, [])


def test_what_is_there_is_not_replaced_but_by_force(node: World, tmp_path: Path) -> None:
    file, target = tmp_path / "n", tmp_path / "victim"
    target.write_text("as it was")
    file.symlink_to(target)

    refused = taken.live(node, "record", str(file))
    forced = taken.live(node, "record", "--force", str(file))

    assert (refused.status, "it is there" in refused.err, "--force" in refused.err) == (1, True, True)
    assert (forced.status, target.read_text(), file.is_symlink()) == (0, "as it was", False)


def test_a_directory_that_is_not_there_is_said_and_nothing_is_left(node: World, tmp_path: Path) -> None:
    run = taken.live(node, "record", str(tmp_path / "none/n"))

    assert (run.status, run.out) == (1, "")
    assert "No such file or directory\n  is its directory there, and writable?\n" in run.err


def test_to_standard_output_it_is_the_file_alone(node: World) -> None:
    out = io.TextIOWrapper(io.BytesIO())
    err = io.StringIO()
    status = main(("record", "-"), taken.tool(node, out, err))

    assert (status, err.getvalue()) == (0, "")
    content = out.buffer.getvalue()
    assert json.loads(gzip.decompress(content))["recording"] == 1


def test_progress_is_a_line_on_a_terminal_alone(node: World, tmp_path: Path) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    err = Screen()
    assert main(("record", str(tmp_path / "n")), taken.tool(node, io.StringIO(), err)) == 0
    assert "recording PCI devices ..." in err.getvalue()
    assert err.getvalue().endswith("\r\033[K")
    assert taken.live(node, "record", str(tmp_path / "m")).err == ""


def test_a_part_that_fails_is_told_and_the_rest_is_recorded(
    node: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Camera) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(scope, "_processes", broken)
    run = taken.live(node, "record", str(tmp_path / "n"))

    assert run.status == 0
    assert "not recorded: processes: " in run.out
    assert taken.replayed(tmp_path / "n", "leases").out == taken.live(node, "leases").out


def test_needs_root(node: World, tmp_path: Path) -> None:
    out, err = io.StringIO(), io.StringIO()
    assert main(("record", str(tmp_path / "n")), taken.tool(node, out, err, euid=1000)) == 77
    assert os.listdir(tmp_path) == [name for name in os.listdir(tmp_path) if name != "n"]


def test_a_look_that_failed_fails_again(node: World, tmp_path: Path) -> None:
    """A claim that cannot be read, and a netns that is none any more."""
    (node.run_dir / "claims/0000:01:00.0+0000:01:11.4").write_text("{")
    node.kernel.kill_netns(taken.PODS["c2"])
    file = taken.written(taken.recorded(node), tmp_path / "n")

    for verb in ("status", "doctor"):
        live, again = taken.live(node, verb), taken.replayed(file, verb)
        assert (again.status, again.out) == (live.status, live.out), verb
    assert "cannot be read" in taken.replayed(file, "status").out


def test_a_pipe_or_a_device_is_not_replaced_by_force_either(node: World, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    run = taken.live(node, "record", "--force", str(tmp_path / "pipe"))

    assert (run.status, "no regular file" in run.err, (tmp_path / "pipe").is_fifo()) == (1, True, True)
