"""Nouns that are stored: their form in JSON, its version, and what is asked of a file that may be anybody's.

A file says `format`, the major number, `minor`, and `by`, the version of cni-sriov that wrote it. A reader knows its own
major alone; of a higher minor it keeps what it does not know, for whoever reads the file next. `format` stays a whole
number for the versions before minors: they read what has 1, and would set aside all else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from operator import attrgetter
from types import UnionType
from typing import Any, ClassVar, Literal, Self, TypeVar, get_origin, get_type_hints

from .. import __version__
from . import jsontext
from .errors import BadConfig, BadJson, Unreadable
from .jsontext import words

FORMAT, MINOR = 1, 2
LARGEST = 1 << 18  # bytes of what is stored at once; tmpfs holds it, and a conf that is larger is none

Shape = dict[str, tuple[type, ...]]  # a field of the file: what it may be there
Built = TypeVar("Built")


# a file ---------------------------------------------------------------------------------------------------------------


def stamped(raw: dict[str, Any]) -> dict[str, Any]:
    """What a file has in front of its fields. A higher minor stays, with what it brought: `opened` kept it."""
    return {"format": FORMAT, "minor": MINOR, "by": __version__} | raw


def opened(raw: dict[str, Any]) -> dict[str, Any]:
    """The fields of a file, without its stamp; ValueError if the major number is not ours. A file without one is of the
    first.
    """
    major, minor = raw.get("format", FORMAT), raw.get("minor", 0)
    if type(major) is not int or major != FORMAT:
        raise ValueError(f"format {words(major)} is not known")
    if type(minor) is not int:
        raise ValueError(f"minor is {words(minor)}")
    fields = raw.copy()
    for name in ("format", "by") if minor > MINOR else ("format", "by", "minor"):
        fields.pop(name, None)
    return fields


def parsed(path: str, text: str, build: Callable[[dict[str, Any]], Built]) -> Built:
    """What `build` makes of a state file's text; Unreadable, with all that can be told of it, if it is not as we write it."""
    raw: dict[str, Any] = {}
    try:
        raw = jsontext.parse_kept(text)
        return build(raw)
    except KeyError as error:
        raise Unreadable.of(path, f"{words(error.args[0])} is missing", raw) from error
    except BadJson as error:
        raise Unreadable.of(path, error.msg, jsontext.glimpse(text)) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise Unreadable.of(path, str(error) or type(error).__name__, raw) from error


def rendered(what: str, raw: dict[str, Any], is_foreign: bool = False) -> str:
    """A state file's text. BadConfig if it is one that we would not read again: what a caller sent is too large; and, of
    what `is_foreign`, too deep. Our own fields have their types and no depth.
    """
    text = jsontext.render(raw)
    if len(text) > LARGEST:  # it is ASCII
        raise BadConfig(f"store {what}: {len(text)} bytes", f"at most {LARGEST} are kept")
    if is_foreign:
        _read_back(what, text, raw)
    return text


def _read_back(what: str, text: str, raw: dict[str, Any]) -> None:
    try:
        if jsontext.parse_kept(text) != raw:
            raise BadConfig(f"store {what}: what would be read back is something else")
    except BadJson as error:
        raise BadConfig(f"store {what}: it could not be read back: {error.msg}") from error


# a noun ---------------------------------------------------------------------------------------------------------------


class Stored:
    """A noun with a form in JSON: its fields in alphabetical order, as every version has written them. `extra` is what a
    later version wrote beside them; not set where there is nothing, and in a call that has read nothing of the kind nobody asks.
    """

    __slots__ = ("extra",)
    shape: ClassVar[Shape] = {}
    absent: ClassVar[dict[str, Any]] = {}  # what earlier versions did not write
    some_have_extra: ClassVar[bool] = False
    values: ClassVar[Any]  # attrgetter of these fields; a noun has two or more

    def to_json(self) -> dict[str, Any]:
        raw = dict(zip(self.shape, self.values(self), strict=True))
        return raw | self.beyond if Stored.some_have_extra else raw

    def copy(self) -> Self:
        """Its own fields, without what is not ours to know. In an ADD, dataclasses.replace is 27 000 instructions
        more, copy.copy 75 000.
        """
        return type(self)(**dict(zip(self.shape, self.values(self), strict=True)))

    @property
    def beyond(self) -> dict[str, Any]:
        """What is in the file and not ours to know."""
        found: dict[str, Any] = getattr(self, "extra", {}) if Stored.some_have_extra else {}
        return found

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        """ValueError or KeyError where a field has a wrong type or is missing. What it has beyond is kept."""
        raw = cls.absent | raw
        noun = cls(**checked(raw, cls.shape))
        noun.keep(raw)
        return noun

    def keep(self, raw: dict[str, Any]) -> None:
        """Of `raw` what is none of the fields."""
        if len(raw) > len(self.shape):
            beyond = {name: raw[name] for name in raw if name not in self.shape}
            object.__setattr__(self, "extra", beyond)  # some nouns are frozen
            Stored.some_have_extra = True


Noun = TypeVar("Noun", bound=type[Stored])


def stored(**absent: Any) -> Callable[[Noun], Noun]:
    """Above `@dataclass`: its fields and their types are its shape; `absent` is what an earlier version did not write."""

    def shaped(noun: Noun) -> Noun:
        hints = get_type_hints(noun)
        names = sorted(field.name for field in fields(noun))  # type: ignore[arg-type] # it is a dataclass
        noun.shape = {name: _kinds(hints[name]) for name in names}
        noun.absent = absent
        noun.values = attrgetter(*names)
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
        if type(value) not in kinds:  # true is no number
            told = type(value).__name__ if name in {"ipam", "conf", "args"} else words(value)
            raise ValueError(f"{name} is {told}")
    return {name: raw[name] for name in shape}
