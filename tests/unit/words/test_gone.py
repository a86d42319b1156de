"""Which errors say that nothing is there: the list of the design's rule 13, by the numbers of linux/errno.h."""

from __future__ import annotations

import pytest

from cni_sriov.words.errors import KernelRefused, Unheard
from cni_sriov.words.gone import is_gone, is_passing

SAYS_GONE = {2, 3, 6, 19, 20}  # ENOENT, ESRCH, ENXIO, ENODEV, ENOTDIR


@pytest.mark.parametrize("number", range(134))
def test_only_these_say_that_nothing_is_there(number: int) -> None:
    assert is_gone(OSError(number, "x")) == is_gone(KernelRefused("look", number)) == (number in SAYS_GONE)


def test_a_moments_trouble_is_no_last_word_and_no_absence() -> None:
    passing = {number for number in range(134) if is_passing(OSError(number, "x"))}

    assert passing == {4, 11, 12, 23, 24, 105}  # EINTR, EAGAIN, ENOMEM, ENFILE, EMFILE, ENOBUFS
    assert not passing & SAYS_GONE


def test_what_did_not_reach_the_kernel_is_never_its_word() -> None:
    assert all(is_passing(Unheard("ask", number)) for number in (5, 9, 22))
    assert not any(is_passing(KernelRefused("ask", number)) for number in (5, 9, 22))
