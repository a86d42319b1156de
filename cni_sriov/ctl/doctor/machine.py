"""The machine below the cards: CPU, IOMMU, locks, modules, huge pages."""

from __future__ import annotations

from ...decide.facts_machine import Machine
from ...kernel.files import Files
from ...words.failures import Failures


def look(files: Files, failures: Failures) -> Machine:
    """Each thing by itself: what fails goes to `failures`, and is as if it were not there."""
    found = Machine()
    with failures.of(what="the kernel's command line"):
        found.cmdline = files.text("/proc/cmdline") or ""
    return found
