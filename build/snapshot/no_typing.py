"""In the picture, in the place of the standard library's `typing`: the words that our modules import, and what three of
them do when a class is made. Hints are for mypy, which reads the sources; `typing` itself is 0.4 MB of the file.

`dataclass` asks whether a field is a ClassVar, and words/stored.py what a noun's fields are.
"""

import sys
from collections import namedtuple

TYPE_CHECKING = False


class _GenericAlias:
    """Of a word with something in brackets."""

    def __init__(self, origin):
        self.__origin__ = origin


class _Word:
    def __getitem__(self, _):
        return _GenericAlias(self)


Any, ClassVar, Literal, NoReturn, Self, TypeGuard = (_Word() for _ in range(6))


class Protocol:
    pass


def TypeVar(*_, **__):  # noqa: N802  it is called so
    return Any


def get_origin(hint):
    return getattr(hint, "__origin__", None)


def get_type_hints(noun):
    return {
        name: eval(hint, vars(sys.modules[base.__module__]))
        for base in reversed(noun.__mro__)
        for name, hint in base.__dict__.get("__annotations__", {}).items()  # noqa: RUF063
    }


class _OfTuples(type):
    def __new__(cls, name, _, space):
        fields = space.get("__annotations__", {})
        made = namedtuple(name, fields, defaults=[space[field] for field in fields if field in space])
        for key, value in space.items():
            if key not in {*fields, "__annotations__", "__qualname__"}:
                setattr(made, key, value)
        return made


NamedTuple = type.__new__(_OfTuples, "NamedTuple", (), {})
