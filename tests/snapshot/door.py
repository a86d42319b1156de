"""In place of cni_sriov/doors/cni.py in a snapshot of the tests' own: does what it is told, and says what it found."""

import json
import posix
import sys

run = exec  # in the picture it is None


def entry() -> None:
    found: dict[str, object] = {}
    run(sys.argv[1], found)
    posix.write(1, json.dumps(found["answer"]).encode())
    posix._exit(0)  # noqa: SLF001 # public in os
