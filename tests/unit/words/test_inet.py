"""Addresses and prefixes as (version, integer): the stdlib's ipaddress is the oracle."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cni_sriov.words import inet
from tests.unit.networks import Network, overlaps


@st.composite
def near_an_edge(draw: st.DrawFn) -> IPv4Address | IPv6Address:
    bits = draw(st.sampled_from([32, 128]))
    edge = draw(st.sampled_from([0, 1, 0x7F << 24, 0xA9FE << 16, 0xE << 28, 0xF << 28, 0xFFFF << 32, 0xFE80 << 112,
                                 0xFEC0 << 112, 0xFF << 120, 1 << bits, 1 << 24, 0x80 << 24, 0xA9FF << 16, 1 << 48]))  # fmt: skip
    number = (edge + draw(st.integers(-3, 3))) % (1 << bits)
    return IPv4Address(number) if bits == 32 else IPv6Address(number)


@settings(max_examples=500, deadline=None)
@given(near_an_edge())
def test_what_is_reserved_is_what_the_stdlib_says(address: IPv4Address | IPv6Address) -> None:
    mapped = isinstance(address, IPv6Address) and address.ipv4_mapped is not None
    this_network = address in ip_network("0.0.0.0/8")
    everybody = address == IPv4Address("255.255.255.255")
    named = address.is_loopback or address.is_multicast or address.is_link_local or address.is_unspecified
    expected = named or this_network or everybody or mapped

    found = [what for low, high, _, what in inet.RESERVED[address.version] if low <= int(address) <= high]

    assert len(found) == expected


@st.composite
def networks(draw: st.DrawFn) -> Network:
    bits = draw(st.sampled_from([32, 128]))
    length, value = draw(st.integers(0, bits)), draw(st.integers(0, (1 << bits) - 1))
    return (IPv4Network if bits == 32 else IPv6Network)((value, length), strict=False)


@given(networks(), networks())
def test_a_prefix_is_what_the_stdlib_has(one: Network, other: Network) -> None:
    ours, theirs = inet.parse_prefix(str(one)), inet.parse_prefix(str(other))

    assert ip_network(str(ours)) == one  # inet_ntop writes ::4.0.0.0 where ipaddress writes ::400:0
    assert (ours.value, ours.last) == (int(one[0]), int(one[-1]))
    assert ours.overlaps(theirs) == overlaps(one, other)
    assert ours.contains(theirs) == (one.version == other.version and other.subnet_of(one))  # type: ignore[arg-type]
    assert (ours == theirs) == (one == other)


@given(networks(), st.integers(0, 128))
def test_the_prefix_around_an_address_is_what_the_stdlib_has(net: Network, length: int) -> None:
    length = min(length, net.max_prefixlen)
    found, value = inet.parse_interface(f"{net[-1]}/{length}")

    assert (ip_network(str(found)), value) == (type(net)((int(net[-1]), length), strict=False), int(net[-1]))
    assert ip_address(inet.render_address(net.version, value)) == net[-1]


@pytest.mark.parametrize(
    "text", ["", "/8", "10.0.0.0", "10.0.0/8", "010.0.0.0/8", "10.0.0.0/33", "10.0.0.0/-1", "fd00::/129",
             "fd00::1::/64", "10.0.0.0/8 ", "10.0.0.0/\u0668", "10.0.0.0/008x", "\0/8", "\udc80/8"]
)  # fmt: skip
def test_what_the_stdlib_refuses_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        ip_network(text + "/x" if "/" not in text else text)
    with pytest.raises(ValueError):
        inet.parse_interface(text)


def test_host_bits_are_told_with_the_network_that_was_meant() -> None:
    with pytest.raises(
        ValueError, match=r'"10\.0\.0\.7/24" has host bits set; the network is 10\.0\.0\.0/24'
    ):
        inet.parse_prefix("10.0.0.7/24")


@given(st.sampled_from([IPv4Network, IPv6Network]), st.integers(0, 2**128 - 1), st.integers(0, 128))
def test_a_file_name_says_its_prefix(kind: type[Network], value: int, length: int) -> None:
    whole = kind((0, 0))
    net = kind((value % whole.num_addresses, min(length, whole.max_prefixlen)), strict=False)
    prefix = inet.parse_prefix(str(net))

    assert inet.prefix_of(inet.name_of(prefix)) == prefix
    assert inet.name_of(prefix) == str(prefix).replace("/", "_")


@pytest.mark.parametrize(
    "name", ["", "x", "10.10.1.0", "10.10.1.0_33", "10.10.1.7_24", "10.10.1.0/24", "10.10.1.0_024", "FD00::_64", "fd00:0::_64"]
)  # fmt: skip
def test_another_spelling_is_no_file_name(name: str) -> None:
    """Else two files could be one subnet."""
    assert inet.prefix_of(name) is None
