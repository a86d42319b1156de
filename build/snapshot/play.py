"""Whole calls on the tests' fake kernel, in the run that finds out what calls touch (hot.c). None of it is in the picture, and
what it does decides where objects are there, not what they are. Which directory it plays in is of no consequence, nor is the
rest of the machine: the picture is the same on all of them.
"""

import _socket
import builtins
import os
import signal
import sys
from pathlib import Path
from types import CodeType

from cni_sriov.conf import values
from cni_sriov.doors import calls, cni, stdio
from cni_sriov.kernel import ethtool, links, netlink, netns, nlsocket, replies, traits
from cni_sriov.kernel.netlink import Netlink
from cni_sriov.state import ledger
from cni_sriov.vf.host import Host
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


SPACES = (_socket, builtins, os, signal, sys)  # where a name of ours may mean something


def face(*things):
    """What the fake kernel and the tests' door stand for. What a call of a function writes to is touched instead: the
    function, its code, the names and constants in it, and what the names mean. Of a class or a module, all functions.
    """

    def touch():
        for thing in things:
            for function in [thing, *getattr(thing, "__dict__", {}).values()]:
                if getattr(function, "__module__", "") == getattr(thing, "__module__", thing.__name__):
                    use(getattr(function, "__code__", None), function)

    return touch


def use(code, function):
    for value in (*code.co_names, *code.co_consts) if code else ():
        if isinstance(value, CodeType):
            use(value, function)
        elif isinstance(value, str):
            function.__globals__.get(value)
            for space in SPACES:
                space.__dict__.get(value)


def wake():
    """As the door does; harmless here."""
    stdio.settle_files()
    stdio.settle_signals()
    ledger.read_boot_id()


_play = Play()
CALLS = (
    ("", _play.begin),
    ("VERSION STATUS ADD CHECK DEL", face(cni.entry, stdio.read_stdin, stdio.write_all)),
    ("STATUS ADD CHECK DEL", wake),
    (
        "STATUS ADD CHECK DEL",
        face(calls.real_host, calls._is_real_root, values.link_name, links.Links, nlsocket.NetlinkSocket),
    ),
    ("ADD CHECK DEL", face(netns, netns.Netns, netns.inside, ethtool.Ethtool, ethtool._text)),
    (
        "ADD CHECK DEL",
        face(Netlink._name_of, Netlink.traits, netlink._is_link_local, replies.Address.is_global.fget),
    ),
    ("ADD CHECK DEL", face(traits._programs, traits._trait, Host.netlink_in, Host.open_path)),
    ("STATUS", lambda: _play.call("STATUS")),
    ("ADD", _play.add),
    ("CHECK", lambda: _play.call("CHECK")),
    ("DEL", lambda: _play.call("DEL")),
)
