"""Nothing of others is taken back by an observer that may not see the whole node (rule 13 of the design): in a pid
namespace of its own the processes of living containers are missing, under a strange /sys their VFs. What a call does for
its own attachment needs none of this: it is told whose it is.
"""

from __future__ import annotations

from ..vf.host import Host
from ..words.errors import TryAgain

_REMEDY = "run it in the host, with the host's /proc and /sys"


def sees_all(host: Host) -> bool:
    """Else it is logged, and everything of others stays."""
    blind = host.blind_spot()
    if blind:
        host.log.warning("nothing of others is taken back", reason=blind, remedy=_REMEDY)
    return not blind


def must_see_all(host: Host) -> None:
    """TryAgain (11) for who came to take back."""
    blind = host.blind_spot()
    if blind:
        raise TryAgain(f"take back what is dead: {blind}", _REMEDY)


def remedy(host: Host) -> str:
    """What to do where something is held, perhaps by the dead."""
    blind = host.blind_spot()
    return (
        f"what is dead was not taken back, since {blind}"
        if blind
        else "`sriovctl gc` takes back what is provably dead"
    )
