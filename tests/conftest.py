"""Skip rules for every tier: what this machine cannot do is skipped locally with the reason, and fails in CI."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from tests.world import World

IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
ALLOWED_SKIPS = Path(__file__).parent / "allowed_skips"
_HANDLERS: dict[int, Callable[..., Any]] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGHUP: lambda *_: None,  # survived, as the starter meant it, and as ever for children
}
_PYTHONS_OWN = {signal.SIGPIPE, signal.SIGXFSZ}  # every Python ignores these, and subprocess gives them back


def pytest_configure() -> None:
    """What the starter ignores (`&` and nohup: SIGINT, SIGQUIT, SIGHUP; some a SIGCHLD, after which no child can be waited
    for) or blocks would be inherited by all that the tests start. 32 and 33 are libc's own and stay as they are.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals() - _PYTHONS_OWN:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, _HANDLERS.get(number, signal.SIG_DFL))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() == 0 or IN_CI:
        return
    for item in items:
        if (
            item.get_closest_marker("root")
            or item.get_closest_marker("lab")
            or item.get_closest_marker("bundle")
        ):
            item.add_marker(pytest.mark.skip(reason="needs root"))


def _allowed() -> dict[str, str]:
    """`tests/allowed_skips`: one "node id: reason" a line."""
    lines = ALLOWED_SKIPS.read_text().splitlines()
    pairs = (line.partition(": ") for line in lines if line and not line.startswith("#"))
    return {node: reason for node, _, reason in pairs}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skip is a failure unless tests/allowed_skips names it with a reason."""
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail") and item.nodeid not in _allowed():
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, and not in tests/allowed_skips: {report.longrepr}"
    return report


@pytest.fixture
def world(tmp_path: Path) -> World:
    """One igb port with seven VFs, one pod."""
    world = World(tmp_path)
    world.kernel.add_pf("enp1s0f0", "0000:01:00.0", numvfs=7)
    world.kernel.add_pod("/run/netns/pod1")
    return world
