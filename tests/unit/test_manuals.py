"""sriovctl(8) and the completions (build/manuals): all that the parser takes is in them, and bash proposes it.

The other pages: test_manual_pages.py. Whether pages are clean, and what zsh and fish propose:
tests/integration/test_manuals.py, which has those tools.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cni_sriov.ctl.examples import EXAMPLES
from cni_sriov.ctl.main import COMMANDS
from tests.pages import ROOT

sys.path.insert(0, str(ROOT / "build" / "manuals"))
import make

NAMES = [command.name for command in COMMANDS]


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("share")
    make.make(made)
    return made


class Given(NamedTuple):
    """One call of add_argument."""

    names: list[str]
    metavar: str
    choices: list[str]
    about: str


class Recorder:
    """In place of a parser: what a verb's own part adds to it."""

    def __init__(self) -> None:
        self.given: list[Given] = []

    def add_argument(self, *names: str, **keys: Any) -> None:
        options = [name for name in names if name.startswith("-")]
        metavar = str(keys.get("metavar") or (names[0] if not options else ""))
        if keys["help"] != argparse.SUPPRESS:
            self.given.append(Given(options, metavar, [*map(str, keys.get("choices", ()))], keys["help"]))

    def add_mutually_exclusive_group(self, **_: Any) -> Recorder:
        return self

    def add_argument_group(self, *_: Any, **__: Any) -> Recorder:
        return self


def shown(verb: str) -> list[Given]:
    recorder: Any = Recorder()
    next(command for command in COMMANDS if command.name == verb).arguments(recorder)
    found: list[Given] = recorder.given
    return found


def page_of(share: Path, name: str = "man8/sriovctl.8") -> str:
    """As it reads, without roff's marks."""
    text = (share / "man" / name).read_text()
    text = re.sub(r"\\f[BRI]|\\&", "", text).replace("\\-", "-").replace("\\(aq", "'").replace("\\(ha", "^")
    return re.sub(r"\n(?!\.)", " ", text)


@pytest.mark.parametrize("verb", NAMES)
def test_every_verb_argument_and_option_is_in_the_page(share: Path, verb: str) -> None:
    section = re.split(r"\n\.S[SH] ", page_of(share).split(f"\n.SS {verb} ")[1])[0]

    for given in shown(verb):
        assert "|".join(given.choices) in section
        for name in given.names or given.choices or [given.metavar]:
            assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", section), name
        told = given.about.partition("%(")[0].replace("`", "")
        assert " ".join(told.split()) in section


def test_the_page_has_its_sections_and_the_statuses(share: Path) -> None:
    page = page_of(share)

    heads = [
        line for line in (share / "man/man8/sriovctl.8").read_text().splitlines() if line.startswith(".SH ")
    ]
    assert [line.removeprefix(".SH ") for line in heads] == [
        "NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "EXIT STATUS", "FILES", "ENVIRONMENT", "EXAMPLES",
        "SEE ALSO",
    ]  # fmt: skip
    for status in ("0", "1", "2", "77", "130", "141"):
        assert f".TP {status} " in page


def test_what_is_hidden_is_in_none_of_them(share: Path) -> None:
    """`explain` takes what `profile` takes, for those who have typed it for years."""
    assert ".SS explain" in page_of(share)
    section = page_of(share).split(".SS explain")[1].split(".SS ")[0]
    assert "--plugin" not in section
    assert "--plugin" not in propose(share, "sriovctl explain --")


def test_no_word_of_a_sentence_is_roffs() -> None:
    assert make.tool_page.roff("'a' is `b-c`. .TH is\\n no ~^ request") == [
        r"\(aqa\(aq is \fBb\-c\fR. .TH is\en no \(ti\(ha request"
    ]
    assert make.tool_page.roff(".conf") == [r"\&.conf"]


def test_every_example_is_in_the_page(share: Path) -> None:
    page = page_of(share)

    assert [command for name in NAMES for command, _ in EXAMPLES.get(name, ()) if command not in page] == []


def test_twice_made_is_the_same_to_the_byte_whatever_the_terminal(
    share: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"COLUMNS": "40", "LC_ALL": "C", "TZ": "Asia/Kathmandu", "PATH": "/usr/bin:/bin"}
    subprocess.run(
        [sys.executable, ROOT / "build/manuals/make.py", tmp_path], env=environment, cwd="/", check=True
    )

    assert {name: (tmp_path / name).read_bytes() for name in make.MADE} == {
        name: (share / name).read_bytes() for name in make.MADE
    }


# bash ----------------------------------------------------------------------------------------------------------------

DRIVE = """
source "$1"
complete -p sriovctl >&2 || exit 9
COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
COMP_WORDS=($2) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_sriovctl sriovctl
printf '%s\\n' "${COMPREPLY[@]}"
"""


