"""A PCI address has one form, and what is none reaches no path."""

from __future__ import annotations

import pytest

from cni_sriov.words.pci import parse_pci_address


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0000:01:10.0", "0000:01:10.0"),
        ("01:10.7", "0000:01:10.7"),
        ("0000:AF:1F.3", "0000:af:1f.3"),
        ("10000:e1:00.0", "10000:e1:00.0"),
    ],
)
def test_pci_address_has_one_form(text: str, canonical: str) -> None:
    assert parse_pci_address(text) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "::",
        "0000:01:10",
        "0000:01:10.8",
        "0000:01:20.0",
        "0000:1:10.0",
        "000:01:10.0",
        "00:00:01:10.0",
        "0000:01:10.0\n",
        " 01:10.0",
        "../../../etc",
        "0000:01:..0",
        "0000:0\u0661:10.0",
        "0000:01:10.0/../x",
        "0x00:01:10.0",
    ],
)
def test_bad_pci_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="PCI address"):
        parse_pci_address(text)
