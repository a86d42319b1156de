"""The one way back of a container's VF: here of one that is in the host's own netns (CNI_NETNS_OVERRIDE)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cni_sriov.doors import cni
from cni_sriov.kernel.netns import OWN
from cni_sriov.verbs import add
from tests import fakes
from tests.unit.one_port import at_home, pull_cable
from tests.world import World

VF = "0000:01:10.0"


def call_in_own(world: World, verb: str, conf: dict[str, Any], netns: str = OWN) -> int:
    env = {"CNI_COMMAND": verb, "CNI_CONTAINERID": "own", "CNI_IFNAME": "net1", "CNI_PATH": "/x"}
    env |= {"CNI_NETNS": netns, "CNI_NETNS_OVERRIDE": "1"}
    return cni.main(env, lambda: json.dumps(conf), lambda *_: None, world._host)  # noqa: SLF001


def test_what_is_stacked_on_it_in_our_own_netns_is_deleted(world: World) -> None:
    conf = world.conf(master=None, deviceID=VF)
    assert call_in_own(world, "ADD", conf) == 0
    world.kernel.stack(world.kernel.host, at_home(world), "v5", "vlan")
    world.kernel.add_upper(at_home(world), "v5")

    assert call_in_own(world, "DEL", conf) == 0

    assert not world.kernel.host.has("v5")


def test_the_loopback_of_the_host_is_left_alone(world: World) -> None:
    """An operator who disabled IPv6 there: DEL could not put it back."""
    key = ("net", "ipv6", "conf", "lo", "disable_ipv6")
    world.kernel.host.sysctls[key] = "1"
    pools = [{"subnet": "fd00:10::/48", "prefixLength": 64}]
    conf = world.conf(master=None, deviceID=VF, ipam=world.ipam(pools=pools))

    assert call_in_own(world, "ADD", conf) == 0

    assert world.kernel.host.sysctls[key] == "1"


def test_a_port_in_our_own_netns_is_taken_off(world: World) -> None:
    conf = world.conf(master=None, deviceID=VF)
    assert call_in_own(world, "ADD", conf) == 0
    vf = at_home(world)
    world.kernel.enslave(world.kernel.host, vf, "bond0")
    world.kernel.add_upper(vf, "bond0")

    assert call_in_own(world, "DEL", conf) == 0

    assert vf.master is None


def test_what_waits_for_its_pf_in_our_own_netns_is_taken_back_too(world: World) -> None:
    conf = world.conf(master=None, deviceID=VF)
    assert call_in_own(world, "ADD", conf | {"max_tx_rate": 100}) == 0
    pull_cable(world)
    assert call_in_own(world, "DEL", conf, "") == 0
    assert world.call("ADD", conf, "c2").code == 11
    pull_cable(world, out=False)

    assert world.call("ADD", conf, "c2").code == 0


def test_a_vf_taken_back_from_our_own_netns_can_be_had_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had an address in the host when this ADD first looked."""
    conf = world.conf(master=None, deviceID=VF)

    def die(*_: object) -> None:
        raise fakes.Crash("killed")

    with monkeypatch.context() as patch:
        patch.setattr(add, "_note_done", die)
        patch.setattr(add, "_undo", lambda *_: None)
        with pytest.raises(fakes.Crash):
            call_in_own(world, "ADD", conf | {"ipam": world.ipam()})

    assert world.call("ADD", conf, "c2").code == 0


def test_a_lease_directory_that_cannot_be_used_keeps_no_vf(world: World) -> None:
    """Where others can write to it, DEL says so, and gives back all else."""
    conf = world.conf(vlan=100, ipam=world.ipam())
    assert world.call("ADD", conf).code == 0
    world.data_dir.chmod(0o777)

    failed = world.call("DEL", conf)

    assert (failed.code, failed.text.startswith(f"use directory {world.data_dir}")) == (5, True)
    assert at_home(world).name == "enp1s0f0v0"
    assert world.kernel.pfs[0].vfs[0].state.vlan == 0
    world.data_dir.chmod(0o700)
    assert world.call("DEL", conf).code == 0
