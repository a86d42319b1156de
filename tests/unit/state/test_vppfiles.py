"""Files in a directory that a container may write to, as root."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cni_sriov.state import vppfiles
from cni_sriov.words.errors import InputOutput

NAMES = ("startup.conf", "start.exec", "tap.ip")
TEXTS = {"startup.conf": "a\n", "start.exec": "b\n"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "vpp-of"
    path.mkdir(mode=0o755)
    return path


@pytest.fixture
def mounted(root: Path) -> Path:
    """What the container has."""
    return root / "default" / "web"


def write(directory: Path, root: Path, texts: dict[str, str] | None = None) -> None:
    vppfiles.write(str(directory), str(root), TEXTS if texts is None else texts, NAMES)


def remove(directory: Path, root: Path) -> None:
    vppfiles.remove(str(directory), str(root), NAMES)


def contents(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir()}


def test_the_vpp_of_any_user_can_read_them(root: Path, mounted: Path) -> None:
    mask = os.umask(0o077)
    try:
        write(mounted, root)
    finally:
        os.umask(mask)

    assert contents(mounted) == TEXTS
    assert {stat.S_IMODE(path.stat().st_mode) for path in mounted.iterdir()} == {0o644}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (mounted, mounted.parent)} == {0o755}


def test_what_has_no_text_any_more_goes(root: Path, mounted: Path) -> None:
    write(mounted, root, {"startup.conf": "a", "tap.ip": "c"})
    write(mounted, root, {"startup.conf": "d"})

    assert contents(mounted) == {"startup.conf": "d"}


def test_removed_with_the_directories_that_were_made_for_it_and_again(root: Path, mounted: Path) -> None:
    write(mounted, root)
    (mounted / ".tmp-start.exec").write_text("of a killed writer")

    remove(mounted, root)
    remove(mounted, root)

    assert list(root.iterdir()) == []


def test_a_directory_of_the_operators_stays(root: Path) -> None:
    write(root, root)
    remove(root, root)

    assert list(root.iterdir()) == []


def test_another_pods_directory_stays(root: Path, mounted: Path) -> None:
    write(mounted, root)
    write(mounted.parent / "db", root)

    remove(mounted, root)

    assert [path.name for path in mounted.parent.iterdir()] == ["db"]


def test_what_the_container_put_there_stays(root: Path, mounted: Path) -> None:
    write(mounted, root)
    (mounted / "start.exec").unlink()
    (mounted / "start.exec").mkdir()
    (mounted / "own").write_text("x")

    remove(mounted, root)

    assert sorted(path.name for path in mounted.iterdir()) == ["own", "start.exec"]


@pytest.mark.parametrize("name", ["start.exec", ".tmp-start.exec"])
def test_no_symlink_of_the_containers_is_followed(
    root: Path, mounted: Path, name: str, tmp_path: Path
) -> None:
    mounted.mkdir(parents=True, mode=0o755)
    victim = tmp_path / "victim"
    victim.write_text("the host's")
    (mounted / name).symlink_to(victim)

    write(mounted, root)
    assert contents(mounted) == TEXTS
    (mounted / "start.exec").unlink()
    (mounted / "start.exec").symlink_to(victim)
    remove(mounted, root)

    assert victim.read_text() == "the host's"


@pytest.mark.parametrize("level", ["default/web", "default"])
def test_nothing_is_removed_where_a_link_leads(root: Path, mounted: Path, level: str, tmp_path: Path) -> None:
    """Who has the directory above for himself, against the rule, has root's hand not."""
    write(mounted, root)
    (root / level).rename(tmp_path / "away")
    (root / level).symlink_to(tmp_path / "away")

    remove(mounted, root)

    assert (root / level).is_symlink()
    assert contents(mounted) == TEXTS


def test_a_link_or_a_directory_that_others_may_write_to_is_refused(
    root: Path, mounted: Path, tmp_path: Path
) -> None:
    mounted.parent.mkdir(mode=0o755)
    mounted.symlink_to(tmp_path)
    with pytest.raises(InputOutput, match="not a directory"):
        write(mounted, root)
    mounted.unlink()
    mounted.parent.chmod(0o777)
    with pytest.raises(InputOutput, match="others may write"):
        write(mounted, root)
    assert not (tmp_path / "startup.conf").exists()


def test_differences_are_named(root: Path, mounted: Path) -> None:
    write(mounted, root)
    assert vppfiles.unlike(str(mounted), TEXTS) == []

    (mounted / "startup.conf").write_text("other")
    (mounted / "start.exec").unlink()

    assert vppfiles.unlike(str(mounted), TEXTS) == [
        f"{mounted}/startup.conf is not as it was written",
        f"{mounted}/start.exec is missing",
    ]
    (mounted / "start.exec").symlink_to("/etc/passwd")
    assert "symlink" in vppfiles.unlike(str(mounted), {"start.exec": ""})[0]
