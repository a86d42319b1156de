"""Codes: the spec's own below 100, ours above, each with its name; and what a kernel's refusal says."""

from __future__ import annotations

import errno
import os

import pytest

from cni_sriov.words import errors
from cni_sriov.words.errors import CODES, CniError, KernelRefused

# SPEC 1.1.0, "Error": 1-7 and 11 by number; "STATUS": 50, 51. 3 is the runtime's: a container that is not known
SPEC = {1, 2, 4, 5, 6, 7, 11, 50, 51}
LIBRARY = {8, 999}  # containernetworking/cni v1.3.0, pkg/types/types.go: ErrInvalidNetNS, ErrInternal


def kinds(kind: type[CniError] = CniError) -> set[type[CniError]]:
    return {kind}.union(*map(kinds, kind.__subclasses__()))


def test_below_100_are_the_specs_and_from_there_on_ours() -> None:
    """SPEC 1.1.0: "Values of 100 and above can be used for plugin-specific errors"."""
    assert {code for code in CODES if code < 100 or code == 999} == SPEC | LIBRARY
    ours = sorted(CODES.keys() - SPEC - LIBRARY)
    assert ours == list(range(100, 100 + len(ours)))


@pytest.mark.parametrize("kind", sorted(kinds(), key=str))
def test_every_kind_has_a_code_that_is_told(kind: type[CniError]) -> None:
    assert kind("read x").code in CODES
    assert str(kind("read x: no", "say y")) == "read x: no (say y)"


def test_only_what_waiting_helps_is_try_again() -> None:
    """SPEC 1.1.0: 11, "try again later"; runtimes do."""
    ours = [
        kind for kind in kinds() if kind.__module__ == errors.__name__
    ]  # sriovctl's are there if it was imported
    again = {kind.__name__ for kind in ours if kind.code == 11}
    assert again == {"TryAgain", "NoFreeVf", "PoolExhausted", "Unreadable", "VppAway"}
    assert errors.TooManyNames.code == 7


@pytest.mark.parametrize(("extack", "told"), [("", ""), ("mtu greater than device maximum", ": mtu greater than device maximum")])  # fmt: skip
def test_a_refusal_has_the_kernels_words(extack: str, told: str) -> None:
    refused = KernelRefused("set link 7 mtu 70000", errno.EINVAL, extack)

    assert str(refused) == f"set link 7 mtu 70000: {os.strerror(22)}{told}"
