"""What the lab decides without a guest: which mirror is the machine's own, what the machine looks like."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from .apt import this_suite
from .cache import ensure, key_of
from .errors import LabError
from .initramfs import Cpio
from .kernel import load_order
from .sources import Source, parse_deb822, parse_one_line, serving

DEB822 = """\
# the distribution
Types: deb deb-src
URIs: http://mirror.invalid/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 key

Types: deb
URIs: http://mirror.invalid/security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://mirror.invalid/disabled
Suites: bookworm
Components: main
"""
ONE_LINE = """\
deb [arch=amd64,arm64 signed-by=/keys/a.gpg] http://mirror.invalid/debian/ bookworm main non-free # comment
deb-src http://mirror.invalid/debian bookworm main
# deb http://mirror.invalid/off bookworm main
deb http://third.invalid/apt bookworm stable
"""


def test_deb822_keeps_inline_keys_and_drops_what_is_disabled() -> None:
    found = parse_deb822(DEB822)
    assert [source.uris for source in found] == [
        "http://mirror.invalid/debian",
        "http://mirror.invalid/security",
    ]
    assert found[0].components == ("main", "contrib")
    stanza = serving(found, "bookworm")[0].render(("bookworm", "bookworm-backports"), ("main",))
    assert "Suites: bookworm bookworm-backports\n" in stanza
    assert "Signed-By: \n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n key\n" in stanza


def test_one_line_options_become_fields() -> None:
    found = serving(parse_one_line(ONE_LINE), "bookworm")
    options = (("Architectures", "amd64 arm64"), ("Signed-By", "/keys/a.gpg"))
    assert found == [Source("http://mirror.invalid/debian/", ("bookworm",), ("main", "non-free"), options)]


@pytest.mark.parametrize(
    ("release", "newest"),
    [
        ("ID=debian\nVERSION_CODENAME=bookworm\n", "bookworm-backports"),
        ('ID="debian"\nVERSION_CODENAME="trixie"\n', "trixie"),
        ("ID=ubuntu\nVERSION_CODENAME=noble\n", "noble-updates"),
    ],
)
def test_the_newest_kernel_and_qemu_come_from(release: str, newest: str, tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text(release)
    assert this_suite(tmp_path / "os-release").newest == newest


def test_an_unknown_system_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text("ID=plan9\n")
    with pytest.raises(LabError, match="does not know plan9"):
        this_suite(tmp_path / "os-release")


def test_a_build_that_fails_leaves_nothing_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNI_SRIOV_CACHE", str(tmp_path))

    def fail(directory: Path) -> None:
        (directory / "half").touch()
        raise LabError("no")

    with pytest.raises(LabError):
        ensure("thing", "key", fail)
    built = ensure("thing", "key", lambda directory: (directory / "whole").touch())
    assert [path.name for path in built.iterdir()] == ["whole"]
    assert key_of("ab", "c") != key_of("a", "bc")


def test_modules_load_after_what_they_need(tmp_path: Path) -> None:
    (tmp_path / "modules.dep").write_text(
        "k/virtio-blk.ko: k/virtio_ring.ko k/virtio.ko\nk/virtio.ko:\nk/x.ko:\n"
    )
    names = [path.name for path in load_order(tmp_path, ("virtio_blk", "builtin", "virtio"))]
    assert names == ["virtio.ko", "virtio_ring.ko", "virtio-blk.ko"]


def test_cpio_is_the_kernels_format() -> None:
    archive = Cpio()
    archive.add("init", b"12345", 0o100755)
    raw = archive.finish()
    assert raw[:6] == b"070701"
    assert int(raw[54:62], 16) == 5
    assert raw[110:115] == b"init\0"
    assert struct.unpack_from("5s", raw, 116) == (b"12345",)
    assert b"TRAILER!!!" in raw
