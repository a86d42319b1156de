"""The fixtures `lab` (a fresh guest per test) and `lab_module` (one per module).

The guest sees the host directory that the fixture `lab_share` names at /mnt/host; override it where a test
needs one. A lab that cannot be made is an error of every test that wants it, never a skip.

Tests that want a `node` run first, all in one guest: its start and its VFs take eight seconds. It ends before another starts.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests import bundle

from . import again
from .errors import LabError
from .node import Node
from .ready import Lab, find, prepare
from .recipes import CARD, KUBERNETES, NEWEST, RUNTIMES, TRIXIE, Recipe
from .vm import Vm

SAVED = {
    "saved_lab": CARD,
    "saved_runtimes": RUNTIMES,
    "saved_trixie": TRIXIE,
    "saved_newest": NEWEST,
    "saved_kubernetes": KUBERNETES,
}
GUESTS = ("lab", "lab_module", "node", "runtimes_node", "trixie_node", "newest_node")
FAILED = pytest.StashKey[bool]()
PROBLEMS = pytest.StashKey[dict[str, Exception]]()
SHARED = "shared_nodes"
# what a file's tests may leave for its next one, and no other file's may find
LEFT = "/run/cni-sriov /run/vpp /run/cdi /var/lib/cni/* /var/log/cni* /var/log/sriov* /etc/cni/net.d/* /etc/cni-sriov /opt/cni"


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(again)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Within the lab's tests, which stay where they are among the others."""
    places = [place for place, item in enumerate(items) if item.get_closest_marker("lab")]
    ordered = sorted((items[place] for place in places), key=lambda item: SHARED not in fixtures_of(item))
    for place, item in zip(places, ordered, strict=True):
        items[place] = item


def pytest_runtest_setup(item: pytest.Item) -> None:
    """One guest at a time."""
    if SHARED not in fixtures_of(item):
        for nodes in item.config.stash.get(RUNNING, []):
            nodes.close()


def fixtures_of(item: pytest.Item) -> list[str]:
    return list(getattr(item, "fixturenames", ()))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the guests before the first test: no test's time limit is meant to cover a download."""
    used = {name for item in session.items for name in fixtures_of(item)}
    wanted = [recipe for name, recipe in SAVED.items() if name in used]
    if not wanted or session.config.option.collectonly:
        return
    # a SIGTERM ends a run like a Ctrl-C: fixtures pull the plug of their guests
    signal.signal(signal.SIGTERM, _interrupt)
    problems = session.config.stash.setdefault(PROBLEMS, {})
    for recipe in wanted:
        try:
            if find(recipe) is None:
                _prepare_aloud(session.config, recipe)
        except Exception as problem:
            problems[recipe.name] = problem


def _prepare_aloud(config: pytest.Config, recipe: Recipe) -> None:
    from rich.console import Console

    from .progress import Progress

    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled(), Progress(Console()) as progress:
        prepare(progress, recipe)


def _saved(config: pytest.Config, recipe: Recipe) -> Lab:
    problem = config.stash.get(PROBLEMS, {}).get(recipe.name)
    if problem is not None:
        raise problem
    return prepare(recipe=recipe)


@pytest.fixture(scope="session")
def saved_lab(pytestconfig: pytest.Config) -> Lab:
    """The saved machine that every guest starts from."""
    return _saved(pytestconfig, CARD)


@pytest.fixture(scope="session")
def saved_runtimes(pytestconfig: pytest.Config) -> Lab:
    """The same with Debian 12's runtimes: podman 4, containerd 1.6."""
    return _saved(pytestconfig, RUNTIMES)


@pytest.fixture(scope="session")
def saved_trixie(pytestconfig: pytest.Config) -> Lab:
    """The same with Debian 13's podman 5."""
    return _saved(pytestconfig, TRIXIE)


@pytest.fixture(scope="session")
def saved_newest(pytestconfig: pytest.Config) -> Lab:
    """The same with the archive's newest containerd; no test of `make test` asks for it."""
    return _saved(pytestconfig, NEWEST)


