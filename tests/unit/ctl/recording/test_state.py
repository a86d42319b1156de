"""Our own state goes into a recording and comes out as plain files that the same code reads; nothing of what others write into
one gets beyond its directory.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cni_sriov.ctl.recording import state
from cni_sriov.ctl.recording.camera import Camera
from cni_sriov.ctl.recording.recording import Node
from cni_sriov.ctl.recording.tree import Tree
from cni_sriov.state.files import NoFile, as_name, read
from cni_sriov.words.errors import BadConfig
from tests.unit.ctl.tool import attach, host
from tests.world import World

RUN = "/run/cni-sriov"


def below(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def node(**more: str) -> Node:
    return Node(boot_id="b", run_dir=RUN, state_dir="/var/s", data_dir="/var/d", **more)  # type: ignore[arg-type]


def test_every_directory_in_use(world: World) -> None:
    attach(world)
    found = state.directories(host(world), str(world.root / "default-data"))

    assert {
        str(world.run_dir),
        str(world.state_dir),
        str(world.data_dir),
        str(world.root / "default-data"),
    } <= {*found}


def test_names_of_one_file_stay_names_of_one_file(world: World, tmp_path: Path) -> None:
    """A lease is its owner's by the inode."""
    attach(world)
    camera = Camera()
    state.take(camera, str(world.data_dir))
    there = Node(run_dir=str(world.run_dir), state_dir=str(world.state_dir), data_dir=str(world.data_dir))
    root = tmp_path / "replayed"
    root.mkdir()
    state.unpack(camera.tree, there, str(root))

    (owner,) = root.rglob("owners/*")
    (lease,) = root.rglob("leases/*")
    assert (owner.name, lease.name) == ("c1@net1", "10.10.0.0_24")
    assert owner.stat().st_ino == lease.stat().st_ino
    assert owner.stat().st_mode == stat.S_IFREG | 0o600
    assert (
        abs(
            owner.stat().st_mtime
            - (world.data_dir / owner.relative_to(root / str(world.data_dir)[1:])).stat().st_mtime
        )
        < 5
    )


def test_the_index_of_subnets_is_not_taken(world: World) -> None:
    attach(world)
    camera = Camera()
    state.take(camera, str(world.run_dir))

    assert (world.run_dir / "subnets").exists()
    assert [path for path in camera.tree.files if "/subnets/" in path] == []


def test_a_directory_that_is_not_one_of_ours_is_not_taken_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "_MOST_FILES", 10)
    for number in range(12):
        (tmp_path / str(number)).touch()
    with pytest.raises(Exception, match="more than 10 files"):
        state.take(Camera(), str(tmp_path))


HOSTILE = {
    f"{RUN}/claims": [],
    RUN: ["claims", "link", "fifo"],
    "/var/s": ["a@b", "deep"],
    "/var/d": [],
}


