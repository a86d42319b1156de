"""The front door: one call in, one document out, whatever happens between."""

import json
import subprocess
import sys

import pytest

from cni_sriov import __version__
from cni_sriov.doors import calls
from cni_sriov.doors import cni as door
from tests.pages import ROOT
from tests.world import World


def call(env: dict[str, str], stdin: str = "{}") -> tuple[int, str, str]:
    said = {1: "", 2: ""}

    def write(fd: int, text: str) -> None:
        said[fd] += text

    return door.main(env, lambda: stdin, write), said[1], said[2]


def test_a_bug_is_one_document_with_code_999_and_no_traceback(
    world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """SPEC 1.1.0, "Error": cniVersion, code, msg, details."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("of ours")

    monkeypatch.setitem(calls.RUN, "ADD", broken)

    reply = world.call("ADD", world.conf(cniVersion="0.4.0"))

    assert reply.exit_code == 1
    assert reply.document.keys() == {"cniVersion", "code", "msg", "details"}
    assert (reply.document["cniVersion"], reply.code) == ("0.4.0", 999)
    assert "bug in cni-sriov" in reply.document["msg"]
    assert "Traceback" not in "".join(capfd.readouterr())


def test_without_a_command_it_says_what_it_is_and_reads_nothing() -> None:
    """A person who tries it out: an error of the specification on standard output, help beside it."""
    code, out, err = call({}, "not read")

    assert (code, json.loads(out)["code"]) == (1, 4)
    assert "CNI_COMMAND" in json.loads(out)["msg"]
    assert "1.1.0" in err


@pytest.mark.parametrize(
    ("name", "word", "gives"),
    [("sriov", "--help", "virtual functions"), ("sriov", "help", ""), ("host-subnet", "-h", "IP subnet")],
)
def test_who_asks_a_door_what_it_is_hears_it_on_standard_output(name: str, word: str, gives: str) -> None:
    """The executables are one file: the name chooses the door."""
    done = called(name, word)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"cni-sriov {__version__}: {name} is a CNI plugin that gives ")
    assert gives in done.stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("name", "word"), [("sriov", "-V"), ("sriov", "version"), ("host-subnet", "--version")]
)
def test_which_one_it_is_is_a_line(name: str, word: str) -> None:
    done = called(name, word)

    assert (done.returncode, done.stdout, done.stderr) == (0, f"cni-sriov {__version__}\n", "")


def test_a_runtimes_call_is_never_taken_for_a_persons() -> None:
    done = called("sriov", "--help", CNI_COMMAND="VERSION")

    assert json.loads(done.stdout)["supportedVersions"]


def test_an_introduction_that_nobody_hears_has_failed() -> None:
    def closed(fd: int, _: str) -> None:
        if fd == 1:
            raise OSError(28, "No space left on device")

    assert door.introduce("sriov", closed) == 1


def called(*argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    code = f"import sys; sys.argv = {['/opt/cni/bin/' + argv[0], *argv[1:]]}; from cni_sriov.doors.cni import entry; entry()"
    return subprocess.run(
        [sys.executable, "-c", code],
        env=env,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def test_an_answer_that_nobody_hears_is_a_failed_call() -> None:
    """The runtime takes ADD for failed, and DELs."""

    def closed(fd: int, _: str) -> None:
        if fd == 1:
            raise BrokenPipeError(32, "Broken pipe")

    assert door.main({"CNI_COMMAND": "VERSION"}, lambda: "{}", closed) == 1
