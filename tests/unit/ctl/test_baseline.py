"""sriovctl baseline: what a VF was at first, what of it differs, and the operator's word for what is there now."""

from __future__ import annotations

import json

import pytest

from tests.unit.ctl.tool import attach, sriovctl
from tests.unit.one_port import link_of, vf_of
from tests.world import World

VF, OTHER = "0000:01:10.0", "0000:01:10.2"


@pytest.fixture
def used(world: World) -> World:
    """Its first VF has had a container."""
    attach(world, vlan=100)
    assert world.call("DEL", world.conf(ipam=world.ipam())).code == 0
    return world


def test_without_a_first_add_there_is_none(world: World) -> None:
    run = sriovctl(world, "baseline")

    assert (run.status, run.out.count("no container has had it yet")) == (0, 7)


def test_what_differs_is_told_and_nothing_is_changed(used: World) -> None:
    vf_of(used).state.vlan, link_of(used).mtu = 7, 1400
    link_of(used).traits["rings"] = "rx 80 tx 80"
    before = used.snapshot()

    run, document = sriovctl(used, "baseline", "enp1s0f0"), sriovctl(used, "baseline", VF, "--json").document

    for words in ("vlan 7", "mtu 1400", 'rings "rx 80 tx 80", not "rx 256 tx 256"'):
        assert words in run.out
    assert run.out.count("no container has had it yet") == 6
    (vf,) = document["vfs"]
    assert (vf["pf"], vf["index"], vf["pci"], len(vf["differs"])) == ("enp1s0f0", 0, VF, 3)
    assert (vf["golden"]["state"]["vlan"], vf["golden"]["traits"]["rings"]) == (0, "rx 256 tx 256")
    assert used.snapshot() == before


def test_of_one_vf_all_is_shown(used: World) -> None:
    out = sriovctl(used, "baseline", VF).out

    assert f"enp1s0f0 vf 0 {VF}: as it was" in out
    for line in (
        "vlan: 0",
        "trust: false",
        f'MAC: "{link_of(used).mac}"',
        'rings: "rx 256 tx 256"',
        "mtu: 1500",
    ):
        assert f"  {line}\n" in out
    assert "ifname" not in out


def test_what_the_operator_takes_is_what_the_next_del_restores(used: World) -> None:
    vf_of(used).state.trust, link_of(used).mtu = True, 1400
    link_of(used).traits["rings"] = "rx 4096 tx 4096"
    meant = used.settled()["kernel"]["vfs"], link_of(used).snapshot()

    run = sriovctl(used, "baseline", "--take", VF)
    attach(used, vlan=100, trust="off", mtu=1500)
    assert used.call("DEL", used.conf(ipam=used.ipam())).code == 0

    assert (run.status, "as it was" in run.out) == (0, True), run.err
    assert (used.settled()["kernel"]["vfs"], link_of(used).snapshot()) == meant
    assert "put right" not in used.log_file.read_text()


def test_what_nobody_has_had_can_be_taken_too(world: World) -> None:
    assert sriovctl(world, "baseline", "--take", OTHER).status == 0
    assert "as it was" in sriovctl(world, "baseline", OTHER).out


def test_while_somebody_has_it_it_is_not_taken(used: World) -> None:
    attach(used, vlan=100)
    before = (used.run_dir / "golden" / VF).read_text()

    run = sriovctl(used, "baseline", "--take", VF)

    assert (run.status, "c1/net1 has it" in run.err) == (1, True), run.err
    assert (used.run_dir / "golden" / VF).read_text() == before
    assert f"{VF}: c1/net1 has it" in sriovctl(used, "baseline").out


def test_a_file_that_cannot_be_read_is_told_and_taking_ends_it(used: World) -> None:
    file = used.run_dir / "golden" / VF
    file.write_text("{")

    told = sriovctl(used, "baseline").out
    assert (str(file) in told, f"--take {VF}" in told or "cannot be read" in told) == (True, True)
    assert sriovctl(used, "baseline", "--take", VF).status == 0

    assert json.loads(file.read_text())["state"]["vlan"] == 0
    assert used.call("ADD", used.conf(master=None, deviceID=VF)).code == 0


@pytest.mark.parametrize("where", ["nope", "0000:01:00.0", "0000:ff:00.0", "../../etc/passwd", "enp1s0f0"])
def test_only_a_vf_can_be_taken(used: World, where: str) -> None:
    run = sriovctl(used, "baseline", "--take", where)

    assert (run.status, "no such VF" in run.err) == (1, True), run.err
    assert [path.name for path in (used.run_dir / "golden").iterdir()] == [VF]


def test_what_is_no_pf_and_no_vf_is_an_error(used: World) -> None:
    run = sriovctl(used, "baseline", "nope")

    assert (run.status, "no such interface or PCI device" in run.err) == (1, True), run.err
