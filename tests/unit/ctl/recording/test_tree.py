"""A look into a recording is as one on the node: links, what is not there, what failed, and what nobody looked at."""

from __future__ import annotations

from errno import EINVAL, EIO, EISDIR, ELOOP, ENODATA, ENOENT, ENOTDIR
from typing import Any

import pytest

from cni_sriov.ctl.recording.tree import NotRecorded, Tree
from cni_sriov.words.gone import is_gone


@pytest.fixture
def tree() -> Tree:
    """As /sys is: a device is a link to its directory, whose netdev links back."""
    device = "/sys/devices/pci0000:00/0000:01:00.0"
    return Tree(
        files={f"{device}/class": b"0x020000\n"},
        links={
            "/sys/bus/pci/devices/0000:01:00.0": "../../../devices/pci0000:00/0000:01:00.0",
            f"{device}/driver": "../../../bus/pci/drivers/igb",
            "/sys/round": "round",
            "/proc/1/ns/net": "net:[4026531840]",
        },
        lists={"/sys/bus/pci/devices": ["0000:01:00.0"], device: ["class", "config", "driver", "reset"]},
        there={"/sys/bus/pci/drivers/igb"},
        failed={"/sys/kernel/iommu_groups": ENOENT, "/sys/broken": EIO},
        unread={f"{device}/config": EIO},
    )


def test_a_path_through_links(tree: Tree) -> None:
    assert tree.content("/sys/bus/pci/devices/0000:01:00.0/class") == b"0x020000\n"
    assert tree.real("/sys/bus/pci/devices/0000:01:00.0/driver") == "/sys/bus/pci/drivers/igb"
    assert tree.target("/sys/bus/pci/devices/0000:01:00.0/driver") == "../../../bus/pci/drivers/igb"
    assert tree.names("/sys/bus/pci/devices/../devices") == ["0000:01:00.0"]
    assert tree.real("/proc/1/ns/net") == "/proc/1/ns/net"


@pytest.mark.parametrize(
    ("look", "path", "number"),
    [
        ("real", "/sys/bus/pci/devices/0000:02:00.0", ENOENT),  # listed, and not among them
        ("real", "/sys/kernel/iommu_groups/7/devices", ENOENT),  # below what was not there
        ("content", "/sys/bus/pci/devices/0000:01:00.0/class/more", ENOTDIR),
        ("content", "/sys/bus/pci/devices/0000:01:00.0", EISDIR),
        ("names", "/sys/bus/pci/devices/0000:01:00.0/class", ENOTDIR),
        ("target", "/sys/bus/pci/devices/0000:01:00.0/class", EINVAL),
        ("content", "/sys/broken/below", EIO),
        ("content", "/sys/bus/pci/devices/0000:01:00.0/config", EIO),
        ("real", "/sys/round", ELOOP),
    ],
)
def test_fails_as_the_node(tree: Tree, look: str, path: str, number: int) -> None:
    ask: Any = getattr(tree, look)
    with pytest.raises(OSError) as caught:
        ask(path)
    assert (caught.value.errno, isinstance(caught.value, NotRecorded)) == (number, False)


@pytest.mark.parametrize(
    ("look", "path"),
    [
        ("content", "/sys/bus/pci/devices/0000:01:00.0/reset"),  # it was there, and was not read
        ("names", "/sys/bus/pci"),  # above what was recorded, and not listed
        ("real", "/sys/bus/usb"),
        ("real", "/etc/passwd"),
        ("content", "/proc/1/ns/net"),
    ],
)
def test_what_nobody_looked_at_is_not_absent(tree: Tree, look: str, path: str) -> None:
    ask: Any = getattr(tree, look)
    with pytest.raises(NotRecorded) as caught:
        ask(path)
    assert (caught.value.errno, is_gone(caught.value)) == (ENODATA, False)


def test_what_was_there_is_there(tree: Tree) -> None:
    assert tree.real("/sys/bus/pci/devices/0000:01:00.0/reset").endswith("/reset")
    assert tree.real("/sys/bus/pci") == "/sys/bus/pci"
    assert tree.below("/sys/bus") == [
        "/sys/bus/pci/devices", "/sys/bus/pci/devices/0000:01:00.0", "/sys/bus/pci/drivers/igb",
    ]  # fmt: skip
