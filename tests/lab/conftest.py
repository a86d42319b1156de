"""The fixtures `lab` (a fresh guest per test) and `lab_module` (one per module).

The guest sees the host directory that the fixture `lab_share` names at /mnt/host; override it where a test
needs one. A lab that cannot be made is an error of every test that wants it, never a skip.
"""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from . import again
from .ahead import Ahead, Made
from .node import Node, changes
from .ready import Lab, find, prepare
from .vm import Vm

FIXTURES = {"lab", "lab_module", "saved_lab"}
FAILED = pytest.StashKey[bool]()
PROBLEM = pytest.StashKey[Exception]()


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(again)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the lab before the first test: no test's time limit is meant to cover a download."""
    wanted = any(FIXTURES & set(getattr(item, "fixturenames", ())) for item in session.items)
    if not wanted or session.config.option.collectonly:
        return
    # a SIGTERM ends a run like a Ctrl-C: fixtures pull the plug of their guests
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if find() is None:
            _prepare_aloud(session.config)
    except Exception as problem:
        session.config.stash[PROBLEM] = problem


def _prepare_aloud(config: pytest.Config) -> None:
    from rich.console import Console

    from .progress import Progress

    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled(), Progress(Console()) as progress:
        prepare(progress)


@pytest.fixture(scope="session")
def saved_lab(request: pytest.FixtureRequest) -> Lab:
    """The saved machine that every guest starts from."""
    problem = request.config.stash.get(PROBLEM, None)
    if problem is not None:
        raise problem
    return prepare()


@pytest.fixture(scope="session")
def lab_share() -> Path | None:
    """The host directory that guests see at /mnt/host; none unless a test file overrides this."""
    return None


@pytest.fixture
def lab(saved_lab: Lab, lab_share: Path | None) -> Iterator[Vm]:
    """A guest for this test alone."""
    with saved_lab.restore(lab_share) as vm:
        yield vm


@pytest.fixture(scope="module")
def lab_module(saved_lab: Lab, lab_share: Path | None) -> Iterator[Vm]:
    """A guest for the tests of one file, in their order."""
    with saved_lab.restore(lab_share) as vm:
        yield vm


class Nodes:
    """One guest with seven VFs on each port for the tests of a file; a new one after a test that left a trace."""

    def __init__(self, ahead: Ahead, *, is_last: bool) -> None:
        self._ahead = ahead
        self._is_last = is_last
        self._made: Made | None = None

    def made(self) -> Made:
        if self._made is None:
            self._made = self._ahead.take(is_last=self._is_last)
        return self._made

    def stop(self) -> None:
        if self._made is not None:
            self._made.vm.stop()
        self._made = None


@pytest.fixture(scope="session")
def ahead(saved_lab: Lab) -> Iterator[Ahead]:
    ahead = Ahead(saved_lab)
    yield ahead
    ahead.stop()


@pytest.fixture(scope="module")
def nodes(ahead: Ahead, request: pytest.FixtureRequest) -> Iterator[Nodes]:
    items = request.session.items
    after = max(number for number, item in enumerate(items) if item.path == request.path) + 1
    nodes = Nodes(ahead, is_last=not any("nodes" in getattr(i, "fixturenames", ()) for i in items[after:]))
    yield nodes
    nodes.stop()


@pytest.fixture
def node(nodes: Nodes, request: pytest.FixtureRequest) -> Iterator[Node]:
    """A node with 14 VFs; every test ends with the card as it was and without claims, Records and leases."""
    try:
        _, node, before = nodes.made()
        yield node
        if not request.node.stash.get(FAILED, False):
            card, files = node.end()
            assert changes(before, card) == []
            assert files == []
    except BaseException:
        nodes.stop()
        raise
    if request.node.stash.get(FAILED, False):
        nodes.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the guest's console said beside a failure."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    for name in ("lab", "lab_module", "node"):
        vm = getattr(item, "funcargs", {}).get(name)
        vm = vm.vm if isinstance(vm, Node) else vm
        if isinstance(vm, Vm) and report.failed and report.when == "call":
            report.sections.append(("guest console", vm.console()))
    return report
