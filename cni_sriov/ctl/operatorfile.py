"""A file that an operator names about a cluster, read within a time: it may lie on a file system of the network, and whoever
waits for that has the cluster's lock.
"""

from __future__ import annotations

from ..state import clusterfile
from ..words.errors import TryAgain
from . import waited

PATIENCE_S = 2


def text_of(path: str, is_secret: bool = True, follow: bool = False) -> str:
    """As state/clusterfile.py; TryAgain where it does not come."""
    try:
        return waited.within(PATIENCE_S, lambda: clusterfile.text_of(path, is_secret, follow))
    except waited.Late as late:
        raise TryAgain(
            f"read {path}: nothing came of it within {PATIENCE_S} s",
            "is the file system that it is on away? What an ADD may need is better on the node's own disk",
        ) from late
