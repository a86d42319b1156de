"""ADD: what stops it or fails it is undone, and told as it is."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from cni_sriov.state.ledger import Ledger
from cni_sriov.words.errors import CniError
from tests.unit.one_port import pull_cable

if TYPE_CHECKING:
    import pytest

    from cni_sriov.words.record import Record
    from tests.world import World


def test_a_stop_signal_while_add_announces_undoes_it(one_vf: World) -> None:
    before = one_vf.snapshot()

    def stopped(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    one_vf.kernel.before("announce", stopped)

    reply = one_vf.call("ADD", one_vf.conf(vlan=100, ipam=one_vf.ipam()))

    assert (reply.code, one_vf.snapshot()) == (11, before)


def test_a_stop_signal_while_add_undoes_itself_does_not_stop_the_undoing(one_vf: World) -> None:
    before = one_vf.snapshot()

    def stopped(_netlink: object, _pf: int, _index: int, vlan: int, *_: object) -> None:
        if vlan == 0:  # the undoing
            os.kill(os.getpid(), signal.SIGTERM)

    one_vf.kernel.before("set_vf_vlan", stopped, always=True)

    # igb refuses link_state
    reply = one_vf.call("ADD", one_vf.conf(vlan=100, trust="on", link_state="disable"))

    assert (reply.code, one_vf.snapshot()) == (11, before)


def test_an_undo_that_must_wait_is_not_told_as_done(world: World) -> None:
    def fail(*_: object) -> None:
        pull_cable(world)
        raise CniError("move it: the test said no", code=5)

    world.kernel.before("move", fail)

    assert world.call("ADD", world.conf(max_tx_rate=100)).code == 5

    assert "undone" not in world.log_file.read_text()


def test_a_stop_signal_when_the_claim_is_hardly_written_undoes_it(
    one_vf: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the claim and the first line that could undo it."""
    before, claim = one_vf.snapshot(), Ledger.claim

    def stopped(ledger: Ledger, record: Record) -> None:
        claim(ledger, record)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Ledger, "claim", stopped)

    reply = one_vf.call("ADD", one_vf.conf(vlan=100, ipam=one_vf.ipam()))

    assert (reply.code, one_vf.snapshot()) == (11, before)
