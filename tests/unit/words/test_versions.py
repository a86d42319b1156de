"""VERSION: which versions of the specification are spoken."""

from __future__ import annotations

import json
import platform

import pytest

from cni_sriov.words import versions

# containernetworking/cni v1.3.0, pkg/version/version.go, All: every version that was ever released
RELEASED = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]


@pytest.mark.parametrize(
    ("stdin", "answer"),
    [
        ('{"cniVersion": "0.4.0"}', "0.4.0"),
        ('{"cniVersion": "9.9.9"}', "9.9.9"),  # SPEC 1.1.0, "VERSION": cniVersion is that of the input
        ('{"cniVersion": ""}', "1.1.0"),
        ('{"cniVersion": 1}', "1.1.0"),
        ("{}", "1.1.0"),
        ("", "1.1.0"),
        (" \n", "1.1.0"),
        ("no json", "1.1.0"),
    ],
)
def test_it_echoes_and_lists(stdin: str, answer: str) -> None:
    assert json.loads(versions.render(stdin)) == {"cniVersion": answer, "supportedVersions": RELEASED}


def test_what_is_carried_is_told() -> None:
    assert versions.carried().startswith(f"Python {platform.python_version()}, {platform.libc_ver()[0]} ")