def propose(share: Path, line: str, root: str = "") -> list[str]:
    """What bash proposes for that line, as readline would put it in place of what is behind the last colon."""
    script = (share / "bash-completion/completions/sriovctl").read_text()
    for top in ("/sys/bus", "/run/cni-sriov"):
        script = script.replace(top, root + top)
    moved = share / "moved"
    moved.write_text(script)
    done = subprocess.run(
        ["bash", "--norc", "-c", DRIVE, "bash", moved, line], capture_output=True, text=True, cwd=share
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "complete -F _sriovctl sriovctl\n"
    return sorted(done.stdout.split())


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PF with a name, one without, and a VF; a container with two interfaces."""
    return str(a_node(tmp_path_factory.mktemp("node")))


def a_node(root: Path) -> Path:
    devices = root / "sys/bus/pci/devices"
    for address in ("0000:01:00.0", "0000:02:00.0"):
        (devices / address).mkdir(parents=True)
        (devices / address / "sriov_totalvfs").touch()
    (devices / "0000:01:00.0/net/enp1s0f0").mkdir(parents=True)
    (devices / "0000:01:10.0").mkdir()
    (devices / "0000:01:10.0/physfn").symlink_to("../0000:01:00.0")
    (devices / "0000:00:00.0").mkdir()
    locks = root / "run/cni-sriov/locks"
    locks.mkdir(parents=True)
    for name in ("3f7a00@net1", "3f7a00@net2", "subnets"):
        (locks / name).touch()
    return root


PFS = ["0000:01:00.0", "0000:02:00.0", "enp1s0f0"]


@pytest.mark.parametrize(
    ("line", "proposed"),
    [
        ("sriovctl ", sorted(NAMES)),
        ("sriovctl --json ", sorted(NAMES)),
        ("sriovctl --state-dir /x stat", ["status"]),
        ("sriovctl zzz", []),
        ("sriovctl help stat", ["status"]),
        ("sriovctl -", ["--help", "--json", "--replay", "--state-dir", "--version", "-V", "-h"]),
        ("sriovctl --j", ["--json"]),
        ("sriovctl status --j", ["--json"]),
        ("sriovctl gc --d", ["--dry-run"]),
        ("sriovctl gc --fo", ["--forget"]),
        ("sriovctl vfs ", PFS),
        ("sriovctl vfs enp", ["enp1s0f0"]),
        ("sriovctl vfs --json enp", ["enp1s0f0"]),
        ("sriovctl vfs enp1s0f0 ", []),
        ("sriovctl vfs 0000:0", ["01:00.0", "02:00.0"]),
        ("sriovctl vfs 0000:01:", ["00.0"]),
        ("sriovctl baseline ", sorted([*PFS, "0000:01:10.0"])),
        ("sriovctl baseline --take ", ["0000:01:10.0"]),
        ("sriovctl explain ", ["0000:01:10.0", "3f7a00", "3f7a00"]),
        ("sriovctl import ", ["host-local"]),
        ("sriovctl import host-local man/", ["man/man5", "man/man8"]),
        ("sriovctl profile --runs ", []),
        ("sriovctl profile --runs 3 man/man8/sriovc", ["man/man8/sriovctl.8"]),
        ("sriovctl --state-dir m", ["man"]),
    ],
)
def test_bash_proposes(share: Path, node: str, line: str, proposed: list[str]) -> None:
    assert sorted(set(propose(share, line, node))) == sorted(set(proposed))


def test_a_name_that_a_pod_chose_is_proposed_by_nobody_and_run_by_no_shell(
    share: Path, tmp_path: Path
) -> None:
    """Multus passes on what a pod's annotation calls its interface; root presses the tabulator."""
    root = a_node(tmp_path)
    for name in ("3f7a01@$(>ran)@a", "3f7a02@`>ran`@a"):
        (root / "run/cni-sriov/locks" / name).touch()
    (root / "sys/bus/pci/devices/0000:01:00.0/net/$(>ran)").mkdir()

    assert set(propose(share, "sriovctl explain 3", str(root))) == {"3f7a00", "3f7a01", "3f7a02"}
    assert "$(>ran)" in propose(share, "sriovctl vfs ", str(root))
    assert not (share / "ran").exists()


def test_on_a_node_without_a_card_nothing_is_proposed(share: Path, tmp_path: Path) -> None:
    assert propose(share, "sriovctl vfs ", str(tmp_path)) == []


@pytest.mark.parametrize("verb", NAMES)
def test_bash_knows_each_option(share: Path, verb: str) -> None:
    names = {name for given in shown(verb) for name in given.names if name.startswith("--")}

    assert names | {"--json", "--help"} <= set(propose(share, f"sriovctl {verb} --"))
