"""What frames netlink's messages, and the kernel's refusals; on a real socket: tests/contract/."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni_sriov.kernel import attributes, nlsocket, replies, rtnl
from cni_sriov.words.errors import KernelRefused

CAPPED, TLVS = 0x100, 0x200  # NLM_F_CAPPED, NLM_F_ACK_TLVS: linux/netlink.h

REQUEST_HEADER = attributes.message(rtnl.RTM_NEWLINK, 5, 1, b"")


@pytest.mark.parametrize(
    ("flags", "asked"),
    [(CAPPED | TLVS, REQUEST_HEADER), (TLVS, attributes.message(rtnl.RTM_NEWLINK, 5, 1, rtnl.link(7)))],
)
def test_refusal_has_errno_and_the_kernels_sentence(flags: int, asked: bytes) -> None:
    body = struct.pack("=i", -22) + asked + attributes.attr_text(1, "mtu greater than device maximum")

    with pytest.raises(KernelRefused) as caught:
        nlsocket.raise_refusal("set link 7 mtu 70000", flags, body)

    assert str(caught.value) == "set link 7 mtu 70000: Invalid argument: mtu greater than device maximum"


def test_acknowledgement_is_no_refusal() -> None:
    nlsocket.raise_refusal("set link 7 up", CAPPED, struct.pack("=i", 0) + REQUEST_HEADER)


def test_datagram_is_cut_into_its_messages() -> None:
    first, second = attributes.message(16, 2, 5, b"abcd"), attributes.message(3, 2, 5, bytes(4))

    assert list(nlsocket.messages(first + second)) == [(16, 2, 5, b"abcd"), (3, 2, 5, bytes(4))]


@given(st.binary(max_size=100), st.integers(0, 0x3FF))
def test_garbage_frames_raise_nothing_but_declared_errors(body: bytes, flags: int) -> None:
    for act in (lambda: list(nlsocket.messages(body)), lambda: nlsocket.raise_refusal("x", flags, body)):
        try:
            act()
        except (attributes.Malformed, KernelRefused):
            pass


def test_what_there_is_no_room_for_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the kernel itself, which lets anybody look at lo. Whoever rules a netns makes answers as long as he likes."""
    monkeypatch.setattr(nlsocket, "_ROOM", 64)
    socket = nlsocket.NetlinkSocket()
    body = rtnl.link(1)

    assert replies.decode_link(socket.ask("look", rtnl.RTM_GETLINK, body, 64)).ifname == "lo"
    assert "lo" in [
        replies.decode_link(link).ifname for link in socket.dump("list", rtnl.RTM_GETLINK, rtnl.link(0))
    ]
    assert replies.decode_link(socket.ask("look", rtnl.RTM_GETLINK, body, 64)).ifname == "lo"
    socket.close()
