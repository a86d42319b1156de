"""Whole calls on the tests' fake kernel, in the run that finds out what calls touch (hot.c). None of it is in the picture, and
what it does decides where objects are there, not what they are. Which directory it plays in is of no consequence, nor is the
rest of the machine: the picture is the same on all of them.
"""

import os
import sys
from pathlib import Path

from cni_sriov.doors import calls, cni, stdio
from cni_sriov.kernel import ethtool, links, netns, nlsocket, tcx
from tests.world import World


class Play:
    """A STATUS, an ADD, a CHECK and a DEL, with what is usual in a configuration. The node is made by the first."""

    def __init__(self):
        self.world, self.conf = None, {}

    def begin(self):
        os.chdir(sys.argv[4])
        self.world = World(Path("/proc/self/cwd"))
        self.world.kernel.add_pf("enp1s0f0", "0000:01:00.0", numvfs=7)
        self.world.kernel.add_pod("/run/netns/pod1")
        device = dict(self.world.kernel.sysfs.virtfns("0000:01:00.0"))[0]
        ipam = self.world.ipam()
        self.conf = self.world.conf(
            cniVersion="1.1.0", master=None, deviceID=device, ipam=ipam, logLevel="info"
        )

    def call(self, verb):
        reply = self.world.call(verb, self.conf)
        if reply.exit_code:
            raise RuntimeError(reply.text)
        return reply

    def add(self):
        self.conf["prevResult"] = self.call("ADD").document


def use_faces():
    """What the fake kernel stands for. To have a function and its code in hand writes to both, as calling it does."""
    for module in (calls, cni, stdio, ethtool, links, netns, nlsocket, tcx):
        for value in [module, *vars(module).values()]:
            if getattr(value, "__module__", "") == module.__name__:
                for function in [value, *getattr(value, "__dict__", {}).values()]:
                    getattr(function, "__code__", None)


_play = Play()
CALLS = (
    ("", _play.begin),
    ("ADD CHECK DEL", use_faces),
    ("STATUS", lambda: _play.call("STATUS")),
    ("ADD", _play.add),
    ("CHECK", lambda: _play.call("CHECK")),
    ("DEL", lambda: _play.call("DEL")),
)
