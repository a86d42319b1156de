"""What keeps the network namespace of an attachment: processes, or mounts alone, as a runtime leaves them that was killed and
tells nobody. Looks only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from ..kernel import holders
from ..kernel.files import Files
from ..leases.holding import Holding
from ..vf.host import Host
from ..words.domain import Attachment
from ..words.errors import typed
from ..words.record import Record
from ..words.shown import short_name
from . import places

Living = Callable[[], dict[int, list[str]]]

_OF_PROCESS = re.compile(r"/proc/(\d+)/ns/net")
_MOUNT_ELSEWHERE = "/proc/"
_NAMED = 8


def living(host: Host) -> Living:
    """Host.live_netns, which reads all of /proc: asked once, and only where somebody wants to know. Where not all processes
    can be seen, some may be in any netns.
    """

    def look() -> dict[int, list[str]]:
        return {0: []} if host.blind_spot() else host.live_netns()

    return cache(look)


def processes(paths: list[str]) -> list[str]:
    """The pids among what leads to a netns (kernel/living.py)."""
    return [found[1] for path in paths if (found := _OF_PROCESS.fullmatch(path))]


def mounts(held: Record | Holding, live: dict[int, list[str]]) -> list[str]:
    """What keeps its netns, if that is mounts alone; those of another mount namespace only where there is no other. A
    process that is shown to nobody may be in there. `ip netns` mounts its directory on itself, and each netns so twice.
    """
    paths = _paths(held, live)
    if 0 in live or processes(paths):
        return []
    return [path for path in paths if not path.startswith(_MOUNT_ELSEWHERE)] or paths[:1]


def inside(files: Files, held: Record | Holding, live: dict[int, list[str]]) -> list[str]:
    """Processes in its netns, as "sleep (pid 12)"; of many the first ones, and how many more."""
    pids = processes(_paths(held, live))
    named = [holders.named(files, pid) for pid in pids[:_NAMED]]
    return [*named, f"{len(pids) - _NAMED} more"] if len(pids) > _NAMED else named


def why(files: Files, held: Record | Holding, live: dict[int, list[str]]) -> str:
    """What keeps its netns, in a sentence; "" if nothing is found that does."""
    kept_by, processes_in_it = mounts(held, live), inside(files, held, live)
    if kept_by and held.attachment is not None:
        return sentence(held.attachment, kept_by)
    if processes_in_it:
        who = places.whose(held) if isinstance(held, Record) else "container"
        return f"its {who} is alive: {', '.join(processes_in_it)} in its network namespace"
    hidden = ", ".join(f"pid {pid}" for pid in live.get(0, []))
    return f"a process that cannot be looked at may be in its network namespace ({hidden})" if hidden else ""


def sentence(who: Attachment, kept_by: list[str]) -> str:
    """For who sees that nobody is in there, and may know more."""
    return (
        f"no process is in its network namespace, which the mount {', '.join(kept_by)} keeps;"
        f" if that container is gone: sriovctl release {typed(short_name(who))}"
    )


def _paths(held: Record | Holding, live: dict[int, list[str]]) -> list[str]:
    identity = held.netns_identity
    return [*dict.fromkeys(live.get(identity[-1], []))] if identity else []
