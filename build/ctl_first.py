"""What `sriovctl` runs before anything is imported, PyInstaller's own loader too: Ctrl-C ends it without a trace. Later
cni_sriov/ctl/gate.py answers. Both modules are built into the interpreter.
"""

import _signal
import posix


def end(*_):
    posix._exit(128 + _signal.SIGINT)


if _signal.getsignal(_signal.SIGINT) != _signal.SIG_IGN:
    _signal.signal(_signal.SIGINT, end)
