"""What a guest consists of, and under which names it is in the cache.

A name is a hash of the recipe (the source that makes the thing), so a changed recipe is another thing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import cache, image, initramfs
from .apt import Apt, Suite
from .errors import LabError
from .recipes import CARD, Recipe

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Image:
    """A bootable guest in the cache."""

    key: str
    release: str
    root: Path
    vmlinux: Path
    initramfs: Path
    state_disk: Path
    memory_mib: int


@functools.cache
def _recipe(*names: str) -> str:
    return cache.key_of(*((HERE / name).read_bytes() for name in names))


@dataclass(frozen=True)
class Plan:
    """The names all parts of a guest will have, known before anything is built."""

    suite: Suite
    recipe: Recipe = CARD

    @property
    def kernel(self) -> str:
        """The kernel as the suite has it on the day it is fetched; `prepare --refresh` asks again."""
        return cache.key_of(self.suite.codename, _recipe("kernel.py"))

    @property
    def cnitool(self) -> str:
        """Changes with the list of packages only."""
        return cache.key_of(self.suite.codename, *image.GO_PACKAGES)

    @property
    def root(self) -> str:
        """Everything that goes into the root file system."""
        sources = ["image.py", "kernel.py", *(["containers.py"] if self.recipe.containers else [])]
        return cache.key_of(self.kernel, self.cnitool, repr(self.recipe), _recipe(*sources))

    @property
    def initramfs(self) -> str:
        """The root's boot parts, and the guest's programs."""
        return cache.key_of(self.root, _recipe("initramfs.py", "inside/init", "inside/agent.py"))

    def kind(self, part: str) -> str:
        """The directory of the cache for that part of this guest, and of what it was before."""
        return part if self.recipe == CARD else f"{part}-{self.recipe.name}"

    def keys(self) -> dict[str, str]:
        """Kind and name of each thing in the cache."""
        return {
            "kernel": self.kernel,
            "cnitool": self.cnitool,
            self.kind("root"): self.root,
            self.kind("initramfs"): self.initramfs,
        }

    def find(self) -> Image | None:
        """The finished guest, if all of it is in the cache."""
        root = cache.cache_dir() / self.kind("root") / self.root
        boot = cache.cache_dir() / self.kind("initramfs") / self.initramfs
        if not (root.exists() and boot.exists()):
            return None
        release = (root / "release").read_text()
        return Image(
            self.initramfs,
            release,
            root / "root.squashfs",
            root / "vmlinux",
            boot / "initramfs",
            root / "state.ext4",
            self.recipe.memory_mib,
        )

    def build_kernel(self, apt: Callable[[], Apt]) -> Path:
        """Ensure the kernel."""
        return cache.ensure("kernel", self.kernel, functools.partial(image.build_kernel, apt))

    def build_cnitool(self, apt: Callable[[], Apt]) -> Path:
        """Ensure cnitool."""
        return cache.ensure("cnitool", self.cnitool, functools.partial(image.build_cnitool, apt))

    def build_root(self, apt: Callable[[], Apt]) -> Path:
        """Ensure the root file system, after what goes into it."""
        parts = (self.build_kernel(apt), self.build_cnitool(apt))
        build = functools.partial(image.build_root, apt, self.recipe, *parts)
        return cache.ensure(self.kind("root"), self.root, build)

    def build(self, apt: Callable[[], Apt]) -> Image:
        """Ensure the whole guest."""
        root = self.build_root(apt)
        build = functools.partial(initramfs.build_initramfs, root)
        cache.ensure(self.kind("initramfs"), self.initramfs, build)
        found = self.find()
        if found is None:
            raise LabError("the guest was built but is not in the cache")
        return found
