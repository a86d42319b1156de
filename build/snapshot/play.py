"""Whole calls on the tests' fake kernel, in the run that finds out what calls touch (hot.c). None of it is in the picture, and
what it does decides where objects are there, not what they are. Which directory it plays in is of no consequence, nor is the
rest of the machine: the picture is the same on all of them.
"""

import os
import sys
from pathlib import Path

from tests.world import World


def play():
    """A STATUS, an ADD, a CHECK and a DEL, with what is usual in a configuration."""
    os.chdir(sys.argv[4])
    world = World(Path("/proc/self/cwd"))
    world.kernel.add_pf("enp1s0f0", "0000:01:00.0", numvfs=7)
    world.kernel.add_pod("/run/netns/pod1")
    device = dict(world.kernel.sysfs.virtfns("0000:01:00.0"))[0]
    conf = world.conf(cniVersion="1.1.0", master=None, deviceID=device, ipam=world.ipam(), logLevel="info")
    done = {}
    for verb in ("STATUS", "ADD", "CHECK", "DEL"):
        asked = conf | {"prevResult": done["ADD"].document} if verb == "CHECK" else conf
        done[verb] = world.call(verb, asked)
    failed = {verb: reply.text for verb, reply in done.items() if reply.exit_code}
    if failed:
        raise RuntimeError(failed)
