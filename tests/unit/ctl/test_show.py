"""status and leases: the JSON contract, and what a human sees."""

from __future__ import annotations

import re
from typing import Any

from tests.unit.ctl.tool import attach, sriovctl
from tests.world import World


def test_json_is_the_contract(world: World) -> None:
    result = attach(world, vlan=100, mac="02:11:22:33:44:55")

    run = sriovctl(world, "status", "--json")

    (pf,) = run.document["pfs"]
    vfs = pf.pop("vfs")
    assert vfs[0]["owner"].pop("since")  # test_owned.py
    assert pf == {
        "name": "enp1s0f0", "pci": "0000:01:00.0", "driver": "igb", "up": True, "numvfs": 7, "totalvfs": 7, "offer": None,
        "counts": {"free": 6, "attached": 1, "claimed": 0, "released": 0, "dead": 0, "busy": 0, "unknown": 0},
        "vendor": "8086", "device": "10c9", "model": "", "iommuGroup": None, "numaNode": None,
        "mac": world.kernel.pfs[0].link.mac, "carrier": True, "mtu": 1500,
        "counters": {"rxPackets": 0, "txPackets": 0, "rxBytes": 0, "txBytes": 0},
    }  # fmt: skip
    more: dict[str, Any] = {
        "reason": "", "openIn": [], "keptBy": [], "inside": [], "userspace": None, "vendor": "8086", "device": "10ca", "iommuGroup": None, "numaNode": None, "mtu": 1500,
        "settings": {
            "vlanQoS": 0, "vlanProto": "802.1q", "spoofchk": True, "trust": False, "linkState": "auto", "minTxRate": 0,
            "maxTxRate": 0,
        },
        "counters": {"rxPackets": 0, "txPackets": 0, "rxBytes": 0, "txBytes": 0},
    }  # fmt: skip
    assert (
        vfs[0]
        == {
            "index": 0,
            "pci": "0000:01:10.0",
            "driver": "igbvf",
            "netdev": "net1",
            "mac": "02:11:22:33:44:55",
            "vlan": 100,
            "owner": {
                "containerID": "c1",
                "ifname": "net1",
                "network": "fast",
                "netns": "/run/netns/pod1",
                "pod": "",
                "podNamespace": "",
                "podName": "",
                "podUID": "",
            },
            "leases": [
                {
                    "subnet": "10.10.0.0/24",
                    "address": result["ips"][0]["address"],
                    "gateway": "10.10.0.1",
                    "scope": "default",
                    "pool": "10.10.0.0/16",
                    "sticky": "",
                }
            ],
            "state": "attached",
            "up": True,
            "carrier": True,
        }
        | more
        | {"inside": ["? (pid 10)"]}  # of a fake pod, whose process has no name
    )
    free = world.kernel.pfs[0].vfs[1].link
    assert free is not None
    assert vfs[1] == {
        "index": 1, "pci": "0000:01:10.2", "driver": "igbvf", "netdev": "enp1s0f0v1", "mac": free.mac,
        "vlan": 0, "owner": None, "leases": [], "state": "free", "up": False, "carrier": False,
    } | more  # fmt: skip


def test_a_vf_in_a_pod_without_an_asked_mac_shows_its_own(world: World) -> None:
    own = world.kernel.pfs[0].vfs[0].link
    assert own is not None
    mac = own.mac
    attach(world)

    (pf,) = sriovctl(world, "status", "--json").document["pfs"]

    assert pf["vfs"][0]["mac"] == mac


def test_table_in_a_pipe_has_no_colours_and_no_lines(world: World) -> None:
    attach(world, vlan=100)

    lines = sriovctl(world, "status").out.splitlines()

    assert lines[0].split() == ["PF", "VF", "driver", "MAC", "VLAN", "container", "subnet"]
    mac = world.pod_link().mac
    assert lines[1].split() == ["enp1s0f0", "0", "igbvf", mac, "100", "c1/net1", "10.10.0.0/24"]
    assert lines[2].split()[4:] == ["-", "free", "-"]
    assert lines[-1] == "enp1s0f0 (0000:01:00.0, igb): up, 7 of 7 VFs, 1 attached"
    assert "\033" not in "".join(lines)


def test_table_in_a_terminal_has_colours_and_fits_80_columns(world: World) -> None:
    world.kernel.add_pod("/run/netns/pod2")
    conf = world.conf(ipam=world.ipam(), vlan=4094)
    assert world.call("ADD", conf, container="f" * 64, netns="/run/netns/pod2").code == 0

    shown = sriovctl(world, "status", screen=True).out

    assert "\033[1m" in shown
    lines = re.sub(r"\033\[[0-9;]*m", "", shown).splitlines()
    assert max(map(len, lines)) <= 80
    mac = world.pod_link("/run/netns/pod2").mac
    expected = ["enp1s0f0", "0", "igbvf", mac, "4094", "ffffffffffff/net1", "10.10.0.0/24"]
    assert next(line.split() for line in lines if "4094" in line) == expected


def test_states_stand_where_no_container_does(world: World) -> None:
    links = {link.name: link for link in world.kernel.host.links.values()}
    world.kernel.add_upper(links["enp1s0f0v1"], "br0")
    world.kernel.set_driver(world.kernel.pfs[0].vfs[2], "")
    attach(world)
    world.kernel.kill_netns("/run/netns/pod1")

    lines = sriovctl(world, "status").out.splitlines()

    assert "c1/net1 (the VF is back in the host)" in lines[1]
    assert "enp1s0f0v1 is a port of br0" in lines[2]
    assert "no driver is bound" in lines[3]


def test_ports_that_are_down_or_empty_say_so(world: World) -> None:
    world.kernel.add_pf("enp1s0f1", "0000:01:00.1", up=False)
    world.kernel.add_pf("enp2s0", "0000:02:00.0", up=False, numvfs=1)

    last = sriovctl(world, "status").out.splitlines()[-2:]

    assert last[0] == "enp1s0f1 (0000:01:00.1, igb): down, no VFs of 7; create some: sriovctl vfs enp1s0f1 7"
    assert last[1].endswith("down, 1 of 7 VFs, 0 attached; its VFs carry nothing until it is up")


def test_nothing_leased(world: World) -> None:
    assert sriovctl(world, "leases").out == "no leases\n"
