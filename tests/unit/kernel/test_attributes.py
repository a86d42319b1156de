"""netlink's own wire format: a message's header and attributes, as pyroute2 and struct have them."""

from __future__ import annotations

import struct

import pytest
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from cni_sriov.kernel import attributes, nlsocket, rtnl


def test_message_header_is_pyroute2s() -> None:
    msg = ifinfmsg()
    msg["index"] = 7
    msg["header"]["type"] = rtnl.RTM_NEWLINK
    msg["header"]["flags"] = nlsocket.NLM_F_REQUEST | nlsocket.NLM_F_ACK
    msg["header"]["sequence_number"] = 42
    msg.encode()

    ours = attributes.message(rtnl.RTM_NEWLINK, nlsocket.NLM_F_REQUEST | nlsocket.NLM_F_ACK, 42, rtnl.link(7))

    assert ours == bytes(msg.data)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 9, 65535])
def test_an_attribute_whose_length_does_not_fit_is_malformed(size: int) -> None:
    """After a good one; in front of what would have been one more, had it been believed."""
    body = attributes.attr_u32(1, 7) + struct.pack("=HH", size, 2) + bytes(4)

    for read in (attributes.attrs_of, lambda body: list(attributes.walk(body))):
        with pytest.raises(attributes.Malformed):
            read(body)
    assert attributes.find(body, 0, 3) == -1
