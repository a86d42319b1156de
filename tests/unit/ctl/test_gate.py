"""All that sriovctl says leaves by one gate: no other place writes, and each verb's words, documents and errors are held
to its rules.
"""

from __future__ import annotations

import ast
import functools
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from cni_sriov.ctl import gate, profile, split
from cni_sriov.ctl.main import COMMANDS, main
from cni_sriov.ctl.tool import Tool
from tests.unit.ctl.told import MS, SAID
from tests.unit.ctl.tool import Nowhere, files, host
from tests.unit.ctl.tool import Screen as Terminal
from tests.world import World

CTL = Path(gate.__file__).parent
# whoever may write into what a Tool has, and whoever may draw for himself on a terminal
WRITERS = {"gate.py", "tool.py", "publish.py", "recording/replay.py"}
DRAWERS = {"screen.py", "show_apply.py", "status/watch.py"}
ESCAPE = "\x1b"
EMPTY = {"-", "VLAN", "IOMMU", "NUMA"}  # of this node

# the verbs -----------------------------------------------------------------------------------------------------------

EACH: dict[str, tuple[str, ...]] = {
    "vfs": ("enp1s0f0", "7"),
    "apply": ("host.json", "--dry-run"),
    "oracle": ("enp1s0f0",),
    "bind": ("0000:01:10.2", "kernel", "--dry-run"),
    "unbind": ("0000:01:10.2", "--dry-run"),
    "restore": ("0000:01:10.2", "--dry-run"),
    "status": ("-o", "wide"),
    "metrics": (),
    "doctor": (),
    "record": ("node.json.gz",),
    "leases": (),
    "pool": (),
    "explain": ("c-with-a-long-name/net1",),
    "baseline": (),
    "gc": ("--dry-run",),
    "release": ("c-with-a-long-name", "--dry-run"),
    "forget": ("web", "--dry-run"),
    "import": ("host-local", "net.conf", "--store", "networks", "--dry-run"),
    "validate": ("net.conf",),
    "profile": ("net.conf",),
    "help": ("status",),
    "version": (),
}
TEXTS = EACH.keys() - {"metrics", "help"}  # which are laid out by Prometheus and argparse


