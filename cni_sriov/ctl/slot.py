"""What a PF's slot says, gathered for decide/oracle.py."""

from __future__ import annotations

from ..decide.oracle import Slot
from ..kernel.files import Files


def look(files: Files, pf_pci: str) -> Slot:
    raise NotImplementedError
