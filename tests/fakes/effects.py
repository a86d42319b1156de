"""What changes the world, counted: each can be failed, be where the process dies, or have something happen before it."""

from __future__ import annotations

import shutil
from errno import EIO
from typing import TYPE_CHECKING, Any, TypeVar

from cni_sriov.words.errors import KernelRefused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

F = TypeVar("F")


class Crash(BaseException):  # not an Exception: nothing may survive it
    """The process was killed here. Only a test may catch it; `FakeKernel.restart` is the next process."""


class Refused(Exception):
    """A rule said no; the face adds the verb."""

    def __init__(self, errno: int, sentence: str = "") -> None:
        super().__init__(errno, sentence)
        self.errno = errno
        self.sentence = sentence


class Effects:
    """Every mutating call of a face is an effect with a number, from 0."""

    def __init__(self) -> None:
        self.durable: list[
            Path
        ] = []  # directories that a crash freezes: what a process writes later never was
        self.effects: list[str] = []
        self._trap: tuple[int, str, bool] | None = None
        self._dead = False
        self._hooks: dict[str, tuple[Callable[..., object], bool]] = {}

    def before(self, verb: str, act: Callable[..., object], *, always: bool = False) -> None:
        """`act` happens before the next call of the face's method `verb`, or before every one, and is given what the
        method is given, the face first. What it raises is the method's answer.
        """
        self._hooks[verb] = act, always

    def reach(self, verb: str, *args: Any) -> None:
        """A face's method is called."""
        if verb in self._hooks:
            act, always = self._hooks[verb]
            if not always:
                del self._hooks[verb]
            act(*args)

    def fail_effect(self, k: int, when: str) -> None:
        """Effect k (from 0) is refused with EIO: "before" it happened, or "after" (it did, and only the ack says no)."""
        self._trap = (len(self.effects) + k, when, False)

    def crash_at(self, k: int, when: str) -> None:
        """Crash "before" or "after" effect k. Until `restart` every further change crashes again."""
        self._trap = (len(self.effects) + k, when, True)

    def restart(self) -> None:
        """The next process: the kernel is as the crash left it, and so are the `durable` directories."""
        if self._dead:
            for directory in self.durable:
                shutil.rmtree(directory, ignore_errors=True)
                if self._frozen(directory).exists():
                    shutil.move(self._frozen(directory), directory)
        self._dead = False
        self._trap = None

    @property
    def is_dead(self) -> bool:
        """The process was killed and has not been restarted."""
        return self._dead

    def effect(self, what: str, act: Callable[[], None]) -> None:
        if self._dead:
            raise Crash(what)
        number = len(self.effects)
        self.effects.append(what)
        self._spring(number, "before", what)
        try:
            act()
        except Refused:
            del self.effects[number]  # nothing was changed, so there is no "after"
            raise
        self._spring(number, "after", what)

    def _spring(self, number: int, when: str, what: str) -> None:
        if not self._trap or self._trap[:2] != (number, when):
            return
        crash = self._trap[2]
        self._trap = None
        if not crash:
            raise KernelRefused(what, EIO, f"injected {when} effect {number}")
        self._dead = True
        for directory in self.durable:
            if directory.exists():
                shutil.copytree(directory, self._frozen(directory), symlinks=True)
        raise Crash(what)

    def _frozen(self, directory: Path) -> Path:
        return directory.with_name(directory.name + ".at-crash")


def hooked(face: type[F]) -> type[F]:
    """Every verb of that face asks its world first (Effects.before)."""
    for verb, method in list(vars(face).items()):
        if callable(method) and not verb.startswith("_"):
            setattr(face, verb, _asking(verb, method))
    return face


def _asking(verb: str, method: Callable[..., Any]) -> Callable[..., Any]:
    def asked(face: Any, *args: Any, **keys: Any) -> Any:
        face.world.reach(verb, face, *args)
        return method(face, *args, **keys)

    return asked


def apply(world: Effects, what: str, act: Callable[[], None]) -> None:
    """An effect by the rules; their no is the face's KernelRefused."""
    try:
        world.effect(what, act)
    except Refused as refused:
        raise KernelRefused(what, refused.errno, refused.sentence) from refused
