"""The one rule for an interface's name, for what CNI calls a name (container ID, network, pod), and for a path. Pure."""

from __future__ import annotations

import re

ID_LIMIT = 200  # of a container ID or a network's name: with an ifname it must fit a file name (255 bytes)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*")  # SPEC 1.1.0, "Parameters" and "Configuration format"
# what dev_valid_name(), net/core/dev.c, refuses; its isspace() takes 0xa0, too, which UTF-8 has in "\u00e0" (lib/ctype.c)
_NOT_IN_IFNAME = re.compile(rb"[/:\0\t-\r \xa0]")
_OF_SKEL = re.compile(r"(?!\.{1,2}\Z)[^/:\s\0]*")
_SETTINGS = (
    "all",
    "default",
)  # sysctl_dev_name_is_allowed(), include/linux/netdevice.h: no link is ever given them


def is_name(text: str, most: int = ID_LIMIT) -> bool:
    """Letters, digits, '_', '.' and '-', a letter or digit first, at most so many of them."""
    return len(text) <= most and _NAME.fullmatch(text) is not None


def is_ifname(text: str) -> bool:
    """What the kernel takes for a link's name."""
    return text != "" and _is_plain(text) and _is_short(text)


def passes_skel(text: str) -> bool:
    """What a plugin written with skel takes for one, and may have made an interface of (ValidateInterfaceName,
    containernetworking/cni, pkg/utils/utils.go, 3f51e88): in letters what the kernel judges in bytes.
    """
    return text != "" and _OF_SKEL.fullmatch(text) is not None and _is_short(text)


def ifname_fault(text: str, is_new: bool = False) -> str:
    """What speaks against it as a pod's interface, as the end of a sentence; "" = nothing.

    Beyond the kernel's rule it is printable, for it becomes a file name and a log line, and has no '%': the kernel takes
    "eth%d" for a pattern when a link arrives under a taken name. Of a new one (ADD) more is asked than of one that an
    earlier version may have made: it is ASCII, and one that a link can have at all.
    """
    if is_new and not text.isascii():
        return "must be ASCII"
    if is_new and text in _SETTINGS:
        return "must not be 'all' or 'default': the kernel calls its settings for all interfaces so"
    if not text.isprintable() or "%" in text or not _is_plain(text):
        return "must be printable, without '/', ':', '%' and blanks, not '.' or '..'"
    return "" if _is_short(text) else "must have at most 15 bytes"


def _is_plain(text: str) -> bool:
    return text not in {".", ".."} and _NOT_IN_IFNAME.search(_bytes(text)) is None


def _is_short(text: str) -> bool:
    return len(_bytes(text)) <= 15  # IFNAMSIZ - 1, linux/if.h


def _bytes(text: str) -> bytes:
    """As the kernel has it: a byte that is no UTF-8 is a lone surrogate here. Others come of JSON alone."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def is_path(value: str) -> bool:
    """Absolute, without '.', '..' or empty parts, and without what no path can have: a NUL, or a lone surrogate."""
    return value.startswith("/") and value.isprintable() and {"", ".", ".."}.isdisjoint(value[1:].split("/"))
