"""A test whose guest the emulator let down is run again, once, in a new guest, and the summary says so.

QEMU's TCG with several processors loses a timer interrupt now and then: the processor sleeps for ever with whoever sleeps
on it (docs/testing.md). That is proven before it is said (guest.is_stalled), and no more than a few are forgiven: what
happens more often has another reason.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest
from _pytest.runner import runtestprotocol

from .errors import GuestStalled

FORGIVEN = 5  # in a run
STALLED = pytest.StashKey[bool]()
told: list[str] = []  # of this run: where, and what is known


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.excinfo is not None and any(_is_stall(error) for error in _chain(call.excinfo.value)):
        item.stash[STALLED] = True
    return report


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_stall(error: BaseException) -> bool:
    parts = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return isinstance(error, GuestStalled) or any(_is_stall(part) for part in parts)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """As _pytest.runner does it, but that what is reported is the second run's where the first one's guest was stalled."""
    if item.get_closest_marker("lab") is None:
        return None
    hook = item.ihook
    hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, log=False, nextitem=nextitem)
    if item.stash.get(STALLED, False) and len(told) < FORGIVEN:
        told.append("\n".join([item.nodeid, *(report.longreprtext for report in reports if report.failed)]))
        item.session._setupstate.teardown_exact(None)  # noqa: SLF001  the guest may be the module's
        item.stash[STALLED] = False
        item._initrequest()  # type: ignore[attr-defined]  # noqa: SLF001  of a function
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
    for report in reports:
        hook.pytest_runtest_logreport(report=report)
    hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if told:
        terminalreporter.section(f"{len(told)} run again: the emulator let the guest down")
        terminalreporter.write("\n".join(told) + "\n")
