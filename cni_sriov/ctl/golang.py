"""Whether an executable is a Go program: what tells another `sriov` from ours, on a node and in a recording of it."""

from __future__ import annotations

import re

HEAD = 1 << 16  # bytes of its beginning that are looked at
# its note of owner Go, or before the ELF's text
NOTE = re.compile(rb"Go\x00\x00[\x00-\xff]{0,200}|Go build ID: ")
ELF = b"\x7fELF"


def is_one(content: bytes) -> bool:
    return content.startswith(ELF) and NOTE.search(content[:HEAD]) is not None
