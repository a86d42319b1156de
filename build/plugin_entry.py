"""Entry of the executable `sriov`: our modules come from one file of code objects, not from PyInstaller's archive.

PyInstaller opens its archive and inflates once per module: 40 times in an ADD. One read and `marshal` cost 5 ms of CPU
less (docs/speed.md). The collector has nothing to collect in a process of some milliseconds: 1 ms less.
"""

import gc
import marshal
import sys
from _frozen_importlib import ModuleSpec

gc.disable()


class Blob:
    """Finder and loader of cni_sriov.* in `lib/cni_sriov.blob`: {name: (is package, marshalled code)}."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self._modules = marshal.loads(file.read())

    def find_spec(self, name, path=None, target=None):
        found = self._modules.get(name)
        return ModuleSpec(name, self, origin="cni_sriov.blob", is_package=found[0]) if found else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(marshal.loads(self._modules[module.__name__][1]), module.__dict__)


sys.meta_path.insert(0, Blob(f"{sys._MEIPASS}/cni_sriov.blob"))

from cni_sriov.plugin import entry

entry()
