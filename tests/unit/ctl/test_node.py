"""The whole node for an operator: every directory in use, and nothing that is damaged hides the rest."""

from __future__ import annotations

from tests.unit.ctl.tool import attach, sriovctl
from tests.world import World


def test_a_damaged_claim_hides_no_owner(world: World) -> None:
    attach(world)
    (claim,) = (world.run_dir / "claims").iterdir()
    claim.write_text("{")

    (pf,) = sriovctl(world, "status", "--json").document["pfs"]

    assert pf["vfs"][0]["owner"]["containerID"] == "c1"
