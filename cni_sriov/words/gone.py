"""A failed look is not absence (rule 13 of the design): the one place that says which errors mean that nothing is there."""

from __future__ import annotations

from errno import EAGAIN, EINTR, EMFILE, ENFILE, ENOBUFS, ENODEV, ENOENT, ENOMEM, ENOTDIR, ENXIO, ESRCH

from .errors import KernelRefused, Unheard

# ENOENT, ENOTDIR: no such path; ENODEV, ENXIO: no such device or netdev; ESRCH: no such process. All else, like EMFILE
# or ENOMEM or EIO, is trouble of ours or of the machine, and says nothing of what is there.
GONE = frozenset((ENOENT, ENOTDIR, ENODEV, ENXIO, ESRCH))
_PASSING = frozenset((EINTR, EAGAIN, ENOMEM, ENOBUFS, EMFILE, ENFILE))


def is_gone(error: OSError | KernelRefused) -> bool:
    """Whether that look found that nothing is there."""
    return error.errno in GONE


def is_passing(error: OSError | KernelRefused) -> bool:
    """Whether that is the trouble of a moment, and no driver's or file system's last word: the next call may go through."""
    return error.errno in _PASSING or isinstance(error, Unheard)
