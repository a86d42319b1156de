"""Claims of attachments that have no VF: found like the others, and no VF is taken by them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni_sriov.state.ledger import Ledger
from cni_sriov.words.domain import Attachment
from cni_sriov.words.errors import Unreadable
from cni_sriov.words.log import Log
from cni_sriov.words.plane import VFIO, VPP_HOST, DataPlane
from cni_sriov.words.record import Record

C1, C2 = Attachment("c1", "net1"), Attachment("c2", "net1")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = Ledger(str(tmp_path / "state"), Log("none"), str(tmp_path / "run"), "boot")
    ledger.open()
    return ledger


def record(who: Attachment, plane: DataPlane | None = None) -> Record:
    return Record(who, "net", "", "", 0, "/run/netns/x", [4, 5], "boot", plane=plane)


def tap(who: Attachment) -> Record:
    return record(who, DataPlane(VPP_HOST, vpp={"socket": "/s", "table": 0, "tag": str(who)}))


def test_two_of_them_and_no_vf_is_taken(ledger: Ledger) -> None:
    for who in (C1, C2):
        ledger.put(tap(who))

    assert ledger.claimed() == {}
    assert {found.attachment for found in ledger.claims()} == ledger.with_vf() == {C1, C2}
    assert ledger.claimant(tap(C1)) == C1


def test_each_goes_alone(ledger: Ledger) -> None:
    for who in (C1, C2):
        ledger.put(tap(who))
    ledger.forget(tap(C1))
    assert ([found.attachment for found in ledger.claims()], ledger.find(C1)) == ([C2], None)


def test_a_claim_that_cannot_be_read_is_no_other_s(ledger: Ledger) -> None:
    """Nor does another attachment's Record speak for it, which has no VF as well."""
    for who in (C1, C2):
        ledger.put(tap(who))
    Path(ledger.claim_path(tap(C1))).write_text("{")
    assert (ledger.claimant(tap(C1)), ledger.owns(tap(C1))) == (C1, True)


@pytest.mark.parametrize("plane", [None, DataPlane(VFIO)])
def test_whatever_else_has_no_vf_is_damaged(ledger: Ledger, plane: DataPlane | None) -> None:
    ledger.put(record(C1, plane))
    with pytest.raises(Unreadable):
        ledger.find(C1)


def test_half_a_claim_goes_with_its_lock(ledger: Ledger) -> None:
    half = Path(ledger.run_dir, "claims", ".tmp-+c1@net1")
    half.write_text("{")
    ledger.forget_half(C2)
    assert half.exists()
    ledger.forget_half(C1)
    assert not half.exists()
