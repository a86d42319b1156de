"""What all doors of `sriov` share: one table of verbs, and stop signals by verb."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from cni_sriov.doors import calls
from cni_sriov.wire import cni as wire
from tests.world import World


def test_every_verb_of_the_table_is_run_and_no_other() -> None:
    assert calls.RUN.keys() == wire.VERBS.keys()


@pytest.mark.parametrize(("verb", "ignores"), [("ADD", False), ("DEL", True)])
def test_an_add_is_undone_by_a_stop_signal_and_a_del_finishes(
    world: World, monkeypatch: pytest.MonkeyPatch, verb: str, ignores: bool
) -> None:
    """Rule 6 of the design."""
    seen: list[Any] = []
    monkeypatch.setitem(
        calls.RUN, verb, lambda _: seen.extend(map(signal.getsignal, (signal.SIGTERM, signal.SIGINT)))
    )

    world.call(verb, world.conf())

    assert [one == signal.SIG_IGN for one in seen] == [ignores, ignores]
    if not ignores:
        with pytest.raises(SystemExit):
            seen[0]()
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN, "a second one must not stop the undoing"


def test_the_verb_that_failed_is_told_where_a_log_is_kept(world: World) -> None:
    assert world.call("ADD", world.conf(master="enp1s0f9")).code == 101

    assert "msg=failed code=101" in world.log_file.read_text()
