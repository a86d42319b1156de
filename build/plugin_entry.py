"""Entry of the executable `sriov`: its modules come from one file of code objects, not from PyInstaller's archive.

PyInstaller's own importers take 2 ms to set up, then open the archive and inflate it once per module: 40 times in an
ADD, 5 ms (docs/speed.md). The collector has nothing to collect in a process of some milliseconds: 1 ms less.
"""

import gc
import marshal
import posix
import sys
from _frozen_importlib import ModuleSpec
from fcntl import F_DUPFD_CLOEXEC, fcntl

gc.disable()


class Blob:
    """Finder and loader of what is in `lib/cni_sriov.blob` (build/blob.py writes it).

    It stays open, so that a call goes on while another version is installed, above descriptors 0 to 2, which the
    runtime may have left closed. It is read by pieces: as a whole it would take 1 MB more of memory.
    """

    def __init__(self, path):
        fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
        self._fd = fcntl(fd, F_DUPFD_CLOEXEC, 3)
        posix.close(fd)
        size = int.from_bytes(self._read(0, 4), "little")
        self._index = marshal.loads(self._read(4, size))
        self._pieces = 4 + size
        self._held = None, []

    def _read(self, offset, size):
        return posix.pread(self._fd, size, offset)

    def _piece(self, what):
        """The last one is kept: without a verb that it knows, a call finds one module after the other in the same one."""
        offset, size = self._index[what]
        if self._held[0] != offset:
            self._held = offset, marshal.loads(self._read(self._pieces + offset, size))
        return self._held[1]

    def preload(self, verb, own_door):
        """Put there what the verb will import: `import` then finds it, and need not search, 0.05 ms each."""
        if f"for {verb}" not in self._index:
            return
        pieces = ["in common"] if verb != "VERSION" else []
        if own_door or not pieces:
            pieces.append(f"for {verb}")
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
        spec.loader_state = next(module for module in self._piece(name) if module[0] == name)
        spec.submodule_search_locations = [] if spec.loader_state[1] else None
        return spec

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(module.__spec__.loader_state[2], module.__dict__)


try:
    blob = Blob(f"{sys._MEIPASS}/cni_sriov.blob")
    sys.meta_path.insert(0, blob)
    command = posix.environ.get(b"CNI_COMMAND", b"").decode("ascii", "replace")
    blob.preload(command, not sys.argv[0].endswith("host-subnet"))

    from cni_sriov.doors.cni import entry
except (
    EOFError,
    ImportError,
    OSError,
    TypeError,
    ValueError,
) as error:  # it was cut off, or mixed with another one
    said = str(error).encode("ascii", "replace").replace(b"\\", b"/").replace(b'"', b"'").decode()
    text = f'{{"cniVersion": "1.0.0", "code": 999, "msg": "load {sys._MEIPASS}: {said}", "details": "install it again"}}\n'
    posix.write(1, text.encode())
    posix._exit(1)

entry()