@pytest.fixture(scope="session")
def saved_kubernetes(pytestconfig: pytest.Config) -> Lab:
    """The same with what a node of Kubernetes runs; no test of `make test` asks for it."""
    return _saved(pytestconfig, KUBERNETES)


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
    """One guest with seven VFs on each port; a new one after a test that left a trace."""

    def __init__(self, saved: Lab, *, installed: bool = False) -> None:
        self._saved = saved
        self.installed = installed
        self._vm: Vm | None = None
        self._first: tuple[Node, dict[str, dict[str, Any]]] | None = None

    def node(self) -> tuple[Node, dict[str, dict[str, Any]]]:
        """The node, and the card as it was before the first test."""
        if self._first is None:
            try:
                self._first = self._make()
            except LabError as problem:
                again.told.append(f"a guest that was just restored\n{problem}")
                self.close()
                self._first = self._make()
        return self._first

    def _make(self) -> tuple[Node, dict[str, dict[str, Any]]]:
        """Nothing of the product runs before it is there."""
        self._vm = self._saved.restore(bundle.installed() if self.installed else bundle.directory())
        node = Node(self._vm)
        if self.installed:
            node.lay_out()
        node.create_vfs(7)
        return node, node.card()

    def tidy(self) -> None:
        """For the tests of the next file."""
        if self._vm is not None:
            try:
                self._vm.run(f"rm -rf {LEFT}; echo 0 > /proc/sys/vm/nr_hugepages")
            except LabError:
                self.close()

    def close(self) -> None:
        if self._vm is not None:
            self._vm.stop()
        self._vm = self._first = None


RUNNING = pytest.StashKey[list[Nodes]]()


@pytest.fixture(scope="session")
def shared_nodes(saved_lab: Lab, pytestconfig: pytest.Config) -> Iterator[Nodes]:
    """Of all tests with a `node`."""
    with contextlib.closing(Nodes(saved_lab)) as nodes:
        pytestconfig.stash[RUNNING] = [nodes]
        yield nodes


@pytest.fixture(scope="module")
def nodes(shared_nodes: Nodes) -> Nodes:
    shared_nodes.tidy()
    return shared_nodes


@pytest.fixture(scope="module")
def runtimes_nodes(saved_runtimes: Lab) -> Iterator[Nodes]:
    with contextlib.closing(Nodes(saved_runtimes, installed=True)) as nodes:
        yield nodes


@pytest.fixture(scope="module")
def trixie_nodes(saved_trixie: Lab) -> Iterator[Nodes]:
    with contextlib.closing(Nodes(saved_trixie, installed=True)) as nodes:
        yield nodes


@pytest.fixture(scope="module")
def newest_nodes(saved_newest: Lab) -> Iterator[Nodes]:
    with contextlib.closing(Nodes(saved_newest, installed=True)) as nodes:
        yield nodes


@pytest.fixture
def node(nodes: Nodes, request: pytest.FixtureRequest) -> Iterator[Node]:
    """A node with 14 VFs; every test ends with the card as it was and without claims, Records and leases."""
    yield from _node(nodes, request)


@pytest.fixture
def runtimes_node(runtimes_nodes: Nodes, request: pytest.FixtureRequest) -> Iterator[Node]:
    """The same with Debian 12's runtimes, and the bundle installed where they look."""
    yield from _node(runtimes_nodes, request)


@pytest.fixture
def trixie_node(trixie_nodes: Nodes, request: pytest.FixtureRequest) -> Iterator[Node]:
    """The same with Debian 13's."""
    yield from _node(trixie_nodes, request)


@pytest.fixture
def newest_node(newest_nodes: Nodes, request: pytest.FixtureRequest) -> Iterator[Node]:
    """The same with the newest containerd."""
    yield from _node(newest_nodes, request)


def _node(nodes: Nodes, request: pytest.FixtureRequest) -> Iterator[Node]:
    try:
        node, before = nodes.node()
        yield node
        if not request.node.stash.get(FAILED, False):
            card, files = node.end()
            assert node.differences(before, card) == []
            assert files == []
    except BaseException:
        nodes.close()
        raise
    if request.node.stash.get(FAILED, False):
        nodes.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the guest's console said beside a failure."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    for name in GUESTS:
        vm = getattr(item, "funcargs", {}).get(name)
        vm = vm.vm if isinstance(vm, Node) else vm
        if isinstance(vm, Vm) and report.failed and report.when == "call":
            report.sections.append(("guest console", vm.console()))
    return report
