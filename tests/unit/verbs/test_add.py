"""The order of what an ADD does in the pod."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from cni_sriov.words.errors import CniError
from tests.unit.one_port import pull_cable

if TYPE_CHECKING:
    from tests.world import World

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


def test_a_stop_signal_while_add_announces_undoes_it(one_vf: World) -> None:
    before = one_vf.snapshot()

    def stopped(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    one_vf.kernel.before("announce", stopped)

    reply = one_vf.call("ADD", one_vf.conf(vlan=100, ipam=one_vf.ipam()))

    assert (reply.code, one_vf.snapshot()) == (11, before)


def test_a_stop_signal_while_add_undoes_itself_does_not_stop_the_undoing(one_vf: World) -> None:
    before = one_vf.snapshot()

    def stopped(_netlink: object, _pf: int, _index: int, vlan: int, *_: object) -> None:
        if vlan == 0:  # the undoing
            os.kill(os.getpid(), signal.SIGTERM)

    one_vf.kernel.before("set_vf_vlan", stopped, always=True)

    # igb refuses link_state
    reply = one_vf.call("ADD", one_vf.conf(vlan=100, trust="on", link_state="disable"))

    assert (reply.code, one_vf.snapshot()) == (11, before)


def test_an_undo_that_must_wait_is_not_told_as_done(world: World) -> None:
    def fail(*_: object) -> None:
        pull_cable(world)
        raise CniError("move it: the test said no", code=5)

    world.kernel.before("move", fail)

    assert world.call("ADD", world.conf(max_tx_rate=100)).code == 5

    assert "undone" not in world.log_file.read_text()
