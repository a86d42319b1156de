"""`python -m cni_sriov` is the plugin, from a checkout."""

import posix

if posix.environ.get(b"CNI_SRIOV_TIMES") == b"1":
    from . import times

    times.start()

from .plugin import entry

entry()
