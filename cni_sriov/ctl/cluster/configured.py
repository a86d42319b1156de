"""The clusters of this node, by their files in /etc/cni-sriov/clusters. The way to an engine is imported when it is opened."""

from __future__ import annotations

from .. import clusterjson
from .engine import Engine


class Configured:
    def names(self) -> list[str]:
        return clusterjson.configured()

    def node(self, name: str) -> str:
        return clusterjson.read(name).node

    def open(self, name: str, deadline: float) -> Engine:
        from .opening import engine_of

        return engine_of(name, clusterjson.read(name), deadline)
