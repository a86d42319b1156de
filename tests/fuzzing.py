"""What the fuzz tests share: calls through the front door with any bytes, judged by the contract alone, in a world that
cannot write outside its directory.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from cni_sriov.doors import cni
from cni_sriov.words.errors import CODES
from cni_sriov.words.versions import VERSIONS
from tests.world import World

LONG = int(os.environ.get("CNI_SRIOV_FUZZ", "0"))
SILENT = {"DEL", "CHECK", "GC", "STATUS"}
FORWARDED = "ipam "  # a delegate's error keeps its code of the spec


def budget(examples: int, steps: int = 50) -> settings:
    """Always the same examples, or as many new ones as CNI_SRIOV_FUZZ says; a failure prints how to replay it."""
    return settings(
        max_examples=LONG or examples,
        derandomize=not LONG,
        database=None,
        deadline=None,
        print_blob=True,
        stateful_step_count=steps,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )


# the guard -----------------------------------------------------------------------------------------------------------

_allowed: list[str] = []
_ADDED = False
_CHANGES = {
    "os.mkdir",
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.symlink",
    "os.link",
    "os.chmod",
    "os.truncate",
}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def _audit(event: str, args: tuple[Any, ...]) -> None:
    """While `only_inside` holds, everything else is a read-only file system."""
    if not _allowed or (event not in _CHANGES and event != "open"):
        return
    if event == "open" and not (isinstance(args[2], int) and args[2] & _WRITES):
        return
    for path in (
        args[:2] if event in {"os.rename", "os.link"} else args[1:2] if event == "os.symlink" else args[:1]
    ):
        name = os.fsdecode(path) if isinstance(path, str | bytes) else ""
        if name.startswith("/") and not name.startswith(_allowed[-1]):  # relative: below a descriptor
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)


@contextlib.contextmanager
def only_inside(root: str) -> Iterator[None]:
    global _ADDED  # noqa: PLW0603 # a hook cannot be taken away again
    if not _ADDED:
        sys.addaudithook(_audit)
        _ADDED = True
    _allowed.append(root)
    try:
        yield
    finally:
        _allowed.pop()


# a call --------------------------------------------------------------------------------------------------------------


class Answer:
    def __init__(self, exit_code: int, stdout: str, stderr: str) -> None:
        self.exit_code = exit_code
        self.stdout = stdout
        self.stderr = stderr
        self.document: Any = json.loads(stdout) if stdout else None

    @property
    def code(self) -> int:
        return int(self.document["code"]) if self.exit_code else 0


def call(world: World, env: dict[str, str], stdin: bytes, door: str = "sriov") -> Answer:
    """One call as a runtime makes it, and the contract's promises that hold for every call."""
    out: dict[int, str] = {1: "", 2: ""}

    def write(fd: int, text: str) -> None:
        text.encode("utf-8", "backslashreplace")
        out[fd] += text

    with only_inside(str(world.root)):
        exit_code = cni.main(
            env,
            lambda: stdin.decode("utf-8", "surrogateescape"),
            write,
            world._host,  # noqa: SLF001
            door,
        )
    answer = Answer(exit_code, out[1], out[2])
    judge(env.get("CNI_COMMAND", ""), answer)
    return answer


def judge(verb: str, answer: Answer) -> None:
    assert answer.exit_code in {0, 1}
    assert "Traceback" not in answer.stdout + answer.stderr
    assert answer.stdout.count("\n") == (1 if answer.stdout else 0)
    if not answer.exit_code:
        assert (answer.document is None) == (verb in SILENT), f"{verb} said {answer.stdout!r}"
        return
    error = answer.document
    assert isinstance(error, dict), answer.stdout
    assert type(error["code"]) is int
    assert error["code"] in CODES or (error["msg"].startswith(FORWARDED) and 0 < error["code"] < 100), (
        answer.stdout
    )
    assert error["code"] != 999, answer.stdout
    assert error["cniVersion"] in VERSIONS
    assert isinstance(error["msg"], str)
    assert error["msg"]
    assert isinstance(error.get("details", ""), str)
    assert len(answer.stdout) < 20_000, "an answer is for people"


# JSON ----------------------------------------------------------------------------------------------------------------

ODD_TEXTS = st.sampled_from(
    ["", " ", ".", "..", "/", "a/b", "-1", "0", "1e999", "\0", "\n", "\ud800", "ä", "%d", "on", "net1", "x" * 300,
     "10.10.0.5", "10.10.0.0/24", "fd00:10::/64", "::", "0.0.0.0/0", "02:00:00:00:00:07", "0000:01:10.2", "enp1s0f0"]
)  # fmt: skip
ODD_NUMBERS = st.sampled_from(
    [0, 1, -1, 24, 64, 127, 1500, 4094, 65536, 2**31, 2**32, 2**64, 10**400, 0.5, 1e308, -0.0]
)
SCALARS = st.one_of(st.none(), st.booleans(), ODD_NUMBERS, ODD_TEXTS, st.text(max_size=8))
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(ODD_TEXTS, st.text(max_size=5)), inner, max_size=3),
    ),
    max_leaves=6,
)


def paths_of(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    found = [at] if at else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += paths_of(inner, (*at, key))
    return found


def put(document: Any, at: tuple[Any, ...], value: Any, *, drop: bool = False) -> None:
    for key in at[:-1]:
        document = document[key]
    if drop:
        del document[at[-1]]
    else:
        document[at[-1]] = value


def mutated(draw: st.DrawFn, document: Any, times: int) -> Any:
    """A copy in which that many places are replaced or gone."""
    document = json.loads(json.dumps(document))
    for _ in range(times):
        places = paths_of(document)
        if not places:
            break
        put(document, draw(st.sampled_from(places)), draw(JSON), drop=draw(st.integers(0, 4)) == 0)
    return document


@st.composite
def damaged_bytes(draw: st.DrawFn, text: bytes) -> bytes:
    """Flipped, cut, doubled or filled with anything."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(len(text) - 1, 0)))
        how = draw(st.integers(0, 4))
        if how == 0 and text:
            text = text[:at] + bytes([text[at] ^ 1 << draw(st.integers(0, 7))]) + text[at + 1 :]
        elif how == 1:
            text = text[:at]
        elif how == 2:
            text = text[:at] + draw(st.binary(max_size=6)) + text[at:]
        elif how == 3:
            text = text[:at] + text[at + draw(st.integers(1, 40)) :]
        else:
            text = text[:at] + text[: draw(st.integers(1, 40))] + text[at:]
    return text
