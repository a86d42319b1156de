"""The same word becomes the same other one, and what was a network, a maker's MAC or a container's ID still is one."""

from __future__ import annotations

import ipaddress
import random

import pytest

from cni_sriov.ctl.recording.hiding import Hiding

ID = "5f0e6a1c" * 8


@pytest.fixture
def hiding() -> Hiding:
    made = Hiding(b"salt")
    made.hide(["web-1", "c1", ID, "shop"])
    return made


@pytest.mark.parametrize(
    "text",
    ["web-1", "c1@net1", "/run/netns/web-1", "K8S_POD_NAME=web-1;X=shop", "%2Fweb-1", "fast@shop@web-1@net1"],
)
def test_names_are_gone_wherever_they_stand(hiding: Hiding, text: str) -> None:
    told = hiding.text(text)

    assert ("web-1" in told, "c1" in told, "shop" in told) == (False, False, False)
    assert told == hiding.text(text)
    assert told != Hiding(b"other", dict.fromkeys(["web-1"], "x")).text(text)


def test_a_part_of_another_word_stays(hiding: Hiding) -> None:
    assert hiding.text("c10 ac1 workshop web-12") == "c10 ac1 workshop web-12"


def test_a_container_id_stays_one_and_so_does_its_beginning(hiding: Hiding) -> None:
    told, short = hiding.text(ID), hiding.text(ID[:12])

    assert (len(told), int(told, 16) > 0, told != ID) == (64, True, True)
    assert told.startswith(short)


@pytest.mark.parametrize("mac", ["52:54:00:ab:cd:ef", "52-54-00-AB-CD-EF"])
def test_of_a_mac_the_makers_half_stays(hiding: Hiding, mac: str) -> None:
    told = hiding.text(f"link/ether {mac} brd ff:ff:ff:ff:ff:ff")

    assert told.lower().startswith(f"link/ether {mac[:9].lower()}")
    assert told.endswith("brd ff:ff:ff:ff:ff:ff")
    assert mac.lower()[9:] not in told.lower()


def test_a_mac_in_a_name_and_in_an_address_is_the_same_one(hiding: Hiding) -> None:
    """enx5254...: systemd.net-naming-scheme(7); RFC 4291 appendix A."""
    lower = hiding.mac("52:54:00:ab:cd:ef").replace(":", "")[6:]

    assert hiding.text("enx525400abcdef") == f"enx525400{lower}"
    assert hiding.text("fe80::5054:ff:feab:cdef") == str(
        ipaddress.ip_address(f"fe80::5054:ff:fe{lower[:2]}:{lower[2:]}")
    )


def test_none_and_all_are_no_address_of_anybody(hiding: Hiding) -> None:
    text = "00:00:00:00:00:00 0.0.0.0 127.0.0.1 255.255.255.255 ::1 fe80::1 ff02::1 224.0.0.1"
    assert hiding.text(text) == text


@pytest.mark.parametrize(
    "text", ["0000:01:00.0", "pci:v00008086d000010CA", "6.12.95", "10:20:30", "3.2.1.0.9"]
)
def test_what_is_no_address_stays(hiding: Hiding, text: str) -> None:
    assert hiding.text(text) == text


def test_an_address_is_another_one(hiding: Hiding) -> None:
    for text in ("203.0.113.7", "10.10.0.2", "2001:db8:1::2"):
        told = hiding.text(text)
        assert told != text
        assert ipaddress.ip_address(told).version == ipaddress.ip_address(text).version


def test_networks_stay_networks_and_what_is_in_them_stays_in_them() -> None:
    """Of random pools, leases and addresses; the stdlib judges."""
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    for _ in range(30):
        nets: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for _ in range(6):
            length = rng.randrange(8, 31)
            first = rng.choice([rng.randrange(1, 127), rng.randrange(128, 224)])
            value = (first << 24 | rng.randrange(1 << 24)) >> 32 - length << 32 - length
            nets.append(ipaddress.ip_network((value, length)))
        value = 0x20010DB8 << 96 | rng.randrange(1 << 48) << 48
        nets.append(ipaddress.ip_network((value >> 64 << 64, 64)))
        nets = [net for net in nets if not net.network_address.is_link_local]
        inside = [net[rng.randrange(min(net.num_addresses, 1 << 16))] for net in nets]
        hiding = Hiding(rng.randbytes(8))
        for net in nets:
            hiding.learn_lengths(str(net))

        told = [ipaddress.ip_network(hiding.text(str(net))) for net in nets]
        addresses = [ipaddress.ip_address(hiding.text(str(one))) for one in inside]

        for net, was, now, address in zip(nets, inside, told, addresses, strict=True):
            assert (now.prefixlen, address in now) == (net.prefixlen, True), (seed, net, was)
            for other, told_other in zip(nets, told, strict=True):
                if other.version == net.version:
                    assert net.overlaps(other) == now.overlaps(told_other), (seed, net, other)


def test_a_lease_by_its_file_name(hiding: Hiding) -> None:
    assert hiding.text("10.10.1.0_24") == hiding.text("10.10.1.0/24").replace("/", "_")


def test_the_lower_half_of_an_address_by_chance_is_hidden(hiding: Hiding) -> None:
    """RFC 7217: it tells an interface from all others."""
    assert "a1b2:c3d4:e5f6:789a" not in hiding.text("2001:db8:1:2:a1b2:c3d4:e5f6:789a")
    assert hiding.text("2001:db8:1:2::2").endswith("::2") or hiding.text("2001:db8:1:2::2").endswith(":2")


def test_macs_in_the_kernels_own_form(hiding: Hiding) -> None:
    hiding.learn_mac("52:54:00:ab:cd:ef")
    packed = bytes.fromhex("525400abcdef")

    told = hiding.packed(b"\1" + packed + b"\2" + packed)

    assert told[1:7] == told[8:14] == bytes.fromhex(hiding.mac("52:54:00:ab:cd:ef").replace(":", ""))
    assert hiding.digits(b"525400abcdef\n") != b"525400abcdef\n"
    assert len(hiding.digits(b"525400abcdef\n")) == 13
