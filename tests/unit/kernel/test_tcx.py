"""What bpf(2) answers about tcx hooks, by a kernel in its place; tests/contract/test_traits.py has the real one."""

from __future__ import annotations

import ctypes
import struct
from errno import EACCES, EINVAL, EIO, ENODEV, EPERM

import pytest

from cni_sriov.kernel import tcx
from cni_sriov.words.errors import KernelRefused


def answering(monkeypatch: pytest.MonkeyPatch, ids: dict[int, list[int]], number: int = 0) -> None:
    def bpf(command: int, attr: bytearray) -> None:
        ifindex, hook, flags, more, pointer, room = struct.unpack_from("=IIIIQI", attr)
        assert (command, ifindex, flags, more, len(attr)) == (16, 7, 0, 0, 64)
        if number:
            raise OSError(number, "no")
        told = struct.pack(f"={len(ids[hook])}I", *ids[hook])
        assert len(told) <= room * 4
        ctypes.memmove(pointer, told, len(told))

    monkeypatch.setattr(tcx, "_bpf", bpf)


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        ({46: [], 47: []}, ""),
        ({46: [12], 47: []}, "ingress 12"),
        ({46: [12, 3], 47: [*range(1, 65)]}, "ingress 12,3 egress " + ",".join(map(str, range(1, 65)))),
    ],
)
def test_programs_by_hook(monkeypatch: pytest.MonkeyPatch, ids: dict[int, list[int]], text: str) -> None:
    answering(monkeypatch, ids)

    assert tcx.programs(7) == text


@pytest.mark.parametrize("number", [EINVAL, EPERM, EACCES])
def test_who_cannot_look_does_not_know(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    answering(monkeypatch, {}, number)

    assert tcx.programs(7) is None


@pytest.mark.parametrize("number", [EIO, ENODEV])
def test_a_failed_look_is_not_absence(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    answering(monkeypatch, {}, number)

    with pytest.raises(KernelRefused) as refused:
        tcx.programs(7)

    assert refused.value.errno == number
