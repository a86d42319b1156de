"""What became of one thing, as gc, release and forget tell it."""

from __future__ import annotations

from cni_sriov.ctl.verdict import Verdict


def test_that_a_look_failed_is_for_the_counts_and_no_key_of_the_schema() -> None:
    told = Verdict("vf", "enp1s0f0 vf 0", "web/eth0", False, "it may be open", failed=True).to_json()

    assert told == {
        "kind": "vf",
        "what": "enp1s0f0 vf 0",
        "owner": "web/eth0",
        "taken": False,
        "reason": "it may be open",
    }
