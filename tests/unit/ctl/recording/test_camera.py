"""What is taken of a tree like a node's: links and where they lead, what is not there, what cannot be read."""

from __future__ import annotations

import os
from errno import EACCES, EINVAL, ENOENT
from pathlib import Path

import pytest

from cni_sriov.ctl.recording.camera import Camera
from cni_sriov.ctl.recording.tree import NotRecorded


@pytest.fixture
def camera(tmp_path: Path) -> Camera:
    (tmp_path / "sys/a/power").mkdir(parents=True)
    (tmp_path / "sys/a/below/deeper").mkdir(parents=True)
    (tmp_path / "sys/a/text").write_text("x\n")
    (tmp_path / "sys/a/reset").write_text("1")
    (tmp_path / "sys/a/reset").chmod(0o200)
    (tmp_path / "sys/a/link").symlink_to("../b")
    (tmp_path / "sys/b").mkdir()
    os.mkfifo(tmp_path / "sys/a/fifo")
    return Camera(str(tmp_path))


def test_a_directory_as_it_is(camera: Camera) -> None:
    camera.directory("/sys/a", 1)
    tree = camera.tree

    assert tree.lists["/sys/a"] == ["below", "fifo", "link", "power", "reset", "text"]
    assert tree.lists["/sys/a/below"] == ["deeper"]
    assert tree.files == {"/sys/a/text": b"x\n"}
    assert tree.links == {"/sys/a/link": "../b"}
    assert tree.there == {"/sys/a/fifo", "/sys/a/reset", "/sys/a/power", "/sys/a/below/deeper", "/sys/b"}
    with pytest.raises(NotRecorded):
        tree.names("/sys/a/power")


def test_no_device_is_opened(camera: Camera) -> None:
    """A FIFO without a writer would keep us for ever."""
    camera.file("/sys/a/fifo")
    assert camera.tree.files == {}


def test_what_is_not_there_is_recorded_where_it_begins(camera: Camera) -> None:
    camera.file("/sys/none/below/x")
    camera.listing("/sys/b/none")

    assert camera.tree.failed == {"/sys/none": ENOENT, "/sys/b/none": ENOENT}


def test_what_cannot_be_read_is_there(camera: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> list[str]:
        raise OSError(EACCES, "no")

    monkeypatch.setattr(os, "listdir", refused)
    camera.listing("/sys/b")

    assert (camera.tree.unread, camera.tree.failed) == ({"/sys/b": EACCES}, {})
    with pytest.raises(OSError) as caught:
        camera.tree.names("/sys/b")
    assert caught.value.errno == EACCES


def test_an_attribute_without_value(camera: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    """`speed` of a netdev that is down: EINVAL by read, and the file is there."""

    def refused(*_: object) -> None:
        raise OSError(EINVAL, "no")

    monkeypatch.setattr(os, "read", refused)
    camera.file("/sys/a/text")

    assert camera.tree.unread == {"/sys/a/text": EINVAL}
    assert camera.tree.real("/sys/a/text") == "/sys/a/text"


def test_links_lead_out_of_no_root(tmp_path: Path) -> None:
    """Absolute ones are the node's own, and round ones end."""
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "secret").write_text("x")
    (tmp_path / "root/etc/out").symlink_to(f"{tmp_path}/secret")
    (tmp_path / "root/etc/up").symlink_to("../../../../../../secret")
    (tmp_path / "root/etc/round").symlink_to("round")
    camera = Camera(str(tmp_path / "root"))
    for name in ("out", "up", "round"):
        camera.file(f"/etc/{name}")

    assert camera.tree.files == {}
    assert camera.tree.links["/etc/up"] == "../../../../../../secret"


def test_of_a_process_only_what_it_has_of_devices(tmp_path: Path) -> None:
    process = tmp_path / "proc/12"
    (process / "fd").mkdir(parents=True)
    (process / "ns").mkdir()
    for name, target in {"0": "/dev/null", "9": "/dev/vfio/3", "11": "socket:[77]"}.items():
        (process / "fd" / name).symlink_to(target)
    (process / "ns/net").symlink_to("net:[4026531840]")
    camera = Camera(str(tmp_path))
    for name in camera.listing("/proc/12/fd"):
        camera.link(f"/proc/12/fd/{name}")
    camera.link("/proc/12/fd/11")  # somebody asks for it by its number
    camera.link("/proc/12/ns/net")

    assert camera.tree.lists == {"/proc/12/fd": ["9"]}
    assert camera.tree.links == {"/proc/12/fd/9": "/dev/vfio/3", "/proc/12/ns/net": "net:[4026531840]"}


def test_names_of_other_devices_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "usr/share/misc").mkdir(parents=True)
    lines = [
        "# x",
        "8086  Intel",
        "\t10ca  82576 VF",
        "\t\t8086 0001  sub",
        "\tffff  other",
        "15b3  Mellanox",
    ]
    (tmp_path / "usr/share/misc/pci.ids").write_text("\n".join(lines))
    camera = Camera(str(tmp_path), ids={("8086", "10ca")})
    camera.file("/usr/share/misc/pci.ids")

    assert camera.tree.files["/usr/share/misc/pci.ids"] == b"8086  Intel\n\t10ca  82576 VF\n"


def test_a_file_of_the_kernels_own_is_read_in_pieces() -> None:
    """One read of more than 4 MiB is ENOMEM below /proc/sys (proc_sys_call_handler); a test's own tree would not tell."""
    camera = Camera()
    camera.file("/proc/sys/kernel/osrelease")
    assert camera.tree.files == {"/proc/sys/kernel/osrelease": f"{os.uname().release}\n".encode()}
