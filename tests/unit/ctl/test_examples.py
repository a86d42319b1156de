"""What one types: the parser takes each of them, and --help shows them."""

from __future__ import annotations

import shlex

import pytest

from cni_sriov.ctl import arguments
from cni_sriov.ctl.examples import EXAMPLES, text
from cni_sriov.ctl.main import COMMANDS

NAMES = [command.name for command in COMMANDS]
ALL = [(verb, command) for verb in NAMES for command, _ in EXAMPLES.get(verb, ())]


@pytest.mark.parametrize(("verb", "command"), ALL)
def test_an_example_is_what_the_parser_takes(verb: str, command: str) -> None:
    program, *argv = shlex.split(command)

    assert program == "sriovctl"
    assert arguments.parser(COMMANDS).parse_args(argv).verb == verb


@pytest.mark.parametrize("verb", NAMES)
def test_help_of_every_verb_has_all_options_its_examples_and_the_exit_status(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        arguments.parser(COMMANDS).parse_args([verb, "--help"])
    told = capsys.readouterr().out

    assert EXAMPLES[verb]
    for status in (
        "0    done",
        "1    it failed",
        "2    the arguments",
        "77   it needs root",
        "130  stopped",
        "141  nobody",
    ):
        assert f"\n  {status}" in told.split("\nexit status:")[1]
    for option in ("--json", "--state-dir DIR", "--replay FILE"):
        assert f"\n  {option}" in told.split("\noptions of every verb:")[1]
    assert all(command in told for command, _ in EXAMPLES[verb])


def test_a_verb_without_examples_has_no_heading_for_them() -> None:
    assert text("fly") == ""
