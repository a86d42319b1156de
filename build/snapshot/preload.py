"""Runs once, in the interpreter whose picture is taken, after every other module: takes away what is the build's own."""

import builtins
import gc
import sys
import time

# Read from the builder's clock and files; whoever asks for them at a call must not get another machine's.
for name in ("altzone", "daylight", "timezone", "tzname"):
    delattr(time, name)
# All there is to import is imported: anything else is not found, instead of being looked for in a directory.
for name in ("prefix", "base_prefix", "exec_prefix", "base_exec_prefix"):
    setattr(sys, name, "")
for module in sys.modules.values():  # the seven that Python starts with: by snapshot.c no other has one
    module.__dict__.pop("__file__", None)
# Python's compiler is not in the file (layout.ld). None instead of nothing: without a name of its, code that warm.py has
# rehearsed would no longer know where in `builtins` the others are.
for name in ("compile", "eval", "exec"):
    setattr(builtins, name, None)
sys.modules.pop("warm", None)  # it has done its work
sys.path.clear()
sys.path_hooks.clear()
sys.path_importer_cache.clear()
gc.collect()
gc.disable()  # a call has nothing to collect in its milliseconds
