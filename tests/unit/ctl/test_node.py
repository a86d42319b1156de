"""The whole node for an operator: every directory in use, and nothing that is damaged hides the rest."""

from __future__ import annotations

from tests.unit import dpdk
from tests.unit.ctl.tool import attach, sriovctl
from tests.world import World


def test_a_damaged_claim_hides_no_owner(world: World) -> None:
    attach(world)
    (claim,) = (world.run_dir / "claims").iterdir()
    claim.write_text("{")

    (pf,) = sriovctl(world, "status", "--json").document["pfs"]

    assert pf["vfs"][0]["owner"]["containerID"] == "c1"


def test_an_accelerator_goes_with_the_vf_of_its_attachment(world: World) -> None:
    """Nobody rebinds it, or takes the VFs of its card away."""
    dpdk.furnish(world)
    card = world.kernel.add_pf("qat0", "0000:02:00.0", numvfs=2)
    accelerator = card.vfs[0]
    dpdk.ahead(world, accelerator)
    (world.kernel.tree.device(accelerator.pci_address) / "device").write_text("0x4941\n")
    attach(world, driver="vfio-pci", crypto="auto")

    rows = {pf["name"]: pf["vfs"][0] for pf in sriovctl(world, "status", "--json").document["pfs"]}

    assert rows["enp1s0f0"]["userspace"]["crypto"] == accelerator.pci_address
    assert (rows["qat0"]["state"], rows["qat0"]["owner"]["containerID"]) == ("attached", "c1")
    assert (rows["qat0"]["leases"], rows["qat0"]["mac"]) == ([], "")
    for argv in (
        ("bind", accelerator.pci_address, "uio_pci_generic"),
        ("vfs", "qat0", "0"),
    ):
        run = sriovctl(world, *argv)
        assert (run.status, "attached to c1/net1" in run.out + run.err) == (1, True), run.err
