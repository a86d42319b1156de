"""Arguments, exit status, errors, and what is imported when."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cni_sriov import __version__
from cni_sriov.ctl.main import COMMANDS
from tests.unit.ctl.tool import sriovctl
from tests.world import World


@pytest.mark.parametrize("argv", [("--json", "leases"), ("leases", "--json")])
def test_options_go_before_or_behind_the_verb(world: World, argv: tuple[str, ...]) -> None:
    run = sriovctl(world, *argv)

    assert (run.status, run.document) == (0, {"version": 1, "leases": []})


@pytest.mark.parametrize(
    "argv",
    [
        *((), ("fly",), ("vfs", "enp1s0f0", "-1"), ("vfs", "x", "y"), ("vfs", "enp1s0f0", "1", "2")),
        *(("vfs", "--dry-run"), ("vfs", "enp1s0f0", "--persist")),
    ],
)
def test_bad_usage_is_status_2_with_the_usage(world: World, argv: tuple[str, ...]) -> None:
    run = sriovctl(world, *argv)

    assert (run.status, run.out) == (2, "")
    assert run.err.startswith("sriovctl: ")
    assert "usage: sriovctl" in run.err


def test_bad_usage_as_json(world: World) -> None:
    run = sriovctl(world, "vfs", "enp1s0f0", "many", "--json")

    assert (run.status, run.err) == (2, "")
    assert (run.document["version"], run.document["error"]["code"]) == (1, 4)
    assert '"many" is no number of VFs' in run.document["error"]["msg"]


@pytest.mark.parametrize(
    "verb",
    [
        ("metrics",),
        ("leases",),
        ("gc",),
        ("vfs", "enp1s0f0", "1"),
        ("apply",),
        ("apply", "--dry-run"),
        ("bind", "enp1s0f0:0", "auto"),
        ("unbind", "enp1s0f0:0"),
        ("restore", "enp1s0f0:0"),
        ("record", "/nowhere/node.json.gz"),
        ("baseline",),
        ("forget", "x"),
        ("release", "x"),
        ("import", "host-local", "x.conflist"),
        ("explain", "x"),
        ("profile", "x.conf"),
        ("gc", "--dry-run", "--state-dir", "/srv/my state"),
    ],
)
def test_without_root_is_status_77(world: World, verb: tuple[str, ...]) -> None:
    run = sriovctl(world, *verb, euid=1000)

    assert (run.status, run.out) == (77, "")
    assert run.err.splitlines() == [
        f"sriovctl: run sriovctl {verb[0]}: needs root, and runs as uid 1000",
        f"  {shlex.join(['sudo', 'sriovctl', *verb])}",
    ]


def test_an_error_of_status_o_json_is_a_document(world: World) -> None:
    run = sriovctl(world, "status", "-o", "json", "--devices", "--svg", "-")

    assert (run.status, run.err) == (2, "")
    assert "--svg draws one picture" in run.document["error"]["msg"]


def test_validate_needs_no_root(world: World) -> None:
    assert sriovctl(world, "validate", "/dev/null", euid=1000).status == 1


def test_an_error_says_what_why_and_what_to_do(world: World) -> None:
    human, machine = sriovctl(world, "vfs", "nope", "1"), sriovctl(world, "--json", "vfs", "nope", "1")

    assert (human.status, human.out) == (1, "")
    assert human.err == (
        "sriovctl: use PF nope: no such interface or PCI device\n"
        "  PFs of this node: enp1s0f0 0000:01:00.0. A PF on vfio-pci or uio has no name: use its PCI address\n"
    )
    assert (machine.status, machine.err, machine.document["error"]["code"]) == (1, "", 101)


@pytest.mark.parametrize("verb", ["", *(command.name for command in COMMANDS)])
def test_help_of_a_verb_is_its_help(world: World, capsys: pytest.CaptureFixture[str], verb: str) -> None:
    asked = sriovctl(world, *["help", verb][: 1 + bool(verb)])
    sriovctl(world, *[verb, "--help"][not verb :])

    assert (asked.status, asked.err) == (0, "")
    assert asked.out == capsys.readouterr().out
    assert asked.out.startswith(f"usage: sriovctl {verb}".rstrip())


def test_help_of_no_verb_is_a_usage_error(world: World) -> None:
    asked = sriovctl(world, "help", "stauts")

    assert (asked.status, asked.out) == (2, "")
    assert asked.err.splitlines()[0] == 'sriovctl: help: there is no verb "stauts"; did you mean "status"?'


def test_version_is_the_same_whichever_way(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    asked = sriovctl(world, "version")
    for way in ("-V", "--version"):
        assert sriovctl(world, way).status == 0
        assert capsys.readouterr().out == asked.out
    assert asked.out.split()[:2] == ["sriovctl", __version__]
    assert sriovctl(world, "version", "--json").document["sriovctl"] == __version__


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from cni_sriov.ctl.main import main\n"
        "from cni_sriov.ctl.tool import Tool\n"
        "main(['--help'], Tool(sys.stderr, sys.stderr, 0, None))\n"
        "print(*sorted({'rich', 'jsonschema', 'pyroute2', 'asyncio', 'subprocess'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == ""


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="dataclasses reads annotations by it since 3.13")
def test_the_executable_reads_no_inspect_before_it_is_asked() -> None:
    """It comes with the parser and the disassembler, a fourteenth of a start, and dataclasses imports it for classes without a
    docstring.
    """
    source = (Path(__file__).parents[3] / "build" / "ctl_entry.py").read_text()
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(*sorted({'ast', 'dis', 'tokenize'} & set(sys.modules)), file=sys.stderr))\n"
        "sys.argv = ['sriovctl', '--version']\n"
    )

    done = subprocess.run([sys.executable, "-c", code + source], capture_output=True, text=True, check=True)

    assert (done.stdout.split()[0], done.stderr) == ("sriovctl", "\n")


ENTRY = "from cni_sriov.ctl.main import entry\nentry()"


@pytest.mark.parametrize(
    ("redirection", "status"),
    [
        (">&- 2>&- <&-", 1),
        ("--json >/dev/full", 1),
        (">/dev/full 2>&1", 1),
    ],
)
def test_without_a_place_for_its_words_there_is_no_traceback(redirection: str, status: int) -> None:
    line = f'"$0" -c "$1" validate /dev/null {redirection}'
    done = subprocess.run(
        ["sh", "-c", line, sys.executable, ENTRY], capture_output=True, text=True, check=False
    )

    assert (done.returncode, "Traceback" in done.stderr, "bug in" in done.stderr) == (status, False, False)
    assert "Exception ignored" not in done.stderr
    if "/dev/full" in redirection and "2>" not in redirection:
        assert "No space left on device" in done.stderr


def test_no_descriptor_that_it_opens_becomes_standard_output() -> None:
    """Else what a child writes, as modprobe, would go into a lock's file."""
    code = "import os\nfrom cni_sriov.ctl import main\nmain.main = lambda *_: os.open('/', 0)\nmain.entry()"
    done = subprocess.run(["sh", "-c", '"$0" -c "$1" >&- 2>&- <&-', sys.executable, code], check=False)

    assert done.returncode == 3


@pytest.mark.parametrize("name", ["\x1b[31m", "a\rb", "\udcff"])
def test_a_name_in_an_error_orders_a_terminal_nothing(world: World, name: str) -> None:
    run = sriovctl(world, "vfs", name, "1")

    assert (run.status, name in run.err, run.err.isascii()) == (1, False, True)


def test_an_empty_name_of_a_recording_is_no_word_for_this_node(world: World) -> None:
    """A script's variable that is not set."""
    run = sriovctl(world, "status", "--replay", "")

    assert (run.status, run.out) == (1, "")
    assert "replay : No such file or directory" in run.err
