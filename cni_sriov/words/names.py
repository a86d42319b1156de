"""The one rule for an interface's name, and the one for what CNI calls a name: container ID, network, pod. Pure."""

from __future__ import annotations

import re

ID_LIMIT = 200  # of a container ID or a network's name: with an ifname it must fit a file name (255 bytes)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*")  # SPEC 1.1.0, "Parameters" and "Configuration format"
_IFNAME = re.compile(r"(?!\.{1,2}\Z)[^/:\s\0]*")


def is_name(text: str, most: int = ID_LIMIT) -> bool:
    """Letters, digits, '_', '.' and '-', a letter or digit first, at most so many of them."""
    return len(text) <= most and _NAME.fullmatch(text) is not None


def is_ifname(text: str) -> bool:
    """What the kernel takes for a link's name: dev_valid_name(), net/core/dev.c. So does skel (containernetworking/cni,
    pkg/utils/utils.go, 3f51e88).
    """
    return text != "" and _IFNAME.fullmatch(text) is not None and _is_short(text)


def ifname_fault(text: str) -> str:
    """What speaks against it as a pod's interface, as the end of a sentence; "" = nothing.

    Beyond the kernel's rule it is printable, for it becomes a file name and a log line, and has no '%': the kernel takes
    "eth%d" for a pattern when a link arrives under a taken name.
    """
    if not text.isprintable() or "%" in text or _IFNAME.fullmatch(text) is None:
        return "must be printable, without '/', ':', '%' and blanks, not '.' or '..'"
    return "" if _is_short(text) else "must have at most 15 bytes"


def _is_short(text: str) -> bool:
    # IFNAMSIZ - 1, linux/if.h; a lone surrogate was one byte
    return len(text.encode("utf-8", "replace")) <= 15
