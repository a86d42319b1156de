"""What netlink answered in one netns: asked once, kept by question, and given again. What was not asked follows from the lists
of links and addresses where it can; else it is not recorded, which is no absence.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from errno import ENODATA, EROFS
from typing import Any, NoReturn, get_type_hints

from ...kernel.ethtool import NAMES
from ...kernel.netlink import Netlink
from ...kernel.replies import Address
from ...words.domain import Link
from ...words.errors import KernelRefused
from ...words.record import VfState
from . import left_out
from .faces import READ_ONLY
from .values import fits

# what is asked of the kernel by who only looks; Netlink's other looks follow from these
QUESTIONS = (
    "addresses",
    "bus_info",
    "find_link",
    "ifindex",
    "ifname",
    "link_by_index",
    "links",
    "routes",
    "traits",
    "vf_states",
    "whole_link",
)


Refusal = tuple[str, int, str]


@dataclass(slots=True)
class Answers:
    """By question: the answer, or the refusal: verb, errno, the kernel's sentence."""

    told: dict[str, Any] = field(default_factory=dict)
    refused: dict[str, Refusal] = field(default_factory=dict)

    def keep(self, question: str, ask: Callable[[], Any]) -> Any:
        """The answer, which is kept; so is a refusal."""
        try:
            answer = ask()
        except KernelRefused as error:
            self.refused[question] = error.verb, error.errno, error.extack
            raise
        self.told[question] = answer
        return answer

    def without_passwords(self) -> None:
        """A netdev's traits have one."""
        for question, answer in self.told.items():
            if question.startswith("traits "):
                self.told[question] = {
                    name: left_out.without_passwords(text) for name, text in answer.items()
                }


def question(name: str, *args: Any, **more: Any) -> str:
    """As a key: the verb and what it was given, with the defaults that were left out. A Link is meant by its number."""
    bound = inspect.signature(getattr(Netlink, name)).bind(None, *args, **more)
    bound.apply_defaults()
    given = [_plain(value) for value in bound.args[1:]]
    return f"{name} {json.dumps(given)}"


def is_answer(question: str, answer: Any) -> bool:
    """Whether Netlink can answer that question so."""
    name = question.partition(" ")[0]
    return name in QUESTIONS and fits(answer, get_type_hints(getattr(Netlink, name))["return"])


def _plain(value: Any) -> Any:
    if isinstance(value, Link):
        return value.ifindex
    if isinstance(value, Collection) and not isinstance(value, str | bytes):
        return sorted(value)
    return value


class _Mute:
    """Instead of a socket: whatever would be changed is refused."""

    raw = None

    def tell(self, verb: str, *_: Any) -> NoReturn:
        raise KernelRefused(verb, EROFS, READ_ONLY)

    def ask(self, verb: str, *_: Any) -> NoReturn:
        raise KernelRefused(verb, ENODATA, "it is not in the recording")

    dump = ask

    def close(self) -> None:
        pass


class SpyNetlink(Netlink):
    """Asks the real one, and keeps what that says."""

    __slots__ = ("answers", "real")

    def __init__(self, real: Netlink, answers: Answers) -> None:
        self._socket = _Mute()  # type: ignore[assignment] # a recorder changes nothing
        self.real = real
        self.answers = answers

    def close(self) -> None:
        self.real.close()


def _spying(name: str) -> Callable[..., Any]:
    def ask(self: SpyNetlink, *args: Any, **more: Any) -> Any:
        return self.answers.keep(
            question(name, *args, **more), lambda: getattr(self.real, name)(*args, **more)
        )

    return ask


for _name in QUESTIONS:
    setattr(SpyNetlink, _name, _spying(_name))


class RecordedNetlink(Netlink):
    """Answers as it was answered then."""

    __slots__ = ("answers",)

    def __init__(self, answers: Answers) -> None:
        self._socket = _Mute()  # type: ignore[assignment] # nobody is asked
        self.answers = answers

    def ifindex(self, name: str) -> int:
        found = self._told("ifindex", name, instead=lambda: self.find_link(name))
        return found.ifindex if isinstance(found, Link) else found or 0

    def ifname(self, ifindex: int) -> str:
        found = self._told("ifname", ifindex, instead=lambda: self.link_by_index(ifindex))
        return found.ifname if isinstance(found, Link) else found or ""

    def find_link(self, name: str) -> Link | None:
        found: Link | None = self._told("find_link", name, instead=lambda: self._link(name=name))
        return found

    def link_by_index(self, ifindex: int) -> Link | None:
        found: Link | None = self._told("link_by_index", ifindex, instead=lambda: self._link(ifindex=ifindex))
        return found

    def links(self) -> list[Link]:
        found: list[Link] = self._told("links")
        return found

    def bus_info(self, ifname: str) -> str:
        found = self._told("bus_info", ifname, instead=lambda: self.find_link(ifname))
        return found.parent_dev if isinstance(found, Link) else found or ""

    def vf_states(self, pf_ifindex: int, only: int | None = None) -> dict[int, VfState]:
        def of_all() -> dict[int, VfState]:
            found = self._told("vf_states", pf_ifindex, None)
            return {index: state for index, state in found.items() if index == only}

        states: dict[int, VfState] = self._told(
            "vf_states", pf_ifindex, only, instead=None if only is None else of_all
        )
        return states

    def traits(self, link: Link, known: Collection[str] | None = None) -> dict[str, str]:
        """Of what the driver is asked for, only those of `known`."""

        def of_all() -> dict[str, str]:
            found: dict[str, str] = self._told("traits", link, None)
            unasked = {name for name in NAMES if known is not None and name not in known}
            return {name: text for name, text in found.items() if name not in unasked}

        traits: dict[str, str] = self._told(
            "traits", link, known, instead=of_all if known is not None else None
        )
        return traits

    def addresses(self, ifindex: int = 0) -> list[Address]:
        def of_all() -> list[Address]:
            return [one for one in self._told("addresses", 0) if one.ifindex == ifindex]

        found: list[Address] = self._told("addresses", ifindex, instead=of_all if ifindex else None)
        return found

    def routes(self, ifindex: int = 0, table: int = 254) -> Any:
        return self._told("routes", ifindex, table)

    def whole_link(self, ifindex: int) -> bytes:
        found: bytes = self._told("whole_link", ifindex)
        return found

    def _link(self, name: str = "", ifindex: int = 0) -> Link | None:
        return next(
            (one for one in self.links() if one.ifindex == ifindex or name in {one.ifname, *one.altnames}),
            None,
        )

    def _told(self, name: str, *args: Any, instead: Callable[[], Any] | None = None) -> Any:
        """`instead`: what it follows from, where nobody asked it."""
        key = question(name, *args)
        if key in self.answers.refused:
            raise KernelRefused(*self.answers.refused[key])
        if key in self.answers.told:
            return self.answers.told[key]
        if instead is not None:
            return instead()
        raise KernelRefused(f"ask for {key}", ENODATA, "it is not in the recording")
