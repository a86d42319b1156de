"""How far a call goes through the house: `python -m tests.hops` counts it on the fake node, in a second ADD with
host-subnet and its DEL.

A crossing is a call from one module of ours into another; what is called in between (contextlib) does not count. Depth
is how many of our functions stand on one another. A lease's hops are the crossings from verbs/add to leases/index.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any

import cni_sriov
from tests.world import World

_PACKAGE = Path(cni_sriov.__file__).parent
_LEASE = "verbs/add", "leases/index"
AT_F0B700F = {"ADD": (34, 234, 23), "DEL": (28, 152, 17)}  # modules, crossings, depth
LEASE_AT_F0B700F = 9


@dataclass
class Walk:
    """What one call entered; `lease` is the longest way there, [] if it leases nothing."""

    modules: set[str] = field(default_factory=set)
    crossings: int = 0
    deepest: list[str] = field(default_factory=list)
    lease: list[str] = field(default_factory=list)

    @property
    def figures(self) -> tuple[int, int, int]:
        return len(self.modules), self.crossings, len(self.deepest)

    @property
    def hops(self) -> int:
        return len(self.lease) - 1


class _Walker:
    """A profile function. `_standing` are our functions that run, `_frames` how many of them stood below each frame."""

    def __init__(self) -> None:
        self.walk = Walk()
        self._frames: list[int] = []
        self._standing: list[str] = []

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            self._frames.append(len(self._standing))
            module = _module(frame.f_code.co_filename)
            if module:
                self._enter(module, frame.f_code.co_name)
        elif event == "return" and self._frames:
            del self._standing[self._frames.pop() :]

    def _enter(self, module: str, name: str) -> None:
        standing, walk = self._standing, self.walk
        walk.crossings += bool(standing) and not standing[-1].startswith(f"{module}.")
        walk.modules.add(module)
        standing.append(f"{module}.{name}")
        if len(standing) > len(walk.deepest):
            walk.deepest = list(standing)
        if module == _LEASE[1]:
            walk.lease = max(walk.lease, _way(standing), key=len)


def _way(standing: list[str]) -> list[str]:
    """The modules that were crossed since verbs/add."""
    modules = [module for module, _ in groupby(name.partition(".")[0] for name in standing)]
    return modules[modules.index(_LEASE[0]) :] if _LEASE[0] in modules else []


@cache
def _module(path: str) -> str:
    """Empty for what is not ours."""
    found = Path(path)
    return str(found.relative_to(_PACKAGE).with_suffix("")) if found.is_relative_to(_PACKAGE) else ""


def walk_of(act: Callable[[], object]) -> Walk:
    walker = _Walker()
    sys.setprofile(walker)
    try:
        act()
    finally:
        sys.setprofile(None)
    return walker.walk


def walks(root: Path) -> dict[str, Walk]:
    world = World(root)
    world.kernel.add_pf("enp1s0f0", "0000:01:00.0", numvfs=7)
    conf = world.conf(ipam=world.ipam())
    world.kernel.add_pod("/run/netns/pod0")
    assert world.call("ADD", conf, "c0", "/run/netns/pod0").code == 0, "the first one makes directories"
    world.kernel.add_pod("/run/netns/pod1")
    return {verb: walk_of(partial(_call, world, verb, conf)) for verb in ("ADD", "DEL")}


def _call(world: World, verb: str, conf: dict[str, Any]) -> None:
    reply = world.call(verb, conf, "c1", "/run/netns/pod1")
    assert reply.code == 0, reply.text


def main() -> None:
    with tempfile.TemporaryDirectory() as root:
        found = walks(Path(root))
    for verb, walk in found.items():
        now, before = (
            "{} modules, {} crossings, {} deep".format(*said) for said in (walk.figures, AT_F0B700F[verb])
        )
        print(f"{verb}: {now} (at f0b700f: {before})")
        print(f"  deepest: {' > '.join(walk.deepest)}")
    print(
        f"a lease: {found['ADD'].hops} hops (at f0b700f: {LEASE_AT_F0B700F}): {' > '.join(found['ADD'].lease)}"
    )


if __name__ == "__main__":
    main()
