"""What the verbs look at is in a recording: each question that a verb asks of the node, by whatever face, has the node's answer
there. Who adds a look adds it to both.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cni_sriov.ctl.main import COMMANDS
from cni_sriov.ctl.recording import lookers
from cni_sriov.ctl.recording.answers import QUESTIONS, RecordedNetlink
from cni_sriov.ctl.recording.faces import RecordedFiles, RecordedSysfs
from cni_sriov.kernel.files import Files
from cni_sriov.kernel.netlink import Netlink
from cni_sriov.kernel.sysfs import Sysfs
from cni_sriov.words.errors import CniError
from cni_sriov.words.failures import Failures
from tests.fakes.netlink import FakeNetlink
from tests.unit.ctl.recording import taken
from tests.world import World

OF_FILES = ("data", "tail", "names", "target", "real", "has", "number")
OF_SYSFS = ("_read", "_list", "_link_name", "exists", "has_netdev")
Asked = tuple[str, tuple[Any, ...], Any]


class Ear:
    """Hears what is asked of the real faces, and the answers, beside any spy of the product's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.files: list[Asked] = []
        self.sysfs: list[Asked] = []
        self.netlink: list[tuple[Any, Asked]] = []
        for name in OF_FILES:
            monkeypatch.setattr(Files, name, self._heard(getattr(Files, name), name, self.files))
        for name in OF_SYSFS:
            monkeypatch.setattr(Sysfs, name, self._heard(getattr(Sysfs, name), name, self.sysfs))
        for name in QUESTIONS:
            monkeypatch.setattr(FakeNetlink, name, self._of_netlink(getattr(FakeNetlink, name), name))

    def _heard(self, real: Callable[..., Any], name: str, heard: list[Asked]) -> Callable[..., Any]:
        def ask(face: Any, *args: Any, **more: Any) -> Any:
            answer = real(face, *args, **more)
            heard.append((name, args, answer))
            return answer

        return ask

    def _of_netlink(self, real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def ask(face: Any, *args: Any) -> Any:
            answer = real(face, *args)
            self.netlink.append((face.namespace, (name, args, answer)))
            return answer

        return ask


def _in_order(answer: Any) -> Any:
    """Of a directory: the kernel's order is no matter."""
    return sorted(answer) if isinstance(answer, list) else answer


@pytest.mark.parametrize("verb", [verb for verb in lookers.replayed() if verb not in {"leases", "explain"}])
def test_whatever_a_verb_asks_is_answered_as_on_the_node(
    world: World, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    taken.node(world)
    recording = taken.recorded(world)
    with monkeypatch.context() as patch:
        ear = Ear(patch)
        for argv in ((verb,), (verb, "--json")) if verb != "metrics" else ((verb,),):
            assert taken.live(world, *argv).status in {0, 1}
    files, sysfs = RecordedFiles("", recording.tree), RecordedSysfs(tree=recording.tree)
    netlink = RecordedNetlink(recording.told)

    assert ear.sysfs or ear.files, "else nothing was heard"
    for name, args, answer in ear.files:
        if not str(args[0]).endswith("/pci.ids"):  # of which a recording has a part
            assert getattr(files, name)(*args) == answer, (name, args)
    for name, args, answer in ear.sysfs:
        assert _in_order(getattr(sysfs, name)(*args)) == _in_order(answer), (name, args)
    for namespace, (name, args, answer) in ear.netlink:
        if namespace is world.kernel.host:
            assert getattr(netlink, name)(*args) == answer, (name, args)


def test_names_of_devices_are_in_it(world: World) -> None:
    taken.node(world)
    told = RecordedFiles("", taken.recorded(world).tree).text("/usr/share/misc/pci.ids")
    assert told == "8086  Intel Corporation\n\t10ca  82576 Virtual Function"


def test_each_verb_is_asked_once_and_what_fails_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = taken.tool(world, io.StringIO(), io.StringIO())
    failures, told = Failures(), list[str]()

    def broken(_: str) -> Any:
        raise ZeroDivisionError

    lookers.ask_all(replace(tool, make_host=broken), "/nowhere", [], told.append, failures)

    assert [line.rpartition(" ")[0] for line in told] == [
        f"what {argv[0]} looks" for _, argv in lookers.LOOKS
    ]
    assert "status" in failures.told[0]
    assert tool.out.getvalue() == ""  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", [one.name for one in COMMANDS])
def test_only_those_that_look_are_replayed(command: str) -> None:
    options = argparse.Namespace(verb=command, dry_run=False, count=0)
    options.target = "c1/net1"
    if command in {"status", "leases", "doctor", "oracle", "metrics", "baseline", "explain"}:
        lookers.refuse_acts(options)
        return
    with pytest.raises(CniError, match=f"replay {command} on a recording: it needs a node") as caught:
        lookers.refuse_acts(options)
    assert "status" in caught.value.details


@pytest.mark.parametrize("target", ["-", "10-sriov.conflist"])
def test_a_profile_is_an_act(target: str) -> None:
    """As `explain` was called before."""
    with pytest.raises(CniError, match="replay explain on a recording"):
        lookers.refuse_acts(argparse.Namespace(verb="explain", target=target, dry_run=False))


def test_a_plan_is_no_act() -> None:
    lookers.refuse_acts(argparse.Namespace(verb="bind", dry_run=True))
    with pytest.raises(CniError, match="replay unbind"):
        lookers.refuse_acts(argparse.Namespace(verb="unbind", dry_run=True))


@pytest.mark.parametrize(
    ("verb", "option"), [("baseline", {"take": "0000:01:10.0"}), ("status", {"watch": 2.0})]
)
def test_what_changes_or_goes_on_is_refused(verb: str, option: dict[str, Any]) -> None:
    (name,) = option
    with pytest.raises(CniError, match=f"replay {verb} --{name} on a recording"):
        lookers.refuse_acts(argparse.Namespace(verb=verb, **option))


def test_faces_that_are_heard_are_all_there_are() -> None:
    """Files has no other door, and Netlink no other question."""
    assert {name for name in vars(Files) if not name.startswith("_")} - {"root", "text"} == {*OF_FILES}
    assert {*QUESTIONS} <= {*dir(Netlink)}
