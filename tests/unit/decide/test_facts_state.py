"""What a VF and a PF are called in the doctor's sentences."""

from __future__ import annotations

from cni_sriov.decide.facts_state import Nic


def test_a_vf_is_named_by_its_pf_and_a_pf_without_name_by_its_address() -> None:
    vf = Nic("0000:01:10.0", "0000:01:00.0", "enp1s0f0", 0, "", "")

    assert str(vf) == "enp1s0f0 vf 0"
    vf.pf_name = ""
    assert str(vf) == "0000:01:00.0 vf 0"
    assert str(Nic("0000:01:00.0", "0000:01:00.0", "enp1s0f0", -1, "enp1s0f0", "")) == "enp1s0f0"
    assert str(Nic("0000:01:00.0", "0000:01:00.0", "", -1, "", "")) == "0000:01:00.0"
