"""A stand-in for the host's VPP: it listens on a Unix socket, speaks the binary API, and says yes and no as VPP 23.06 did.

It has tables of its own, from what was seen of a real one (numbers by name and CRC, replies, retvals, sentences): nothing
of it comes from the client that it is there to test.
"""

from .rules import Node
from .server import StandIn
from .taps import FakeTaps, RealTaps

__all__ = ["FakeTaps", "Node", "RealTaps", "StandIn"]
