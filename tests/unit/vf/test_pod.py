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
