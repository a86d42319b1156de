"""Who holds a cluster's lock ends, whatever he waits for: all that he asks and reads has a deadline of its own, and a disk has
none.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ...state.blocks import ClusterFiles
from ...state.lock import LOCK_DEADLINE_S
from ...words.errors import InputOutput, TryAgain
from .. import gate

LATE_S = LOCK_DEADLINE_S + 5  # after the engine's deadline: a contact may have to wait for the leases' lock


@contextmanager
def ended(files: ClusterFiles, seconds: float) -> Iterator[None]:
    """The process ends where this has not by then, and the lock with it. What was begun, the next contact settles."""
    timer = threading.Timer(seconds, _end, [files, seconds])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _end(files: ClusterFiles, seconds: float) -> None:
    """Told where the next ADD finds it, which is in memory, and to whoever looks on."""
    msg = f"contact cluster {files.name}: it has not ended within {seconds:g} s"
    details = f"{files.path} may be on a disk that is away"
    with suppress(InputOutput):
        files.put_failure(TryAgain.code, msg, details)
    gate.die(f"sriovctl: {msg}\n  {details}\n")
