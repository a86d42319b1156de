"""CDI specifications: what is written is what the specification asks for, and nobody is led astray by its name."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cni_sriov.state import cdi
from cni_sriov.words.errors import InputOutput
from tests.cdi import check

VF = "0000:01:10.0"
NODES = ["/dev/vfio/vfio", "/dev/vfio/10"]
FILE = "cni-sriov.dev-vf_0000:01:10.0.json"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "run/cdi"


def test_a_runtime_takes_it_and_gives_the_nodes(directory: Path) -> None:
    mask = os.umask(0o077)
    try:
        cdi.write(str(directory), VF, NODES)
    finally:
        os.umask(mask)

    document = json.loads((directory / FILE).read_text())
    check(document)
    assert document["kind"] == "cni-sriov.dev/vf"
    (device,) = document["devices"]
    assert device["name"] == VF
    nodes = device["containerEdits"]["deviceNodes"]
    assert [(node["path"], node["permissions"]) for node in nodes] == [(path, "rw") for path in NODES]
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (directory, directory / FILE)]
    assert modes == [0o755, 0o644], "rootless tools read it"
    assert [path.name for path in directory.iterdir()] == [FILE]


@pytest.mark.parametrize(
    "bad",
    [
        {"cdiVersion": "0.4.0"},
        {"kind": "vf"},
        {"kind": "cni-sriov.dev/vf/x"},
        {"devices": []},
        {"annotation": {}},
        {"devices": [{"name": VF}]},
        {"devices": [{"name": VF, "containerEdits": {}}]},
        {"devices": [{"name": f"{VF}:", "containerEdits": {"env": ["A=1"]}}]},
        {"devices": [{"name": VF, "containerEdits": {"deviceNodes": [{"path": "vfio"}]}}]},
        {"devices": [{"name": VF, "containerEdits": {"deviceNodes": [{"path": "/x", "permissions": "x"}]}}]},
        {"devices": [{"name": VF, "containerEdits": {"env": ["A=1"]}}] * 2},
    ],
    ids=str,
)
def test_the_schema_refuses_what_a_runtime_refuses(bad: dict[str, Any]) -> None:
    good = json.loads(cdi.text(VF, NODES))

    with pytest.raises((jsonschema.ValidationError, AssertionError)):
        check(good | bad)


def test_only_ours_and_only_whole_ones_are_listed(directory: Path) -> None:
    assert cdi.vfs(str(directory)) == []
    for vf in ("0000:01:10.2", VF):
        cdi.write(str(directory), vf, NODES)
    others = ("nvidia.com-gpu.json", "cni-sriov.dev-vf_..%2fx.json", "cni-sriov.dev-vf_0000:01:1F.0.json",
              "cni-sriov.dev-vf_.json", f"{FILE}.bak", f".tmp-{FILE}")  # fmt: skip
    for name in others:
        (directory / name).write_text("{}")

    assert cdi.vfs(str(directory)) == [VF, "0000:01:10.2"]


@pytest.mark.parametrize("call", ["write", "rename", "fchmod"])
def test_a_reader_sees_a_whole_file_or_none(
    directory: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Every *.json there is read by runtimes: one that is being written must be called otherwise."""
    seen: list[str] = []

    def full(*_: Any, **__: Any) -> Any:
        seen.extend(path.name for path in directory.iterdir())
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    directory.mkdir(parents=True)
    monkeypatch.setattr(os, call, full)
    with pytest.raises(InputOutput, match=f"{FILE}: No space left"):
        cdi.write(str(directory), VF, NODES)
    monkeypatch.undo()

    assert (len(seen), [name for name in seen if name.endswith((".json", ".yaml"))]) == (1, [])
    assert list(directory.iterdir()) == []


def test_a_symlink_in_its_place_goes_and_its_target_stays(directory: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("theirs")
    directory.mkdir(parents=True)
    for name in (FILE, f".tmp-{FILE.removesuffix('.json')}"):
        (directory / name).symlink_to(target)

    cdi.write(str(directory), VF, NODES)

    assert (target.read_text(), (directory / FILE).is_symlink()) == ("theirs", False)
    assert cdi.is_there(str(directory), VF, NODES)


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_nothing_is_written_where_others_may_write(directory: Path, mode: int) -> None:
    directory.mkdir(parents=True)
    directory.chmod(mode)

    with pytest.raises(InputOutput, match="others may write"):
        cdi.write(str(directory), VF, NODES)
    assert list(directory.iterdir()) == []


def test_nothing_is_written_through_a_symlink(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    directory.parent.mkdir()
    directory.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(InputOutput, match="symlink is not followed"):
        cdi.write(str(directory), VF, NODES)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_remove_takes_what_a_killed_writer_left_too_and_is_content_with_nothing(directory: Path) -> None:
    cdi.remove(str(directory), VF)
    cdi.write(str(directory), VF, NODES)
    (directory / f".tmp-{FILE.removesuffix('.json')}").write_text("{")

    cdi.remove(str(directory), VF)

    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("name", ["../../etc/x", "0000:01:10.0/../x", "", "0000:01:10.0\n"])
def test_no_name_leads_out_of_the_directory(directory: Path, name: str) -> None:
    with pytest.raises(ValueError, match="PCI address"):
        cdi.write(str(directory), name, NODES)
    with pytest.raises(ValueError, match="PCI address"):
        cdi.remove(str(directory), name)
