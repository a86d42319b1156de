"""Arguments, exit status, errors, and what is imported when."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.unit.ctl.tool import sriovctl
from tests.world import World


@pytest.mark.parametrize("argv", [("--json", "leases"), ("leases", "--json")])
def test_options_go_before_or_behind_the_verb(world: World, argv: tuple[str, ...]) -> None:
    run = sriovctl(world, *argv)

    assert (run.status, run.document) == (0, {"version": 1, "leases": []})


@pytest.mark.parametrize(
    "argv", [(), ("vfs",), ("vfs", "enp1s0f0"), ("fly",), ("vfs", "enp1s0f0", "-1"), ("vfs", "x", "y")]
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
        ("status",),
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
        ("import", "host-local", "x.conflist"),
        ("explain", "x"),
        ("profile", "x.conf"),
    ],
)
def test_without_root_is_status_77(world: World, verb: tuple[str, ...]) -> None:
    run = sriovctl(world, *verb, euid=1000)

    assert (run.status, run.out) == (77, "")
    assert "needs root, and runs as uid 1000" in run.err
    assert "sudo" in run.err


def test_an_error_of_status_o_json_is_a_document(world: World) -> None:
    run = sriovctl(world, "status", "-o", "json", euid=1000)

    assert (run.status, run.err) == (77, "")
    assert "needs root" in run.document["error"]["msg"]


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
