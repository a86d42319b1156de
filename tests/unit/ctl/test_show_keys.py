"""What the operator sees of a key."""

from __future__ import annotations

from tests.unit.ctl.tool import sriovctl
from tests.world import World


def test_what_it_is_its_values_its_default_and_its_errors(world: World) -> None:
    """As in docs/configuration.md and docs/errors.md."""
    run = sriovctl(world, "explain", "vlanProto")

    lines = run.out.splitlines()
    assert (run.status, lines[0]) == (0, "vlanProto, of a network's configuration")
    assert "Protocol of the VLAN tag" in lines[1]
    assert [line.strip() for line in lines[2:]] == [
        "value: one of 802.1q, 802.1ad",
        'default: "802.1q"',
        "error 7: it is none of 802.1q, 802.1ad",
        "error 7: it is given without vlan",
        "error 7: 802.1ad needs a vlan that is not 0",
        'error 7: with "vpp" in mode "host" no VF is used, and the tap has no such thing',
        "error 100: the PF's driver refuses it, or takes it without effect",
    ]


def test_an_object_has_its_keys_and_what_else_is_called_so(world: World) -> None:
    lines = sriovctl(world, "explain", "pools").out.splitlines()

    assert (
        "  keys: ipam.pools[].subnet, ipam.pools[].prefixLength, ipam.pools[].gateway, ipam.pools[].exclude, ipam.pools[].blocks"
        in lines
    )
    assert "  default: none" in lines
    assert sriovctl(world, "explain", "mtu").out.splitlines()[-1].startswith("others are called so, too: ")
