"""The front door: one call in, one document out, whatever happens between."""

import json

import pytest

from cni_sriov.doors import calls
from cni_sriov.doors import cni as door
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


def test_an_answer_that_nobody_hears_is_a_failed_call() -> None:
    """The runtime takes ADD for failed, and DELs."""

    def closed(fd: int, _: str) -> None:
        if fd == 1:
            raise BrokenPipeError(32, "Broken pipe")

    assert door.main({"CNI_COMMAND": "VERSION"}, lambda: "{}", closed) == 1
