"""A kernel made of rules (kernel.py), and what tests take in hand of it."""

from .card import FakeLink, FakePf, FakeVf, Namespace
from .effects import Crash
from .kernel import FakeKernel
from .netlink import FakeNetlink
from .netns import FakeNetns
from .nodes import FakeNodes
from .sysfs import FakeSysfs

__all__ = [
    "Crash",
    "FakeKernel",
    "FakeLink",
    "FakeNetlink",
    "FakeNetns",
    "FakeNodes",
    "FakePf",
    "FakeSysfs",
    "FakeVf",
    "Namespace",
]
