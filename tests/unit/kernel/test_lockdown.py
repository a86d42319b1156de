"""Lockdown, secure boot and vfio's no-IOMMU mode, as the kernel's files have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni_sriov.kernel import lockdown
from cni_sriov.kernel.files import Files


def files(root: Path, path: str, content: bytes) -> Files:
    where = root / path.lstrip("/")
    where.parent.mkdir(parents=True)
    where.write_bytes(content)
    return Files(str(root))


@pytest.mark.parametrize(
    ("said", "mode"),
    [
        (b"[none] integrity confidentiality\n", "none"),
        (b"none [integrity] confidentiality\n", "integrity"),
        (b"none integrity [confidentiality]\n", "confidentiality"),
        (b"", ""),
    ],
)
def test_the_mode_in_brackets_holds(tmp_path: Path, said: bytes, mode: str) -> None:
    """security/lockdown/lockdown.c, lockdown_read."""
    assert lockdown.lockdown(files(tmp_path, lockdown.LOCKDOWN, said)) == mode


@pytest.mark.parametrize(
    ("said", "is_on"),
    [(b"\x06\0\0\0\x01", True), (b"\x06\0\0\0\0", False), (b"\x06\0\0\0", None), (b"", None)],
)
def test_secure_boot_is_the_byte_behind_the_attributes(
    tmp_path: Path, said: bytes, is_on: bool | None
) -> None:
    assert lockdown.secure_boot(files(tmp_path, lockdown.SECURE_BOOT, said)) == is_on


def test_without_uefi_or_lockdown_nothing_is_known(tmp_path: Path) -> None:
    nowhere = Files(str(tmp_path))

    assert (lockdown.lockdown(nowhere), lockdown.secure_boot(nowhere), lockdown.noiommu(nowhere)) == (
        "",
        None,
        False,
    )


@pytest.mark.parametrize(("said", "is_on"), [(b"Y\n", True), (b"N\n", False)])
def test_no_iommu_mode(tmp_path: Path, said: bytes, is_on: bool) -> None:
    assert lockdown.noiommu(files(tmp_path, lockdown.NOIOMMU, said)) == is_on
