"""One igb port with one VF, or a few, and two pods: what most accidents need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.fakes import FakeLink, FakeVf
from tests.world import World

MINE, OTHERS = "/run/netns/pod1", "/run/netns/pod2"


def a_world(root: Path, vfs: int = 1) -> World:
    world = World(root)
    world.kernel.add_pf("enp1s0f0", "0000:01:00.0", numvfs=vfs)
    world.kernel.add_pod(MINE)
    world.kernel.add_pod(OTHERS)
    for vf in world.kernel.pfs[0].vfs:  # as after its first `up`: the PF knows the address it has
        vf.state.mac = vf.link.mac if vf.link else ""
    return world


def vf_of(world: World) -> FakeVf:
    return world.kernel.pfs[0].vfs[0]


def link_of(world: World) -> FakeLink:
    link = vf_of(world).link
    assert link is not None
    return link


def full_conf(world: World) -> dict[str, Any]:
    told = {"CNIDeviceInfoFile": f"{world.devinfo_dir}/c1_net1"}
    asked = {"vlan": 100, "mac": "02:00:00:00:aa:01", "spoofchk": "off", "mtu": 1400}
    return world.conf(**asked, ipam=world.ipam(), runtimeConfig=told)


def hide_pf(world: World) -> None:
    """The PF into a netns of its own (kernels.md 6.16)."""
    host, pf = world.kernel.host, world.kernel.pfs[0].link
    elsewhere = world.kernel.add_pod("/run/netns/pf")
    world.kernel.move(host, world.kernel.netlink.ifindex(pf.name), elsewhere, pf.name)


def show_pf(world: World) -> None:
    world.kernel.kill_netns("/run/netns/pf")
    world.kernel.pfs[0].link.is_up = True


def pull_cable(world: World, out: bool = True) -> None:
    world.kernel.pfs[0].link.carrier = not out


def at_home(world: World) -> FakeLink:
    """The first VF's netdev, which must be in the host."""
    return next(link for link in world.kernel.host.links.values() if link.pci_address == "0000:01:10.0")
