"""What devlink tells of a device: its eswitch's mode. Generic netlink, which takes no RTNL.

Not imported by an ADD on a card without switch IDs. `phys_switch_id` alone proves nothing: ice and netdevsim give one
in legacy mode, too (devlink_port_attrs_set with attrs.switch_id).
"""

from __future__ import annotations

from errno import EBADMSG, EINVAL, EOPNOTSUPP
from sys import byteorder

from ..words.errors import KernelRefused
from ..words.gone import is_gone
from .attributes import Attrs, Malformed, attr_text, attrs_of
from .nlsocket import NETLINK_GENERIC, NetlinkSocket

_GENL_ID_CTRL, _CTRL_CMD_GETFAMILY = 16, 3  # linux/genetlink.h
_CTRL_ATTR_FAMILY_ID, _CTRL_ATTR_FAMILY_NAME = 1, 2
_DEVLINK_CMD_ESWITCH_GET = 29  # linux/devlink.h
_ATTR_BUS_NAME, _ATTR_DEV_NAME, _ATTR_ESWITCH_MODE = 1, 2, 25
_MODES = {0: "legacy", 1: "switchdev"}
_GENLMSGHDR = 4  # command, version, 2 reserved


def eswitch_mode(device: str, bus: str = "pci") -> str:
    """Its mode: "legacy", "switchdev", or "" where kernel, driver or device know of no eswitch. KernelRefused where that
    cannot be asked.
    """
    verb = f"ask devlink for the eswitch of {bus}/{device}"
    socket = NetlinkSocket(protocol=NETLINK_GENERIC)
    try:
        name = attr_text(_CTRL_ATTR_FAMILY_NAME, "devlink")
        attrs = _ask(socket, verb, _GENL_ID_CTRL, _CTRL_CMD_GETFAMILY, name)
        family = int.from_bytes(attrs.get(_CTRL_ATTR_FAMILY_ID, b"")[:2], byteorder)
        handle = attr_text(_ATTR_BUS_NAME, bus) + attr_text(_ATTR_DEV_NAME, device)
        attrs = _ask(socket, verb, family, _DEVLINK_CMD_ESWITCH_GET, handle)
    except Malformed as error:
        raise KernelRefused(verb, EBADMSG, str(error)) from error
    except KernelRefused as refused:
        # ENOENT: no devlink; ENODEV: not registered there; EOPNOTSUPP: the driver has no eswitch, or the kernel no command
        if is_gone(refused) or refused.errno in {EOPNOTSUPP, EINVAL}:
            return ""
        raise
    finally:
        socket.close()
    return _MODES.get(int.from_bytes(attrs.get(_ATTR_ESWITCH_MODE, b"\xff")[:2], byteorder), "")


def _ask(socket: NetlinkSocket, verb: str, family: int, command: int, attrs: bytes) -> Attrs:
    body = socket.ask(verb, family, bytes((command, 1, 0, 0)) + attrs)
    return attrs_of(body, _GENLMSGHDR)
