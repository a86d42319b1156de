"""What a kernel module is told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class ModuleOption:
    """One parameter of a module, as `source` (a file of modprobe.d, or the kernel's command line) sets it; `line` is what
    stands there. `name` is "blacklist" where the module shall not be loaded by itself.
    """

    source: str
    line: str
    module: str
    name: str
    value: str = ""
