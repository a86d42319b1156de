"""A VF's own name in the host, where another link had it when the VF came home: it gets it back at the next call.

Until then a file below /run/cni-sriov/names says which name that is, so that the odd one, under which the VF waits,
becomes nobody's baseline. The file is of one VF instance (Sysfs.inode), and goes when the VF has its name.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

from ..state import files
from ..words import jsontext
from ..words.domain import Link
from ..words.errors import CniError, KernelRefused, Unreadable
from ..words.failures import Failures
from ..words.names import is_ifname
from ..words.record import VfState
from ..words.stored import checked, opened, parsed, stamped
from .card import in_host
from .host import Host


def remember(host: Host, vf: str, name: str) -> None:
    """A full /run costs the VF its name, and no DEL its end."""
    text = jsontext.render(stamped({"ifname": name, "inode": host.sysfs.inode(vf)}))
    try:
        files.ensure_directory(_directory(host))
        files.replace(f"{_directory(host)}/{vf}", text)
    except CniError as error:
        host.log.warning("the VF's name is not remembered", vf=vf, name=name, reason=error)


def of(host: Host, vf: str) -> str:
    """The name that it is to get back, "" if that is the one it has, or is not told. InputOutput if it cannot be read now."""
    try:
        return _remembered(host, vf)
    except (Unreadable, files.NoFile) as error:
        host.log.warning("the name that a VF should get back cannot be read", vf=vf, reason=error)
        return ""


def _remembered(host: Host, vf: str) -> str:
    """Unreadable, NoFile or InputOutput where that is not told; the file then stays."""
    path = f"{_directory(host)}/{vf}"
    text = files.read(path)
    if text is None:
        return ""
    name, inode = parsed(path, text, _fields)
    return name if inode == host.sysfs.inode(vf) else ""


def _fields(raw: dict[str, Any]) -> tuple[str, int]:
    name, inode = checked(opened(raw), {"ifname": (str,), "inode": (int,)}).values()
    if not is_ifname(name):
        raise ValueError(f"ifname is {jsontext.words(name)}")
    return name, inode


def forget(host: Host, vf: str) -> None:
    files.forget(f"{_directory(host)}/{vf}")


def settle(host: Host) -> None:
    """Give the VFs that wait for it in the host their names, where these are free now. Never fails."""
    try:
        waiting = files.names(_directory(host))
    except CniError as error:
        host.log.warning("VFs that wait for their names are not known", reason=error)
        return
    failures = Failures(host.log.warning, "the VF keeps its odd name")
    for vf in waiting:
        with failures.of(vf=vf), host.ledger.node_lock("give a VF its name"):
            if vf not in host.ledger.claimed():
                _settle(host, vf)


def _settle(host: Host, vf: str) -> None:
    name = _remembered(host, vf)
    link = in_host(host, vf) if name else None
    if link is None:
        if not name:
            forget(host, vf)
        return
    other = host.netlink.ifindex(name)
    if link.ifname != name and (other in {0, link.ifindex} and rename(host, link, name)):
        host.log.info("the VF has its name again", vf=vf, name=name, had=link.ifname)
        if link.is_up:
            host.netlink.set_up(link.ifindex)
    if host.netlink.ifname(link.ifindex) == name:
        forget(host, vf)


def restore(host: Host, vf: str, link: Link, base: VfState) -> None:
    """Name and altnames; the name sets it DOWN. udev may have given the name to the pod-named netdev as an altname (kernels.md 6.8)."""
    for name in set(link.altnames) - set(base.altnames):
        ignoring(host.netlink.del_altname, link.ifindex, name)
    has = host.netlink.ifname(link.ifindex)  # asked anew, without RTNL: udev may have renamed it
    if has != base.ifname and not rename(host, link, base.ifname):
        remember(host, vf, base.ifname)
    for name in set(base.altnames) - set(link.altnames):
        ignoring(host.netlink.add_altname, link.ifindex, name)


def rename(host: Host, link: Link, name: str) -> bool:
    """False, and logged, if another link has the name. Sets it down. udev may rename it, or have given it the name as
    an altname (kernels.md 6.8), while we do it.
    """
    if link.is_up:
        host.netlink.set_down(link.ifindex)
    for again in (True, False):
        try:
            host.netlink.set_name(link.ifindex, name)
            return True
        except KernelRefused as refused:
            if not (refused.errno == errno.EEXIST or (again and refused.errno == errno.EBUSY)):
                raise
            if refused.errno == errno.EBUSY:  # NetworkManager set it UP since; kernels before 6.2 refuse then
                host.netlink.set_down(link.ifindex)
                continue
        if again and host.netlink.ifindex(name) == link.ifindex:  # udev gave it as an altname just now
            ignoring(host.netlink.del_altname, link.ifindex, name)
    host.log.warning("the VF's name is taken in the host; it keeps another", wanted=name, has=link.ifname)
    return False


def ignoring(verb: Callable[[int, str], None], ifindex: int, name: str) -> None:
    """udev changes altnames beside us: what it did first is done."""
    try:
        verb(ifindex, name)
    except KernelRefused as refused:
        if refused.errno not in {errno.EEXIST, errno.ENOENT, errno.EINVAL}:
            raise


def _directory(host: Host) -> str:
    return f"{host.ledger.run_dir}/names"