def test_whatever_it_says_only_plain_files_are_made_and_all_of_them_below(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim").write_text("as it was")
    tree = Tree(
        files={
            f"{RUN}/claims/x+y": b"{}",
            "/var/s/a@b": b"{",
            f"{outside}/victim": b"planted",
            "/etc/cron.d/x": b"planted",
        },
        links={
            f"{RUN}/link": f"{outside}/victim",
            "/var/s/link": str(outside),
            "/var/s/dots": "../../../../etc",
        },
        lists=dict(HOSTILE),
        there={f"{RUN}/fifo"},
        same={"/var/s/c@d": f"{outside}/victim", "/var/s/e@f": "/etc/passwd", "/etc/x": "/var/s/a@b"},
    )
    root = tmp_path / "root"
    root.mkdir()

    state.unpack(tree, node(), str(root))

    assert (outside / "victim").read_text() == "as it was"
    assert sorted(path.name for path in outside.iterdir()) == ["victim"]
    assert below(root / "var/s")[:1] == ["a@b"]
    assert not (root / "etc").exists()
    links = {path: os.readlink(path) for path in root.rglob("*") if path.is_symlink()}
    assert {*links.values()} == {".recorded"}
    assert all(stat.S_ISREG(p.lstat().st_mode) or p.is_dir() or p.is_symlink() for p in root.rglob("*"))
    with pytest.raises(NoFile):
        read(f"{root}{RUN}/link")


@pytest.mark.parametrize("path", ["/var/s/link/below", "/var/s/a@b/below", f"/var/s/{'x' * 300}"])
def test_what_contradicts_itself_or_fits_no_disk_is_refused(tmp_path: Path, path: str) -> None:
    tree = Tree(
        files={"/var/s/a@b": b"", path: b"planted"},
        links={"/var/s/link": str(tmp_path)},
        lists={"/var/s": ["link"]},
    )
    (tmp_path / "root").mkdir()
    with pytest.raises(BadConfig, match="put "):
        state.unpack(tree, node(), str(tmp_path / "root"))
    assert [one.name for one in tmp_path.iterdir()] == ["root"]


def test_a_registered_directory_is_found_where_it_is_now(tmp_path: Path) -> None:
    tree = Tree(
        files={},
        links={f"{RUN}/dirs/{as_name('/srv/state')}": "/srv/state"},
        lists={
            RUN: ["dirs", "subnets"], f"{RUN}/dirs": [as_name("/srv/state")], f"{RUN}/subnets": ["dirs"],
            f"{RUN}/subnets/dirs": [f"blue@{as_name('/srv/data')}"], "/srv/data": [], "/srv/state": [],
        },
        there={f"{RUN}/subnets/dirs/blue@{as_name('/srv/data')}"},
    )  # fmt: skip
    state.unpack(tree, node(), str(tmp_path))

    assert os.listdir(f"{tmp_path}{RUN}/dirs") == [as_name(f"{tmp_path}/srv/state")]
    assert os.listdir(f"{tmp_path}{RUN}/subnets/dirs") == [f"blue@{as_name(f'{tmp_path}/srv/data')}"]
    assert (tmp_path / "srv/data").is_dir()


def test_a_record_names_directories_where_they_are_now(tmp_path: Path) -> None:
    text = b'{"ipam": {"dataDir": "/var/d", "scope": "x"}, "adopted": "/var/s", "netns": "/run/netns/x"}'
    tree = Tree(files={"/var/s/a@b": text}, lists={"/var/s": ["a@b"]})
    state.unpack(tree, node(), str(tmp_path))

    told = (tmp_path / "var/s/a@b").read_text()
    assert f'"dataDir": "{tmp_path}/var/d"' in told
    assert f'"adopted": "{tmp_path}/var/s"' in told
    assert '"netns": "/run/netns/x"' in told


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "_MOST_TOLD", 5)
    tree = Tree(files={f"/var/s/{n}@x": b"" for n in range(6)}, lists={"/var/s": []})
    with pytest.raises(BadConfig, match="more than 5 state files"):
        state.unpack(tree, node(), str(tmp_path))


def test_a_file_of_sriov_cni_is_as_old_as_the_boot_allows(tmp_path: Path) -> None:
    """It counts while it is younger than the boot, here as there."""
    import time

    tree = Tree(
        files={"/var/s/c1-net1": b"{}", "/var/s/old-net1": b"{}", "/var/s/a@b": b"x"},
        lists={"/var/s": ["c1-net1", "old-net1", "a@b"]},
        ages={"/var/s/c1-net1": 9e8, "/var/s/old-net1": 2e9, "/var/s/a@b": 3600.0},
    )
    there = node()
    there.uptime = 1e9
    state.unpack(tree, there, str(tmp_path))

    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    assert (tmp_path / "var/s/c1-net1").stat().st_mtime > booted
    assert (tmp_path / "var/s/old-net1").stat().st_mtime < booted
    assert abs(time.time() - 3600 - (tmp_path / "var/s/a@b").stat().st_mtime) < 5
