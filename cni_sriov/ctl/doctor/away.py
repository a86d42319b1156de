"""Where a VF is that nobody recorded: every netns that can be found is looked into for its netdev. Changes nothing."""

from __future__ import annotations

from ...decide.facts_state import Away
from ...kernel import holders
from ...kernel.files import Files
from ...kernel.netns import Netns
from ...vf.host import Host
from ...words.domain import Link
from ...words.errors import BadNetns
from ...words.failures import Failures
from .. import keepers


def find(host: Host, files: Files, lost: list[Away], failures: Failures) -> None:
    """Write down what is found of them; what cannot be entered is told, once for all."""
    todo = {one.pci: one for one in lost}
    if not todo:
        return
    closed = Failures()
    for inode, paths in host.live_netns().items():
        if not inode:
            continue  # pids of processes that are shown to nobody
        with closed.of(netns=_shown(paths)):
            for link in _links(host, paths):
                one = todo.pop(link.parent_dev, None)
                if one is not None:
                    one.netdev, one.path = link.ifname, _shown(paths)
                    one.inside = [holders.named(files, pid) for pid in keepers.processes(paths)[:4]]
        if not todo:
            return
    if closed.told:
        more = f", and {len(closed.told) - 1} more" if closed.told[1:] else ""
        failures.told.append(f"network namespaces: {closed.told[0]}{more}")


def _links(host: Host, paths: list[str]) -> list[Link]:
    """[] where it ended, is our own, or the paths are pids that are shown to nobody."""
    netns = _open(host, paths)
    if netns is None:
        return []
    with netns:
        return [] if netns.is_own() else host.netlink_in(netns).links()


def _open(host: Host, paths: list[str]) -> Netns | None:
    for path in paths:
        try:
            return host.open_path(path)
        except BadNetns:
            continue  # it ended
    return None


def _shown(paths: list[str]) -> str:
    """A mount's path lasts longer than a process, and one outside of /proc can be written."""
    return min(paths, key=lambda path: (path.startswith("/proc/"), len(path)))
