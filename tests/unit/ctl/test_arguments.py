"""The command line, as a person types it: what each verb takes, where the options may stand, what is refused and how."""

from __future__ import annotations

from typing import Any

import pytest

from cni_sriov.ctl import arguments
from cni_sriov.ctl.main import COMMANDS


def parsed(*argv: str) -> dict[str, Any]:
    return vars(arguments.parser(COMMANDS).parse_args(argv))


@pytest.mark.parametrize(
    ("argv", "has"),
    [
        (["vfs", "enp1s0f0", "7"], {"pf": "enp1s0f0", "count": 7, "json": False, "needs_root": True}),
        (["vfs"], {"pf": "", "count": None, "dry_run": False, "persist": False}),
        (["vfs", "x", "max", "--dry-run", "--persist"], {"count": "max", "dry_run": True, "persist": True}),
        (["bind", "enp1s0f0:3", "auto"], {"device": "enp1s0f0:3", "driver": "auto", "force": False}),
        (["unbind", "0000:01:10.0", "--force"], {"force": True, "dry_run": False, "needs_root": True}),
        (["restore", "enp1s0f0v0", "--dry-run"], {"dry_run": True}),
        (["apply"], {"file": "/etc/cni-sriov/host.json", "dry_run": False, "wait": 0, "needs_root": True}),
        (["apply", "x.json", "--dry-run", "--wait", "30"], {"file": "x.json", "dry_run": True, "wait": 30}),
        (["--json", "status"], {"json": True, "verb": "status"}),
        (["status", "--json", "--state-dir", "/x"], {"json": True, "state_dir": "/x"}),
        (["--state-dir", "/x", "leases"], {"state_dir": "/x"}),
        (["baseline"], {"where": "", "take": ""}),
        (["baseline", "--take", "0000:01:10.0"], {"take": "0000:01:10.0"}),
        (["gc", "--dry-run"], {"dry_run": True, "forget": ""}),
        (["gc", "--forget", "/run/x"], {"forget": "/run/x"}),
        (
            ["release", "3f7a/eth0"],
            {"target": "3f7a/eth0", "yes": False, "dry_run": False, "needs_root": True},
        ),
        (["release", "3f7a", "--yes"], {"yes": True}),
        (["forget", "ns/web"], {"pod": "ns/web", "dry_run": False}),
        (["import", "host-local", "a.conf"], {"store": "/var/lib/cni/networks", "network": ""}),
        (["validate", "-", "x"], {"files": ["-", "x"], "device_id_given": False, "needs_root": False}),
        (["profile", "a.conf", "--runs", "9"], {"file": "a.conf", "runs": 9, "plugin": ""}),
        (["explain", "web", "--log", "/a", "--log", "/b"], {"target": "web", "log": ["/a", "/b"]}),
        (["explain", "a.conf", "--runs", "9"], {"target": "a.conf", "runs": 9, "plugin": ""}),
    ],
)
def test_what_a_verb_takes(argv: list[str], has: dict[str, Any]) -> None:
    assert has.items() <= parsed(*argv).items()


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "required"),
        (["nonsense"], '"nonsense" is unknown: it must be one of vfs, apply, '),
        (["vfs", "enp1s0f0", "Max"], '"Max" is no number of VFs, and not max'),
        (["vfs", "enp1s0f0", "-1"], ""),
        (["apply", "--wait", "soon"], '"soon" is no number of seconds in 0-3600'),
        (["apply", "--wait", "3601"], "is no number of seconds"),
        (["vfs", "enp1s0f0", "many"], '"many" is no number of VFs'),
        (["vfs", "enp1s0f0", "\u0663"], "is no number of VFs"),
        (["profile", "a.conf", "--runs", "0"], '"0" is no number of runs'),
        (["status", "--js"], "unrecognized arguments: --js;"),
        (["--state", "/x", "status"], "unrecognized arguments: --state;"),
        (["--state-dir", "/x", "--js", "leases"], "unrecognized arguments: --js;"),
        (["gc", "--dry"], "unrecognized arguments: --dry;"),
        (["import", "dhcp", "a.conf"], '"dhcp" is unknown: it must be one of host-local'),
        (["forget"], "required"),
        (["release"], "required"),
        (["bind", "enp1s0f0v0"], "required"),
        (["unbind"], "required"),
        (["restore", "a", "b"], "unrecognized"),
    ],
)
def test_what_is_none_of_ours_is_refused_with_the_usage(argv: list[str], says: str) -> None:
    with pytest.raises(arguments.Usage) as refused:
        parsed(*argv)

    assert says in refused.value.msg
    assert refused.value.details.startswith("usage: sriovctl")


@pytest.mark.parametrize(
    ("argv", "meant"),
    [
        (["statsu"], "status"),
        (["lease"], "leases"),
        (["STATUS"], "status"),
        (["status", "--jsno"], "--json"),
        (["status", "--js"], "--json"),
        (["apply", "--dry-runn"], "--dry-run"),
        (["gc", "--dryrun"], "--dry-run"),
        (["--jsn"], "--json"),
        (["--statedir=/x", "status"], "--state-dir"),
        (["status", "--output", "jsno"], "json"),
        (["status", "-o", "wid"], "wide"),
    ],
)
def test_what_is_near_is_proposed(argv: list[str], meant: str) -> None:
    with pytest.raises(arguments.Usage) as refused:
        parsed(*argv)

    assert refused.value.msg.endswith(f'; did you mean "{meant}"?')


@pytest.mark.parametrize("argv", [["fly"], ["status", "--fly"], ["gc", "status"], ["--fly"]])
def test_what_is_near_nothing_is_not_guessed_at(argv: list[str]) -> None:
    with pytest.raises(arguments.Usage) as refused:
        parsed(*argv)

    assert "did you mean" not in refused.value.msg


def test_an_option_of_a_verb_is_refused_with_the_usage_of_that_verb() -> None:
    with pytest.raises(arguments.Usage) as refused:
        parsed("leases", "--wide")

    assert refused.value.details.startswith("usage: sriovctl leases [-h]")
    assert refused.value.details.endswith("\n`sriovctl leases --help` says what it takes")


def test_behind_two_dashes_there_are_no_options() -> None:
    assert parsed("validate", "--", "--json")["json"] is False
