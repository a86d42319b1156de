"""What stands before the stdlib's `encodings` in the bundle (build/cni-sriov.spec).

Where standard input is a directory, CPython ends itself (init_sys_streams, Python/pylifecycle.c): nothing on standard
output, and no code of ours has run by then. `encodings` has: it is the first module that is imported. Without
descriptor 0 the interpreter goes on, and cni_sriov/doors/cni.py answers as it does where a runtime has closed it. There
is no such place in a checkout: `python -m cni_sriov` ends as CPython does.
"""

import posix

try:
    if posix.fstat(0).st_mode & 0o170000 == 0o040000:  # S_IFMT, S_IFDIR: sys/stat.h
        posix.close(0)
except OSError:
    pass
