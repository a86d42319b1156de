"""Remedies that are told when somebody was faster, or where this machine or caller cannot; followed as they stand."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from cni_sriov.ctl import importer
from cni_sriov.words.errors import KernelRefused
from tests import remedies
from tests.drop_in import SriovCni
from tests.remedies import follows
from tests.unit import dpdk, pcibytes
from tests.unit.ctl.following import follow, teardown_that_fails, with_modules
from tests.unit.ctl.import_node import Node
from tests.unit.ctl.ports import device, numvfs
from tests.unit.ctl.tool import sriovctl
from tests.world import World

PF, VF, HOST_JSON = "0000:01:00.0", "0000:01:10.0", "etc/cni-sriov/host.json"


def say(world: World, *entries: object) -> None:
    path = world.root / HOST_JSON
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"pfs": entries}))


@follows("ctl/boot", "--wait 30")
def test_a_machine_without_systemd(empty: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own init runs that."""
    monkeypatch.setenv("PATH", str(empty.root))
    say(empty, {"pf": {"names": ["enp1s0f0"]}, "numvfs": 4})
    told = sriovctl(empty, "vfs", "enp1s0f0", "4", "--persist")
    assert (told.status, numvfs(empty)) == (1, [0, 0])

    follow(empty, told.err)

    assert numvfs(empty) == [4, 0]


@follows("ctl/boot", "then: sriovctl apply")
def test_an_entry_that_is_about_two_ports(
    empty: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "systemctl").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    entry = {"pf": {"names": ["enp1s0f0", "enp1s0f1"]}, "numvfs": 2}
    say(empty, entry)
    told = sriovctl(empty, "vfs", "enp1s0f0", "4", "--persist").err
    assert 'say "numvfs": 4 there' in told

    say(empty, entry | {"numvfs": 4})
    follow(empty, told)

    assert numvfs(empty) == [4, 4]


@follows("ctl/importer", "see `sriovctl leases`")
def test_a_subnet_that_goes_while_it_is_imported(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    node, write = Node(world), importer._write  # noqa: SLF001 # between the look and the lock
    node.hold("10.1.0.2", "c2")

    def late(*args: object) -> None:
        assert node.bridge("ADD", "other", args={"cni": {"ips": ["10.1.0.2"]}}).code == 0
        write(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(importer, "_write", late)
    told = node.run()
    monkeypatch.undo()
    assert (told.status, "taken meanwhile" in told.err) == (1, True)

    (run,) = follow(world, told.err)

    assert ("10.1.0.2" in run.out, "other/net1" in run.out) == (True, True)
    assert node.bridge("DEL", "other").code == 0
    assert node.run().status == 0


@follows("ctl/refusal", "somebody gave it VFs meanwhile")
def test_a_number_that_somebody_else_wrote_first(empty: World) -> None:
    empty.kernel.before("set_numvfs", lambda *_: empty.kernel.change_numvfs(empty.kernel.pfs[0], 3))
    told = sriovctl(empty, "vfs", "enp1s0f0", "5")
    assert (told.status, numvfs(empty)) == (1, [3, 0])

    follow(empty, told.err)

    assert numvfs(empty) == [5, 0]


@follows("ctl/refusal", "sriovctl vfs {} {}")
def test_who_wrote_too_many_by_hand_asks_the_oracle(empty: World) -> None:
    pf = empty.kernel.sysfs.pfs()[0]
    with pytest.raises(KernelRefused) as caught:
        empty.kernel.sysfs.set_numvfs(pf, 8)

    told = sriovctl(empty, "oracle", "enp1s0f0", "--after", errno.errorcode[caught.value.errno])
    follow(empty, told.out)

    assert numvfs(empty) == [7, 0]


@follows("vf/claim", "says why")
def test_a_card_that_can_have_no_vfs(empty: World) -> None:
    (device(empty, PF) / "sriov_totalvfs").unlink()
    (device(empty, PF) / "config").write_bytes(pcibytes.function(has_sriov=False))
    empty.kernel.add_pod()
    refused = empty.call("ADD", empty.conf())
    assert refused.code == 101, refused.text

    (run,) = follow(empty, refused.document["details"], 1)

    assert "the card has no SR-IOV capability" in run.out


@pytest.mark.parametrize("total", ["0\n", None], ids=["a driver that says 0", "no capability"])
def test_who_can_have_none_is_told_no_number(empty: World, total: str | None) -> None:
    """No verb would take it."""
    said = device(empty, PF) / "sriov_totalvfs"
    said.unlink() if total is None else said.write_text(total)
    (device(empty, PF) / "config").write_bytes(pcibytes.function(has_sriov=total is not None))

    for words in (), ("--after", "ERANGE"):
        told = sriovctl(empty, "oracle", "enp1s0f0", *words).out
        assert ("firmware" in told, remedies.commands(told)) == (True, []), told


@follows("decide/oracle", "sudo sriovctl oracle")
def test_root_alone_reads_a_configuration_space(empty: World) -> None:
    """Whose first 64 bytes are everybody's: pci_read_config, drivers/pci/pci-sysfs.c."""
    (device(empty, PF) / "sriov_totalvfs").unlink()
    config, whole = device(empty, PF) / "config", pcibytes.function(total=0)
    config.write_bytes(whole[:64])
    told = sriovctl(empty, "oracle", PF, euid=1000)
    assert "to root alone" in told.out

    config.write_bytes(whole)
    (run,) = follow(empty, told.out, 1)

    assert "its firmware has them switched off" in run.out


@follows("doors/netavark", "sriovctl gc")
def test_what_podmans_teardown_left(world: World) -> None:
    before = world.settled()
    told = teardown_that_fails(world)
    assert world.settled() != before

    follow(world, told.stderr)

    assert world.settled() == before


@follows("owner/adopt", "sriovctl bind")
@pytest.mark.parametrize("choice", [0, 1])
def test_what_sriov_cni_attached_and_has_no_driver_now(world: World, old: SriovCni, choice: int) -> None:
    dpdk.furnish(with_modules(world))
    vf = world.kernel.pfs[0].vfs[0]
    dpdk.ahead(world, vf)
    conf = old.add(vlan=100)
    world.kernel.set_driver(vf, "")
    refused = world.call("DEL", conf)
    assert refused.code == 101, refused.text

    words = remedies.followed(refused.document["details"])[choice]

    assert sriovctl(world, *words).status == 0
    assert (world.call("DEL", conf).code, vf.state.vlan) == (0, 0)
