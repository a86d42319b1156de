"""Text of others for a person's eyes: nothing in it that a terminal would obey."""

from __future__ import annotations

import time

from .domain import Attachment

ID_WIDTH = 12  # container IDs are 64 hex digits; 12 are what `docker ps`, `podman ps` and `crictl ps` show
_END = 253_402_300_800  # the year 10000


def one_line(text: str) -> str:
    """Control characters, line feeds and bytes that are no text as an escape that can be read."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text)


def short_id(container_id: str) -> str:
    is_hash = len(container_id) > ID_WIDTH and set(container_id) <= set("0123456789abcdef")
    return container_id[:ID_WIDTH] if is_hash else container_id


def short_name(who: Attachment) -> str:
    """As `sriovctl` takes it."""
    return f"{short_id(who.container_id)}/{who.ifname}"


def moment(seconds: int) -> str:
    """As the log has it, in UTC; "" for what is not known (0), or no time that is told in four digits of a year."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)) if 0 < seconds < _END else ""
