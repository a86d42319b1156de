"""Answers as JSON, and back: the nouns that netlink answers with, judged when they are read, since a recording comes from
others.
"""

from __future__ import annotations

import types
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ...kernel.replies import Address, KernelRoute
from ...words.domain import Link, Route
from ...words.jsontext import words
from ...words.record import VfState

NOUNS: dict[str, type[Any]] = {noun.__name__: noun for noun in (Link, Address, KernelRoute, Route, VfState)}


def encoded(value: Any) -> Any:
    """TypeError for what no answer has."""
    if value is None or type(value) in (bool, int, str):
        return value
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value) if isinstance(value, set | frozenset) else value
        return {"list": [encoded(one) for one in items]}
    if isinstance(value, dict):
        return {"map": [[encoded(key), encoded(one)] for key, one in value.items()]}
    if is_dataclass(value) and type(value).__name__ in NOUNS:
        told = {part.name: encoded(getattr(value, part.name)) for part in fields(value)}
        return {"noun": type(value).__name__, "of": told}
    raise TypeError(f"{type(value).__name__} is no answer that can be recorded")


def decoded(raw: Any) -> Any:
    """ValueError for what `encoded` did not make."""
    if raw is None or type(raw) in (bool, int, str):
        return raw
    if not isinstance(raw, dict):
        raise ValueError(f"{words(raw)} is no value")
    match raw:
        case {"hex": str(text)}:
            return bytes.fromhex(text)
        case {"list": list(items)}:
            return [decoded(one) for one in items]
        case {"map": list(pairs)}:
            return dict(_pair(pair) for pair in pairs)
        case {"noun": str(name), "of": dict(told)} if name in NOUNS:
            return _noun(NOUNS[name], told)
    raise ValueError(f"{words(raw)} is no value")


def _pair(pair: Any) -> tuple[Any, Any]:
    match pair:
        case [(str() | int()) as key, value]:
            return key, decoded(value)
    raise ValueError(f"{words(pair)} is no pair")


def _noun(noun: type[Any], told: dict[str, Any]) -> Any:
    """Fields that this version does not know are passed over; those that it has and are not told have their default."""
    hints = _hints(noun.__name__)
    known = {part.name for part in fields(noun)}
    given = {name: decoded(value) for name, value in told.items() if name in known}
    for name, value in given.items():
        if not fits(value, hints[name]):
            raise ValueError(f"{name} of a {noun.__name__} is {words(told[name])}")
    try:
        return noun(**given)
    except TypeError as error:
        raise ValueError(f"{words(told)} is no {noun.__name__}") from error


@cache
def _hints(name: str) -> dict[str, Any]:
    return get_type_hints(NOUNS[name])


def fits(value: Any, hint: Any) -> bool:
    """Whether that is a value of the type that `hint` stands for."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in {Union, types.UnionType}:
        return any(fits(value, one) for one in inner)
    if origin is Literal:
        return value in inner
    if origin is list:
        return isinstance(value, list) and all(fits(one, inner[0]) for one in value)
    if origin is dict:
        pairs = value.items() if isinstance(value, dict) else ()
        return isinstance(value, dict) and all(fits(k, inner[0]) and fits(v, inner[1]) for k, v in pairs)
    if hint is int:
        return type(value) is int  # True is no number
    return isinstance(value, type(None) if hint is None else hint)
