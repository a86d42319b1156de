"""By the note that Go's linker puts in front (cmd/link/internal/ld/elf.go), and by nothing that comes far behind."""

from __future__ import annotations

import pytest

from cni_sriov.ctl import golang

NOTE = b"\x04\x00\x00\x00\x53\x00\x00\x00\x04\x00\x00\x00Go\x00\x00abc/def"


@pytest.mark.parametrize(
    ("content", "is_one"),
    [
        (b"\x7fELF" + bytes(100) + NOTE, True),
        (b'\x7fELF\xff Go build ID: "x"', True),
        (b"\x7fELF" + bytes(100), False),
        (b"#!/bin/sh\n" + NOTE, False),
        (b"\x7fELF" + bytes(1 << 16) + NOTE, False),
    ],
)
def test_is_one(content: bytes, is_one: bool) -> None:
    assert golang.is_one(content) is is_one
