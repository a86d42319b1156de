"""The pod's side: the name that is asked for, and everything in it before UP."""

from __future__ import annotations

from tests.unit.one_port import MINE, link_of, vf_of
from tests.world import World


def test_the_name_may_come_up_in_the_pod_after_we_looked(one_vf: World) -> None:
    def the_pod_is_quicker(*_: object) -> None:
        one_vf.kernel.add_link(one_vf.kernel.pods[MINE], "net1")
        link_of(one_vf).altnames.append("net1")  # so that the kernel refuses before it moves

    one_vf.kernel.before("move", the_pod_is_quicker)

    reply = one_vf.call("ADD", one_vf.conf(vlan=100))

    assert (reply.code, vf_of(one_vf).state.vlan, one_vf.files()) == (102, 0, []), reply.text


POOLS = [
    {"subnet": "10.10.0.0/16", "prefixLength": 24},
    {"subnet": "fd00:10::/48", "prefixLength": 64},
]


def test_ipv4_is_there_when_the_kernel_announces_and_ipv6_is_not(world: World) -> None:
    """At UP the kernel advertises what it has (ndisc_notify); looped back, that ends the DAD of an IPv6 address."""
    assert world.call("ADD", world.conf(ipam=world.ipam(pools=POOLS))).code == 0

    done = world.kernel.effects
    v4, v6 = (
        next(n for n, what in enumerate(done) if f"add address {ip}" in what) for ip in ("10.10", "fd00")
    )
    up = next(n for n, what in enumerate(done) if "up" in what.split() and n > v4)
    sysctl = max(n for n, what in enumerate(done) if "/proc/sys/" in what)
    assert sysctl < v4 < up < v6, done
