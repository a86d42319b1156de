"""What devlink tells of a device's eswitch: the two questions byte for byte, and whatever answers."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from cni_sriov.kernel import devlink
from cni_sriov.words.errors import KernelRefused

FAMILY = 21


def attr(kind: int, payload: bytes) -> bytes:
    """struct nlattr, linux/netlink.h."""
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


class Kernel:
    """Generic netlink that knows devlink: linux/genetlink.h, linux/devlink.h."""

    mode: bytes | KernelRefused = b""
    asked: list[tuple[int, bytes]]  # of each test

    def __init__(self, groups: int = 0, protocol: int = 0) -> None:
        assert protocol == 16  # NETLINK_GENERIC

    def ask(self, _: str, family: int, body: bytes) -> bytes:
        self.asked.append((family, body))
        if family == 16:  # GENL_ID_CTRL: CTRL_ATTR_FAMILY_NAME, then CTRL_ATTR_FAMILY_ID
            return bytes((1, 2, 0, 0)) + attr(2, b"devlink\0") + attr(1, struct.pack("=H", FAMILY))
        if isinstance(self.mode, KernelRefused):
            raise self.mode
        return bytes((29, 1, 0, 0)) + attr(1, b"pci\0") + self.mode

    def close(self) -> None:
        self.asked.append((0, b"closed"))


def mode_of(monkeypatch: pytest.MonkeyPatch, mode: Any) -> tuple[str, list[tuple[int, bytes]]]:
    Kernel.mode, Kernel.asked = mode, []
    monkeypatch.setattr(devlink, "NetlinkSocket", Kernel)
    return devlink.eswitch_mode("0000:01:00.0"), Kernel.asked


@pytest.mark.parametrize(
    ("answer", "mode"),
    [
        (attr(25, struct.pack("=H", 0)), "legacy"),  # DEVLINK_ATTR_ESWITCH_MODE, DEVLINK_ESWITCH_MODE_LEGACY
        (attr(25, struct.pack("=H", 1)), "switchdev"),
        (attr(25, struct.pack("=H", 2)), ""),
        (b"", ""),
        (KernelRefused("x", 19), ""),
        (KernelRefused("x", 95), ""),
    ],
)
def test_the_mode_is_its_or_none(monkeypatch: pytest.MonkeyPatch, answer: Any, mode: str) -> None:
    assert mode_of(monkeypatch, answer)[0] == mode


def test_it_asks_for_the_family_and_then_for_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    assert mode_of(monkeypatch, b"")[1] == [
        (16, bytes((3, 1, 0, 0)) + attr(2, b"devlink\0")),  # CTRL_CMD_GETFAMILY
        (FAMILY, bytes((29, 1, 0, 0)) + attr(1, b"pci\0") + attr(2, b"0000:01:00.0\0")),
        (0, b"closed"),
    ]


@pytest.mark.parametrize(("answer", "number"), [(b"\x02\x00\x19\x00", 74), (KernelRefused("x", 12), 12)])
def test_what_cannot_be_asked_is_no_legacy_mode(
    monkeypatch: pytest.MonkeyPatch, answer: Any, number: int
) -> None:
    with pytest.raises(KernelRefused) as caught:
        mode_of(monkeypatch, answer)
    assert caught.value.errno == number


def test_nor_is_a_socket_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(**_: object) -> None:
        raise KernelRefused("open a netlink socket", 24)

    monkeypatch.setattr(devlink, "NetlinkSocket", refused)
    with pytest.raises(KernelRefused):
        devlink.eswitch_mode("0000:01:00.0")
