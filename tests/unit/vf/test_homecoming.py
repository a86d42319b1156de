"""A VF on its way home: what its container, udev and NetworkManager did to it or to its name meanwhile."""

from __future__ import annotations

from tests.unit.one_port import MINE, link_of
from tests.world import World


def test_altnames_that_a_pod_gave_do_not_keep_the_vf_from_coming_home(one_vf: World) -> None:
    """A move takes altnames along, and is refused while the host has one of them: every DEL would fail."""
    before = one_vf.snapshot()
    assert one_vf.call("ADD", one_vf.conf()).code == 0
    link_of(one_vf).altnames += ["enp1s0f0", "mine"]

    reply = one_vf.call("DEL", one_vf.conf())

    assert (reply.code, one_vf.snapshot()) == (0, before), reply.text


def test_udev_may_give_the_altname_between_our_look_and_our_rename(one_vf: World) -> None:
    before = one_vf.snapshot()
    assert one_vf.call("ADD", one_vf.conf()).code == 0
    one_vf.kernel.kill_netns(MINE)
    one_vf.kernel.add_pod(MINE)
    one_vf.kernel.before("set_name", lambda _netlink, _ifindex, name: link_of(one_vf).altnames.append(name))

    reply = one_vf.call("DEL", one_vf.conf())

    assert (reply.code, one_vf.snapshot()) == (0, before), one_vf.log_file.read_text()


def test_a_vf_that_was_up_is_up_again_even_if_somebody_set_it_up_under_the_pods_name(one_vf: World) -> None:
    """NetworkManager sets UP what it finds; the rename then sets it down."""
    netlink = one_vf.kernel.netlink
    netlink.set_up(netlink.ifindex("enp1s0f0v0"))
    before = one_vf.snapshot()
    assert one_vf.call("ADD", one_vf.conf()).code == 0
    one_vf.kernel.kill_netns(MINE)
    one_vf.kernel.add_pod(MINE)
    netlink.set_up(netlink.ifindex("net1"))

    reply = one_vf.call("DEL", one_vf.conf())

    assert (reply.code, one_vf.snapshot()) == (0, before)
