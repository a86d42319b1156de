"""Nouns that are stored: their form in JSON, and what is asked of a file that may be anybody's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, ClassVar, Literal, Self, TypeVar, get_origin, get_type_hints

from .jsontext import words

Shape = dict[str, tuple[type, ...]]  # a field of the file: what it may be there


class Stored:
    """A noun with a form in JSON: its fields in alphabetical order, as every version has written them."""

    __slots__ = ()
    shape: ClassVar[Shape] = {}
    absent: ClassVar[dict[str, Any]] = {}  # what earlier versions did not write

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.shape}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        """ValueError or KeyError where a field has a wrong type or is missing. What it has beyond is left out."""
        return cls(**checked(cls.absent | raw, cls.shape))


Noun = TypeVar("Noun", bound=type[Stored])


def stored(**absent: Any) -> Callable[[Noun], Noun]:
    """Above `@dataclass`: its fields and their types are its shape; `absent` is what an earlier version did not write."""

    def shaped(noun: Noun) -> Noun:
        hints = get_type_hints(noun)
        names = sorted(field.name for field in fields(noun))  # type: ignore[arg-type] # it is a dataclass
        noun.shape = {name: _kinds(hints[name]) for name in names}
        noun.absent = absent
        return noun

    return shaped


def _kinds(hint: Any) -> tuple[type, ...]:
    """In the file a noun is an object, and the words of a Literal are strings: it may be another version's word."""
    if isinstance(hint, UnionType):
        return tuple(kind for part in hint.__args__ for kind in _kinds(part))
    if get_origin(hint) is Literal:
        return (str,)
    return (dict if is_dataclass(hint) else get_origin(hint) or hint,)


def checked(raw: dict[str, Any], shape: Shape) -> dict[str, Any]:
    """ValueError: whoever wrote the file, no wrong type of it may get further. It ends in a log: a conf may hold a
    password, so of that the type alone.
    """
    for name, kinds in shape.items():
        value = raw[name]
        if not isinstance(value, kinds):
            told = type(value).__name__ if name in {"ipam", "conf", "args"} else words(value)
            raise ValueError(f"{name} is {told}")
    return {name: raw[name] for name in shape}
