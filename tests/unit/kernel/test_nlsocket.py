"""What frames netlink's messages, and the kernel's refusals; on a real socket: tests/contract/."""

from __future__ import annotations

import struct
import time

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


class Interrupted:
    """A kernel whose list changes while it is read, the first `times` times (NLM_F_DUMP_INTR)."""

    def __init__(self, times: int) -> None:
        self.times, self.dumps, self.sequence = times, 0, 0

    def send(self, data: bytes) -> None:
        self.sequence = attributes.HEADER.unpack_from(data)[3]
        self.dumps += 1

    def recv(self, *_: object) -> bytes:
        flags = 0x2 | (0x10 if self.dumps <= self.times else 0)  # NLM_F_MULTI, NLM_F_DUMP_INTR
        answer = attributes.message(rtnl.RTM_NEWLINK, flags, self.sequence, b"body")
        return answer + attributes.message(3, flags, self.sequence, bytes(4))  # NLMSG_DONE


def interrupted(times: int) -> tuple[Interrupted, nlsocket.NetlinkSocket]:
    socket, kernel = nlsocket.NetlinkSocket(), Interrupted(times)
    socket.close()
    socket.raw = kernel  # type: ignore[assignment]
    return kernel, socket


def test_a_list_that_changes_for_a_while_is_had_in_the_end() -> None:
    """Twenty looks in a row lay within one burst of changes: 10 of 10 ADDs failed beside a flapping address."""
    kernel, socket = interrupted(60)

    assert socket.dump("list", rtnl.RTM_GETLINK, rtnl.link(0)) == [b"body"]
    assert kernel.dumps == 61


def test_a_list_that_never_stands_still_is_given_up_at_a_deadline() -> None:
    kernel, socket = interrupted(1 << 30)
    began = time.monotonic()

    with pytest.raises(KernelRefused) as caught:
        socket.dump("list", rtnl.RTM_GETLINK, rtnl.link(0))

    assert caught.value.errno == 4  # EINTR
    assert 0.9 < time.monotonic() - began < 5
    assert 20 < kernel.dumps < 1000, "it pauses between two looks"