@pytest.fixture
def node(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """One container with two leases, and a VF whose name orders a terminal something."""
    monkeypatch.chdir(world.root)
    pools = [{"subnet": "10.10.0.0/16", "prefixLength": 24}, {"subnet": "fd00:10::/48", "prefixLength": 64}]
    conf = world.conf(ipam=world.ipam(pools=pools))
    assert world.call("ADD", conf, container="c-with-a-long-name").code == 0
    link = world.kernel.pfs[0].vfs[1].link
    assert link is not None
    link.name = f"v{ESCAPE}[2J1"
    (world.root / "networks" / "fast").mkdir(parents=True)
    (world.root / "net.conf").write_text(json.dumps(conf | {"vlna": 5}))
    (world.root / "host.json").write_text(json.dumps({"version": 1, "pfs": [{"pf": {"names": ["gone"]}}]}))
    call = split.split(SAID, 1000 * MS, 1040 * MS)
    outcome = profile.Profile("fast", "/sriov", {"ADD": [call], "DEL": [call]})
    monkeypatch.setattr(profile, "run", lambda *_: outcome)
    return world


def tool(world: World, out: io.StringIO, err: io.StringIO) -> Tool:
    return Tool(
        out,
        err,
        0,
        lambda named: host(world, named),
        str(world.root / "data"),
        lambda _: False,
        files(world),
        clusters=Nowhere(),
    )


def said(world: World, verb: str, out: io.StringIO, err: io.StringIO, *more: str) -> tuple[str, str]:
    main([verb, *EACH[verb], *more], tool(world, out, err))
    return out.getvalue(), err.getvalue()


def test_each_verb_is_here() -> None:
    assert EACH.keys() == {command.name for command in COMMANDS}


@pytest.mark.parametrize("verb", sorted(TEXTS))
def test_a_pipe_gets_no_padding_and_no_escape(node: World, verb: str) -> None:
    out, err = said(node, verb, io.StringIO(), io.StringIO())

    assert out + err
    for line in (out + err).splitlines():
        assert line == line.rstrip()
        assert "   " not in line.strip(), line
        assert line.isprintable(), line


@pytest.mark.parametrize("verb", EACH)
def test_a_terminal_that_wants_no_escape_gets_none(
    node: World, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            text = said(node, verb, Terminal(), Terminal()) + said(node, verb, Terminal(), Terminal(), "--no")
            assert "".join(text).replace("\n", "").isprintable()


@pytest.mark.parametrize("verb", sorted(TEXTS))
def test_on_a_terminal_nothing_is_cut(node: World, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    """What a wide one shows a narrow one shows too; only commands are longer than that is wide."""
    monkeypatch.setenv("NO_COLOR", "1")
    shown = {}
    for width in (40, 60, 400):
        monkeypatch.setenv("COLUMNS", str(width))
        shown[width], _ = said(node, verb, Terminal(), Terminal())
        with suppress(FileNotFoundError):
            os.unlink("node.json.gz")
        lines = [line for line in shown[width].splitlines() if not line.startswith("    ")]
        assert max(map(cell_len, lines), default=0) <= width

    whole = _words(shown[400])
    for width in (40, 60):
        letters = "".join(shown[width].split())
        lost = [word for word in whole if word not in letters and not _in_order(word, letters)]
        assert lost == []


def _words(text: str) -> set[str]:
    """A paragraph leaves out what is empty, and a narrow terminal the bars of `profile`."""
    return {word for word in text.split() if word not in EMPTY and "\N{FULL BLOCK}" not in word}


def _in_order(text: str, shown: str) -> bool:
    """Folded beside another folded cell its parts stand apart: each character in its order."""
    rest = iter(shown)
    return all(character in rest for character in text)


@pytest.mark.parametrize("verb", EACH)
def test_nothing_is_lost_unnoticed(node: World, verb: str) -> None:
    """A full disk is no failure of the verb's own, which it might tell, or pass over."""
    err = io.StringIO()
    made = tool(node, io.StringIO(), err)
    forms = [form for form in ((), ("--json",)) if said(node, verb, io.StringIO(), io.StringIO(), *form)[0]]
    assert forms
    for form in forms:
        Path("node.json.gz").unlink(missing_ok=True)
        with open("/dev/full", "wb", buffering=0) as full, open(os.devnull, "wb") as nowhere:
            out = gate.text(gate.Out(full.fileno(), "w", closefd=False), False)
            with pytest.raises(gate.Unheard, match="No space left on device"):
                _to_the_end(replace(made, out=out), verb, *EACH[verb], *form)
            os.dup2(nowhere.fileno(), full.fileno())
            out.flush()
    assert "No space left" not in err.getvalue()


def _to_the_end(made: Tool, *argv: str) -> None:
    main(argv, made)
    made.out.flush()


# the source ----------------------------------------------------------------------------------------------------------


@functools.cache
def trees() -> dict[str, ast.Module]:
    return {path.relative_to(CTL).as_posix(): ast.parse(path.read_text()) for path in CTL.rglob("*.py")}


def others(let: set[str]) -> Iterator[tuple[str, ast.AST]]:
    for name, tree in trees().items():
        for found in ast.walk(tree) if name not in let else ():
            yield name, found


def test_nobody_else_writes() -> None:
    """`tool.out.write`, `print`, `os.write(1, ...)`, `sys.stdout`."""
    found = []
    for name, one in others(WRITERS):
        if isinstance(one, ast.Call) and (
            (called := ast.unparse(one.func)) == "print"
            or (
                re.search(r"(out|err|buffer|console)\.(write|writelines|print)$", called)
                and name not in DRAWERS
            )
            or (called == "os.write" and ast.unparse(one.args[0]) in {"1", "2"})
        ):
            found.append(f"{name}:{one.lineno} {called}")
        if (
            isinstance(one, ast.Attribute)
            and one.attr in {"stdout", "stderr"}
            and ast.unparse(one.value) == "sys"
        ):
            found.append(f"{name}:{one.lineno} sys.{one.attr}")

    assert found == []


def test_nobody_else_draws() -> None:
    """A table of rich cuts what does not fit, and a Console obeys what it is given. Text and its styles are free."""
    found = [
        f"{name} {one.module}"
        for name, one in others(DRAWERS)
        if isinstance(one, ast.ImportFrom)
        and (one.module or "").startswith("rich")
        and one.module != "rich.text"
    ]

    assert found == []


# the executable ------------------------------------------------------------------------------------------------------

ENTRY = "from cni_sriov.ctl import main\n{}\nmain.entry()"
SLOW = """import time
def slow(*_):
    here = lambda: (print('here', flush=True), time.sleep(30))
    {}
main.main = slow"""


def run(act: str, redirection: str = "") -> subprocess.CompletedProcess[str]:
    line = f'"$0" -c "$1" {redirection}'
    return subprocess.run(
        ["bash", "-c", line, sys.executable, ENTRY.format(act)], capture_output=True, text=True, check=False
    )


SAYS = "main.main = lambda _, tool: tool.out.write('words\\n') * 0"


@pytest.mark.parametrize(
    ("redirection", "why"), [(">/dev/full", "No space left on device"), (">&-", "it is closed")]
)
def test_where_nobody_can_take_it_a_sentence_says_so(redirection: str, why: str) -> None:
    done = run(SAYS, redirection)

    assert (done.returncode, done.stderr) == (1, f"sriovctl: write to standard output: {why}\n")


def test_who_says_nothing_needs_nobody() -> None:
    done = run("main.main = lambda *_: 0", ">&-")

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("redirection", "told"), [("<&-", "the text is empty"), ("<<< $'\\xff'", "standard input")]
)
def test_standard_input_may_be_closed_and_its_bytes_no_text(redirection: str, told: str) -> None:
    """Whatever the locale says of bytes: en_US.UTF-8 would have them end it."""
    line = f"{sys.executable} -c 'from cni_sriov.ctl import main; main.entry()' validate - {redirection}"
    env = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}

    done = subprocess.run(["bash", "-c", line], env=env, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (1, "")
    assert (told in done.stdout, "1 error" in done.stdout) == (True, True)


def test_a_pipe_that_is_no_longer_read_ends_it_quietly() -> None:
    done = run(SAYS, "| exec true; exit ${PIPESTATUS[0]}")
    late = run(
        f"import time; {SAYS.replace('lambda _, tool:', 'lambda _, tool: time.sleep(0.3) or')}",
        "> >(exec true)",
    )

    assert (late.returncode, late.stderr) == (141, "")
    assert done.returncode in {0, 141}
    assert done.stderr == ""


def test_what_standard_error_does_not_take_ends_no_work() -> None:
    act = "main.main = lambda _, tool: [tool.err.write('step\\n' * 9999), tool.out.write('done\\n'), 0][2]"

    for redirection in ("2>/dev/full", "2>&-"):
        done = run(act, redirection)
        assert (done.returncode, done.stdout) == (0, "done\n")


@pytest.mark.parametrize("locale", ["C", "POSIX"])
def test_bytes_that_are_no_text_are_shown_as_an_escape(monkeypatch: pytest.MonkeyPatch, locale: str) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    monkeypatch.setenv("PYTHONUTF8", "0")

    done = run("main.main = lambda _, tool: tool.out.write('\\udcff\\n') * 0")

    assert (done.returncode, done.stdout, done.stderr) == (0, "\\udcff\n", "")


def interrupted(act: str, times: int = 1) -> tuple[int, str]:
    """Status and standard error of one that gets SIGINT when it says so."""
    code = ENTRY.format(SLOW.format(act))
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        for _ in range(times):
            assert child.stdout.readline() == "here\n"
            child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=10)
    return child.returncode, err


@pytest.mark.parametrize(
    ("act", "times"),
    [
        ("here()", 1),
        ("try:\n        here()\n    finally:\n        here()", 2),
        ("class Thing:\n        __del__ = lambda _: here()\n    Thing()", 1),
    ],
    ids=["at work", "once more while it cleans up", "while an object is taken down"],
)
def test_ctrl_c_is_130_without_a_trace(act: str, times: int) -> None:
    assert interrupted(act, times) == (130, "")


def test_ctrl_c_that_the_caller_ignores_is_ignored() -> None:
    code = ENTRY.format("import os\nmain.main = lambda *_: os.kill(os.getpid(), 2) or 5")
    child = subprocess.run(
        [sys.executable, "-c", f"import signal; signal.signal(2, signal.SIG_IGN)\n{code}"],
        capture_output=True,
        check=False,
    )

    assert (child.returncode, child.stderr) == (5, b"")
