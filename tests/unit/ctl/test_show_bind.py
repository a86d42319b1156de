"""The words on the screen."""

from __future__ import annotations

import io

from cni_sriov.ctl import show_bind
from cni_sriov.ctl.bind import Outcome
from cni_sriov.decide.planner import Plan

VF = "0000:01:10.0"


def test_done() -> None:
    out = io.StringIO()

    show_bind.done(out, Outcome(VF, "igbvf", "vfio-pci", True, loaded=["vfio-pci"], notes=["beware"]))

    assert out.getvalue().splitlines() == [
        f"{VF} is on vfio-pci, and was on igbvf", "loaded: vfio-pci", "note: beware",
    ]  # fmt: skip


def test_planned() -> None:
    out = io.StringIO()

    show_bind.planned(out, VF, "igbvf", Plan("vfio-pci", True, ["vfio-pci"], ["beware"]))

    assert out.getvalue().splitlines() == [
        "would load vfio-pci", f"would bind {VF} to vfio-pci", "it is on igbvf now", "note: beware",
    ]  # fmt: skip
