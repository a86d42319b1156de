"""State files that say nothing, for the operator."""

from __future__ import annotations

from tests.unit import dpdk
from tests.unit.ctl import taps
from tests.unit.ctl.tool import attach, sriovctl
from tests.world import World


def test_a_claim_names_the_vf_that_it_keeps_and_one_without_a_vf_names_none(world: World) -> None:
    dpdk.furnish(world)
    attach(world, driver="vfio-pci")
    taps.attach(world, "c2")
    for claim in (world.run_dir / "claims").iterdir():
        claim.write_text("{")

    found = sriovctl(world, "status", "--json").document["unreadable"]

    assert sorted(one["vf"] for one in found) == ["", "0000:01:10.0"]
