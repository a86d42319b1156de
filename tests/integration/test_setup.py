"""build/setup on machines that lack something: a sentence for each lack, before anything is done; and without a network.

Each is a copy of the script beside a project of one small package, with a cache of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.pages import ROOT

pytestmark = pytest.mark.root
PROJECT = '[project]\ndependencies = ["{needed}"]\n[project.optional-dependencies]\ndev = []\n'
NEEDED, SMALLEST = "needed", "iniconfig"
PYTHON = "/usr/bin/python3"
TAG = "import platform, sys; print(sys.implementation.cache_tag, platform.machine())"
UNREACHABLE = "http://127.0.0.1:9/simple"  # discard: nobody listens in a new network namespace


def wheel(directory: Path, name: str) -> None:
    """A package of one empty module, as PEP 427 has it."""
    directory.mkdir(parents=True, exist_ok=True)
    about = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(directory / f"{name}-1.0-py3-none-any.whl", "w") as file:
        file.writestr(f"{name}.py", "")
        file.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        file.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: us\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{about}/RECORD", "")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    home = tmp_path / "checkout"
    (home / "build").mkdir(parents=True)
    shutil.copy(ROOT / "build/setup", home / "build")
    (home / "build/constraints.txt").write_text(f"{SMALLEST}==1.0\n{NEEDED}==1.0\n")
    (home / "pyproject.toml").write_text(PROJECT.format(needed=NEEDED))
    return home


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PATH without dpkg, so that nothing is installed on this machine, and without a compiler."""
    directory = tmp_path_factory.mktemp("tools")
    for path in Path("/usr/bin").iterdir():
        if not path.name.startswith(("dpkg", "gcc", "cc")):
            (directory / path.name).symlink_to(path)
    return directory


class Machine:
    """One without a network."""

    def __init__(self, checkout: Path, tools: Path) -> None:
        self.checkout = checkout
        self._tools = tools
        self.cache = checkout / "cache"

    def setup(self, before: str = ":", verb: str = "", **variables: str) -> tuple[int, str]:
        """Its status and what it said; `before` is done to the machine. An empty variable is not there."""
        env = {"PATH": str(self._tools), "CNI_SRIOV_CACHE": str(self.cache), "PIP_CONFIG_FILE": os.devnull}
        env |= {"PIP_INDEX_URL": UNREACHABLE, "PIP_RETRIES": "1"} | variables
        script = f"{before}; exec {self.checkout}/build/setup {verb}"
        command = ["unshare", "--mount", "--net", "sh", "-ec", script]
        env = {name: value for name, value in env.items() if value}
        done = subprocess.run(command, env=env, capture_output=True, text=True)
        assert done.stdout == ""
        return done.returncode, done.stderr

    def with_python(self, script: str) -> str:
        """In the interpreter's place, whose copy is $0.real."""
        fake = self.checkout / "python"
        shutil.copy(PYTHON, f"{fake}.real")
        fake.write_text(f"#!/bin/sh\n{script}\n")
        fake.chmod(0o755)
        return f"mount --bind {fake} $(realpath {PYTHON})"


@pytest.fixture
def machine(checkout: Path, tools: Path) -> Machine:
    return Machine(checkout, tools)


def lacking(said: str) -> list[str]:
    """The sentences; a lack is one line."""
    lines = said.splitlines()
    assert [line for line in lines if not line.startswith("  ")] == []
    return [line.removeprefix("  missing    ") for line in lines if line.startswith("  missing    ")]


def test_without_a_home_it_asks_where_the_cache_is_to_be(machine: Machine) -> None:
    status, said = machine.setup(CNI_SRIOV_CACHE="")

    assert status == 1
    (told,) = lacking(said)
    assert told.startswith("HOME is not set")
    assert "CNI_SRIOV_CACHE=DIRECTORY" in told


