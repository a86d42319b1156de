"""Entry of the executable `sriov`: its modules come from one file of code objects, not from PyInstaller's archive.

PyInstaller's own importers take 2 ms to set up, then open the archive and inflate it once per module: 40 times in an
ADD, 5 ms (docs/speed.md). The collector has nothing to collect in a process of some milliseconds: 1 ms less.
"""

import gc
import marshal
import posix
import sys
from _frozen_importlib import ModuleSpec

gc.disable()


class Blob:
    """Finder and loader of what is in `lib/cni_sriov.blob` (build/blob.py writes it).

    It is opened for each piece: read as a whole it would take 1 MB more of memory, and an open descriptor could be
    0, 1 or 2.
    """

    def __init__(self, path):
        self._path = path
        size = int.from_bytes(self._read(0, 4), "little")
        self._index = marshal.loads(self._read(4, size))
        self._pieces = 4 + size

    def _read(self, offset, size):
        fd = posix.open(self._path, posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            return posix.pread(fd, size, offset)
        finally:
            posix.close(fd)

    def _piece(self, what):
        offset, size = self._index[what]
        return marshal.loads(self._read(self._pieces + offset, size))

    def preload(self, verb):
        """Put there what the verb will import: `import` then finds it, and need not search, 0.05 ms each."""
        pieces = [f"for {verb}"] if verb == "VERSION" else ["in common", f"for {verb}"]
        if pieces[-1] not in self._index:
            return
        for name, is_package, code in [module for piece in pieces for module in self._piece(piece)]:
            module = sys.modules[name] = type(sys)(name)
            package, _, last = name.rpartition(".")
            module.__package__ = name if is_package else package
            if is_package:
                module.__path__ = []
            if package:
                setattr(sys.modules[package], last, module)
            exec(code, module.__dict__)

    def find_spec(self, name, path=None, target=None):
        if name not in self._index:
            return None
        spec = ModuleSpec(name, self, origin="cni_sriov.blob")
        spec.loader_state = self._piece(name)[0]
        spec.submodule_search_locations = [] if spec.loader_state[1] else None
        return spec

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(module.__spec__.loader_state[2], module.__dict__)


blob = Blob(f"{sys._MEIPASS}/cni_sriov.blob")
sys.meta_path.insert(0, blob)
if posix.environ.get(b"CNI_SRIOV_TIMES") == b"1":
    from cni_sriov import times

    times.start(blob)
if not sys.argv[0].endswith("host-subnet"):
    blob.preload(posix.environ.get(b"CNI_COMMAND", b"").decode("ascii", "replace"))

from cni_sriov.plugin import entry

entry()
