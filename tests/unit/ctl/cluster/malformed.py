"""Answers of an engine with one thing wrong in each, made from good ones. What comes of them: success, or one sentence."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from cni_sriov.conf.cluster import Endpoint
from cni_sriov.ctl.cluster.http import Answer
from cni_sriov.words.errors import CniError
from tests.memoryengine import Cluster
from tests.unit.ctl.cluster.rack import POOL, RackNode

JUNK: tuple[Any, ...] = (
    None,
    7,
    -7,
    2.5,
    True,
    "",
    "-7",
    "x",
    "a\r\nb",
    "\ud800",
    "x" * 5000,
    [],
    [7],
    [[]],
    {},
    {"x": 7},
)
BODIES = (
    b"",
    b"null",
    b"[]",
    b"7",
    b'"x"',
    b"{}",
    b"{",
    b"<html><h1>Welcome</h1></html>",
    b"\xff\xfe",
    b"[" * 9999,
)
STATUSES = (200, 201, 204, 301, 400, 401, 403, 404, 409, 410, 418, 500, 503)
AT = Endpoint(False, "127.0.0.1", 1)
Change = Callable[[Any], bytes]
Say = Callable[[str, str, Any, dict[str, str]], tuple[int, Any]]


def mutants(document: Any) -> Iterator[tuple[str, Change]]:
    """(what is wrong, what makes it so), of a document of that shape: keys and tokens are others in each run."""
    for place in _places(document):
        where = "/".join(map(str, place))
        yield f"no {where}", partial(_changed, place, _remove)
        for junk in JUNK:
            yield f"{where} = {junk!r:.20}", partial(_changed, place, partial(_put, junk=junk))
        if isinstance(place[-1], int):
            yield f"{where} twice", partial(_changed, place, _double)


def _places(document: Any) -> Iterator[tuple[Any, ...]]:
    keys = (
        document if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    )
    for key in keys:
        yield (key,)
        yield from ((key, *rest) for rest in _places(document[key]))


def _changed(place: tuple[Any, ...], change: Callable[[Any, Any], None], document: Any) -> bytes:
    at = made = copy.deepcopy(document)
    for key in place[:-1]:
        at = at[key]
    change(at, place[-1])
    return json.dumps(made).encode()


def _remove(at: Any, key: Any) -> None:
    del at[key]


def _put(at: Any, key: Any, junk: Any) -> None:
    at[key] = junk


def _double(at: Any, key: Any) -> None:
    at.insert(key, at[key])


def _as(body: bytes, _: Any) -> bytes:
    return body


class Wrong:
    """In place of an HTTP client: what `say` says, except for the answer of that number, which is another each time."""

    def __init__(
        self, say: Say, number: int = -1, change: Change | None = None, status: int | None = None
    ) -> None:
        self._say = say
        self.number = number
        self.change = change
        self.status = status
        self.good: list[Any] = []

    def ask(
        self, _: Endpoint, method: str, path: str, body: Any, headers: dict[str, str], seconds: float
    ) -> Answer:
        assert seconds > 0
        status, document = self._say(method, path, json.loads(json.dumps(body)), headers)
        content = json.dumps(document).encode()
        if len(self.good) == self.number:
            status = self.status or status
            content = self.change(document) if self.change else content
        self.good.append(document)
        try:
            return Answer(status, json.loads(content), "")
        except (ValueError, RecursionError):
            return Answer(status, None, json.dumps(content[:40].decode("utf-8", "replace")))


def every(good: list[Any]) -> Iterator[tuple[str, int, Change | None, int | None]]:
    """Of the answers that a run had: (what is wrong, with which of them, what makes its body so, its status)."""
    for number, document in enumerate(good):
        for what, change in mutants(document):
            yield f"{number}: {what}", number, change, None
        for body in BODIES:
            yield f"{number}: {body[:20]!r}", number, partial(_as, body), None
        for status in STATUSES:
            yield f"{number}: status {status}", number, None, status


class World(Protocol):
    """An engine of its own, without anything in it."""

    def engine(self, *wrong: Any) -> tuple[Any, Wrong]: ...

    def ours(self) -> set[str]:
        """The blocks in it."""


def check(root: Path, new: Callable[[], World], number: int) -> None:
    """So many of all the cases, others each time. One seed gives the same."""
    engine, client = new().engine()
    assert run(RackNode(root / "good", Cluster(), "n1"), engine) is None
    seed, failed = random.randrange(1 << 32), 0
    for count, (what, *wrong) in enumerate(random.Random(seed).sample(list(every(client.good)), number)):
        node, world, where = RackNode(root / str(count), Cluster(), "n1"), new(), f"seed {seed}, {what}"
        error = run(node, world.engine(*wrong)[0])
        if error is not None:
            failed += 1
            assert error.code == 11, f"{where}: {error.code} {error}"
            is_told = (
                "is not as cni-sriov writes it" in error.msg or "this installation is node " in error.msg
            )
            assert is_told or str(AT) in told(error), f"{where}: {error}"
        known = {
            block for name in ("blocks", "claiming", "releasing", "lost") for block in node.directory(name)
        }
        assert world.ours() <= known, f"{where}: a block is nobody's"
        assert set(node.blocks) <= world.ours(), f"{where}: believes more than it has"
        node.contact(world.engine()[0])
        assert set(node.blocks) == world.ours(), f"{where}: is not settled"
        assert node.directory("claiming") == node.directory("releasing") == node.directory("lost") == [], (
            where
        )
    assert failed > number / 5


def run(node: RackNode, engine: Any) -> CniError | None:
    """Claim one, be in contact, give back what is empty: what a node does in its life. Any other error than ours is raised."""
    try:
        node.refill(POOL, engine=engine)
        node.contact(engine)
        node.release(engine)
        node.contact(engine)
    except CniError as error:
        return error
    return None


def told(error: CniError) -> str:
    """As a terminal and the runtime get it."""
    text = f"{error.msg}\n{error.details}"
    assert json.dumps(text).isascii()
    assert text.encode()
    assert text.replace("\n", "").isprintable(), text
    return text