def test_a_cache_that_cannot_be_written_is_told(machine: Machine) -> None:
    """To root, by a file system that can only be read."""
    machine.cache.mkdir()
    read_only = f"mount --bind {machine.cache} {machine.cache}; mount -o remount,bind,ro {machine.cache}"

    status, said = machine.setup(read_only)

    assert status == 1
    (told,) = lacking(said)
    assert told.startswith(f"{machine.cache} cannot be written by uid 0")


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ('case "$1" in --version) echo Python 3.9.2;; *) exit 1;; esac', "is Python 3.9.2, and 3.11 is"),
        ('case "$2" in *ensurepip*) exit 1;; esac', "apt-get install python3-venv"),
    ],
)
def test_an_interpreter_that_will_not_do_is_told_with_the_compiler(
    machine: Machine, script: str, told: str
) -> None:
    status, said = machine.setup(machine.with_python(script))

    assert status == 1
    first, second = lacking(said)
    assert told in first
    assert second.startswith("there is no compiler")
    assert not (machine.cache / "venv").exists()


def test_an_index_that_does_not_answer_is_told_and_what_was_there_stays(machine: Machine) -> None:
    """Its environment here has nothing but a pip that downloads, this one's: to make a whole one takes seconds."""
    before = machine.cache / "venv/bin/python"
    before.parent.mkdir(parents=True)
    before.write_text("the one before")
    pip = f'[ "$1" = download ] && exec {sys.executable} -m pip "$@"; exit 1'
    (machine.checkout / "pip").write_text(f"#!/bin/sh\n{pip}\n")
    (machine.checkout / "pip").chmod(0o755)
    made = f"mkdir -p $3/bin && cp {machine.checkout}/pip $3/bin"

    status, said = machine.setup(
        machine.with_python(
            f'[ "$2" != venv ] || {{ {made}; exit; }}; exec {machine.checkout}/python.real "$@"'
        )
    )

    assert status == 1
    told = lacking(said)[-1]
    assert told.startswith("pip gets nothing from its index ([Errno 101] Network is unreachable): ")
    assert ("OFFLINE=1" in told, before.read_text()) == (True, "the one before")


@pytest.mark.parametrize("kept", ["thesis.tex", "of/the/thesis.tex"])
def test_a_directory_with_other_things_in_it_is_not_emptied(machine: Machine, kept: str) -> None:
    """VENDOR=/mnt/stick, whose contents would go; told before anything is fetched."""
    path = machine.checkout / "stick" / kept
    path.parent.mkdir(parents=True)
    path.write_text("years")

    status, said = machine.setup(verb="vendor", VENDOR=str(machine.checkout / "stick"))

    assert (status, path.read_text()) == (1, "years")
    (told,) = [line for line in lacking(said) if "VENDOR" in line]
    assert f"{machine.checkout}/stick" in told


def test_vendor_fetches_so_it_is_not_offline(machine: Machine) -> None:
    status, said = machine.setup(verb="vendor", OFFLINE="1")

    assert (status, [line for line in lacking(said) if line.startswith("make vendor fetches")] != []) == (
        1,
        True,
    )


def test_who_says_no_to_offline_is_not(machine: Machine) -> None:
    for word in ("0", "no"):
        assert "OFFLINE takes all from" not in machine.setup(OFFLINE=word)[1]


def test_offline_all_is_taken_from_build_vendor(machine: Machine) -> None:
    """Missing, of another Python, and good; the piece of Python's source goes where build/snapshot/source.py looks."""
    vendor = machine.checkout / "build/vendor"

    status, said = machine.setup(OFFLINE="1")
    assert (status, "OFFLINE takes all from" in lacking(said)[-1]) == (1, True)

    wheel(vendor / "wheels", NEEDED)
    (vendor / "json/python3.11.2").mkdir(parents=True)
    (vendor / "json/python3.11.2/_json.c").write_text("C")
    (vendor / "of").write_text("cpython-39 x86_64\n")
    status, said = machine.setup(OFFLINE="1")
    assert (status, "is for cpython-39 x86_64, and this is " in lacking(said)[-1]) == (1, True)

    tag = subprocess.run([PYTHON, "-c", TAG], capture_output=True, text=True, check=True).stdout
    (vendor / "of").write_text(tag)
    status, said = machine.setup(OFFLINE="1")

    assert status == 0, said
    subprocess.run([machine.cache / "venv/bin/python", "-c", f"import {NEEDED}"], check=True)
    assert (machine.cache / "lab/json/python3.11.2/_json.c").read_text() == "C"
    assert machine.setup(OFFLINE="1")[0] == 0
