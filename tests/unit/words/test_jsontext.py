"""A message shows a value as the configuration has it: null, true, "x"; never None, True, 'x'."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.conf import hostsubnet, netconf, requests, routeconf
from cni_sriov.conf.values import DNS
from cni_sriov.words.jsontext import words
from tests.world import World

PACKAGE = Path(__file__).parents[3] / "cni_sriov"
MODULES = sorted(PACKAGE.rglob("*.py"))
PYTHON = re.compile(r"\b(None|True|False)\b|'(x y|x|a)'")
UNREAD = {"mtu", "advmss", "table", "scope"}  # of a route
BAD: list[Any] = [
    None,
    True,
    False,
    "x y",
    [None],
    [True, "x"],
    {"a": None},
    {"a": False},
    1.5,
    -1,
    [["x"]],
    "",
]


@pytest.mark.parametrize(
    "value", [*BAD, "ä", "\u2028", {"a": {"b": [1, None]}}, 10**30, "a\tb", 'a"b', "\x9b"]
)
def test_it_is_the_json_of_the_value(value: Any) -> None:
    assert json.loads(words(value)) == value


@pytest.mark.parametrize("text", ["\x1b[2J", "a\nb", "\x9b1m", "\u202e", "\udc80"])
def test_nothing_in_it_moves_a_cursor(text: str) -> None:
    assert words(text).isprintable()


def test_it_is_readable_and_bounded() -> None:
    assert words("ä") == '"ä"'
    assert words(["x" * 500]) == '["' + "x" * 198 + "..."
    assert words("x" * 50, 10) == '"' + "x" * 9 + "..."


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(PACKAGE)) for path in MODULES])
def test_no_message_is_made_by_repr(path: Path) -> None:
    tree = ast.parse(path.read_text())
    shown = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "__repr__"]
    inside = {id(inner) for node in shown for inner in ast.walk(node)}

    wrong = [
        node
        for node in ast.walk(tree)
        if id(node) not in inside
        and path.name != "log.py"  # key=value lines, quoted by its own rule
        and (
            (isinstance(node, ast.FormattedValue) and node.conversion in {ord("r"), ord("a")})
            or (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in {"repr", "ascii"}
            )
        )
    ]

    assert [node.lineno for node in wrong] == []


def places() -> list[tuple[str, ...]]:
    """Every key that the parsers know, as a path."""
    found: list[tuple[str, ...]] = [(key,) for key in ("cniVersion", "name", *netconf.SRIOV.keys)]
    found += [("pf", key) for key in netconf.PF.keys] + [("dns", key) for key in DNS.keys]
    found += [("runtimeConfig", key) for key in requests.RUNTIME.keys]
    found += [("runtimeConfig", "bandwidth", "egressRate"), ("runtimeConfig", "dns", "servers")]
    found += [("args", "cni"), *(("args", "cni", key) for key in requests.ARGS.keys)]
    found += [("ipam", key) for key in hostsubnet.IPAM.keys] + [("ipam", "dns", key) for key in DNS.keys]
    found += [("ipam", "pools", key) for key in hostsubnet.POOL.keys]
    found += [("ipam", "routes", key) for key in routeconf.ROUTE.keys]
    return [path for path in found if path[-1] not in {"logFile", "stateDir"}]


@pytest.mark.parametrize("place", places(), ids=".".join)
def test_no_value_of_a_known_key_is_told_in_python(world: World, place: tuple[str, ...]) -> None:
    said = []
    for value in BAD:
        if value is None and place[-1] == "dataDir":
            continue  # as if it were not given, and the default is this machine's
        given = world.conf(ipam=world.ipam(routes=[{"dst": "10.99.0.0/16"}]))
        inside: Any = given
        for part in place[:-1]:
            inside = inside.setdefault(part, {}) if part not in {"pools", "routes"} else inside[part][0]
        inside[place[-1]] = value
        reply = world.call("ADD", given, "c1")
        said.append(reply.text)
        if reply.code == 0:
            world.call("DEL", given, "c1")

    assert [text for text in said if PYTHON.search(text)] == []
    assert any(text.strip(" |") for text in said) or (place[1:2] == ("routes",) and place[2] in UNREAD)


@pytest.mark.parametrize(("args", "shown"), [("MAC=None", '"None"'), ("x", '"x"'), ("IP='a'", "\"'a'\"")])
def test_cni_args_too(world: World, args: str, shown: str) -> None:
    assert shown in world.call("ADD", world.conf(ipam=world.ipam()), args=args).text


def test_a_huge_value_does_not_come_back_in_the_error(one_vf: World) -> None:
    reply = one_vf.call("ADD", one_vf.conf(mac="x" * 100_000))

    assert (reply.code, len(reply.text) < 1000) == (7, True)
