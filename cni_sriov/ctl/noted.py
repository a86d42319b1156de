"""What the operator's verbs did to an attachment, in the file where its ADD logged: there `sriovctl explain` looks for its end."""

from __future__ import annotations

import os

from ..words.log import Log
from ..words.names import is_path
from ..words.origin import Origin
from ..words.record import Record


def given_back(record: Record, verb: str, reason: str) -> None:
    """Nothing where its ADD logged on its standard error. As each log, one that cannot be written fails nothing."""
    path = Origin.of(record.origin).log_file
    if not is_path(path):  # no ADD wrote such a one
        return
    who = record.attachment
    log = Log("info", path, {"verb": verb, "containerID": who.container_id, "ifname": who.ifname})
    log.info("given back", vf=record.vf, reason=reason)
    if log.is_kept:
        os.close(log.fd)
