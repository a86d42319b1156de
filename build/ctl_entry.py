"""Entry of the executable `sriovctl`."""

import sys
from importlib import import_module
from types import ModuleType


def load_when_used(name):
    """Put something in a module's place that imports it when it is first asked for anything."""

    def of_the_module(asked):
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]
        return getattr(import_module(name), asked)

    stand_in = ModuleType(name)
    stand_in.__getattr__ = of_the_module
    sys.modules[name] = stand_in


# dataclasses asks it about a class without a docstring, of which none is met at a start. With the parser and the
# disassembler that it imports, it is a fourteenth of that.
load_when_used("inspect")

from cni_sriov.ctl.main import entry

entry()
