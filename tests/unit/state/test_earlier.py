"""First use of a stateDir in a boot: what is of an earlier one goes, what may be of this one stays and is taken."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.unit.one_port import OTHERS, a_world
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A pod has one of two VFs, and /run/cni-sriov is wiped."""
    world = a_world(tmp_path, vfs=2)
    assert world.call("ADD", world.conf()).code == 0
    shutil.rmtree(world.run_dir)
    return world


def record_of(world: World) -> Path:
    return world.state_dir / "c1@net1"


def claims(world: World) -> list[str]:
    return [path.name for path in (world.run_dir / "claims").iterdir()]


@pytest.mark.parametrize("text", ["", "{", '{"format": 1, "attachm'])
def test_what_is_torn_is_of_another_boot_and_goes_with_a_word(world: World, text: str) -> None:
    """A power cut leaves half of what was written last."""
    record_of(world).write_text(text)

    assert world.call("DEL", world.conf(), "other").code == 0

    assert (record_of(world).exists(), claims(world)) == (False, [])
    assert "record of an earlier boot dropped" in world.log_file.read_text()


@pytest.mark.parametrize("change", [{"format": 2}, {"vf_index": "0"}, {"netns_identity": None}])
def test_what_says_this_boot_and_no_more_that_we_know_is_taken(world: World, change: dict[str, Any]) -> None:
    record_of(world).write_text(json.dumps(json.loads(record_of(world).read_text()) | change))
    text = record_of(world).read_text()

    assert world.call("ADD", world.conf(), "c2", OTHERS).code == 0

    assert sorted(claims(world)) == ["0000:01:00.0+0000:01:10.0", "0000:01:00.0+0000:01:10.2"]
    assert record_of(world).read_text() == text
    assert world.call("DEL", world.conf()).code == 11


@pytest.mark.parametrize("change", [{}, {"format": 2}, {"vf_index": "0"}])
def test_another_boots_record_goes_in_whatever_format(world: World, change: dict[str, Any]) -> None:
    raw = json.loads(record_of(world).read_text()) | {"boot_id": "another"} | change
    record_of(world).write_text(json.dumps(raw))

    assert world.call("DEL", world.conf()).code == 0

    assert not record_of(world).exists()


def test_a_record_that_cannot_be_looked_at_stops_the_first_use(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def fail(name: Any, *rest: Any, **more: Any) -> int:
        if name == str(record_of(world)):
            raise OSError(errno.EIO, os.strerror(errno.EIO), name)
        return real(name, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", fail)
        assert world.call("ADD", world.conf(), "c2", OTHERS).code == 5
    assert record_of(world).exists()
    assert world.call("DEL", world.conf()).code == 0


def test_no_file_is_left_where_it_is(world: World) -> None:
    (world.state_dir / "c8@net1").mkdir()

    assert world.call("DEL", world.conf()).code == 0

    assert (world.state_dir / "c8@net1").is_dir()
