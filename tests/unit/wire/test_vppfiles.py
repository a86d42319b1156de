"""The files for a container's VPP, read and executed by tests/vpp/grammar.py and tests/vpp/cli.py, which know VPP alone."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cni_sriov.wire import vppfiles
from cni_sriov.words.vpp import Tap, VppPart
from tests.vpp.cli import Vpp
from tests.vpp.grammar import Refused, Startup

NET1 = VppPart(
    "/run/vpp-of/c1",
    "/run/vpp-of",
    "/etc/vpp/cni-sriov",
    "net1",
    "0000:01:10.0",
    1500,
    ["10.10.1.2/24", "fd00:10:0:1::2/64"],
    [["10.10.0.0/16", ""], ["0.0.0.0/0", "10.10.1.1"], ["::/0", "fd00:10:0:1::1"]],
)
NET2 = replace(
    NET1,
    name="net2",
    vf="0000:01:10.2",
    mtu=9000,
    addresses=["10.10.2.2/24"],
    routes=[["10.10.0.0/16", ""], ["10.99.0.0/16", "10.10.2.1"]],
)
TAP1 = Tap(
    0,
    "net1",
    ["10.10.1.3/31", "fd00:10:0:1::3/127"],
    ["10.10.1.2", "fd00:10:0:1::2"],
    ["10.10.1.2"],
    [["10.10.1.0/24", "10.10.1.2"], ["10.10.0.0/16", "10.10.1.2"], ["fd00:10:0:1::/64", "fd00:10:0:1::2"]],
)
TAP2 = Tap(1, "net2", ["10.10.2.3/31"], ["10.10.2.2"], ["10.10.2.2"], [["10.10.0.0/16", "10.10.2.2"]])
KINDS = {
    "one": [NET1],
    "layer 2": [replace(NET1, addresses=[], routes=[])],
    "two": [NET1, NET2],
    "tap": [replace(NET1, tap=TAP1)],
    "two taps": [replace(NET1, tap=TAP1), replace(NET2, tap=TAP2)],
    "tap of the second": [NET1, replace(NET2, tap=TAP2)],
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def started(files: dict[str, str], has_vhost: bool = True) -> Vpp:
    """VPP, and what it does 2 s after its start."""
    startup = Startup.parse(files["startup.conf"])
    path = startup.sections["unix"]["exec"]
    assert path == "/etc/vpp/cni-sriov/start.exec", "where the container has it"
    vpp = Vpp(startup, has_vhost)
    vpp.execute(files["start.exec"])
    return vpp


@every_kind
def test_vpp_does_all_of_it_at_its_start(kind: str) -> None:
    vpp = started(vppfiles.render(KINDS[kind], "c1"))

    for part in KINDS[kind]:
        interface = vpp.interfaces[part.name]
        assert (interface.is_up, interface.mtu) == (True, part.mtu), "VPP's own MTU is 9000"
        assert [str(address) for address in interface.addresses] == part.addresses


@every_kind
def test_a_vpp_that_has_it_all_can_execute_it_again_and_again(kind: str) -> None:
    files = vppfiles.render(KINDS[kind], "c1")
    vpp = started(files)
    before = repr(vpp.state())

    vpp.execute(files["again.exec"])
    once = repr(vpp.state())
    vpp.execute(files["again.exec"])

    assert once == repr(vpp.state()) == before


@every_kind
def test_whatever_was_done_by_hand_is_put_right(kind: str) -> None:
    files = vppfiles.render(KINDS[kind], "c1")
    vpp, fresh = started(files), started(files)
    vpp.interfaces["net1"].addresses.append(ipaddress.ip_interface("192.0.2.1/24"))
    vpp.interfaces["net1"].mtu = 9000
    vpp.interfaces["net1"].is_up = False

    vpp.execute(files["again.exec"])

    assert repr(vpp.state()) == repr(fresh.state())


@every_kind
def test_the_file_of_the_start_once_more_changes_nothing(kind: str) -> None:
    """With a tap it is refused, and before anything is left half done."""
    files = vppfiles.render(KINDS[kind], "c1")
    vpp = started(files)
    before = repr(vpp.state())

    with pytest.raises(Refused, match="conflicts with") if "tap" in kind else contextlib.nullcontext():
        vpp.execute(files["start.exec"])

    assert repr(vpp.state()) == before
    assert (files["start.exec"] == files["again.exec"]) is ("tap" not in kind)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "tap" in kind])
def test_a_container_without_vhost_net_has_its_vfs_all_the_same(kind: str) -> None:
    files = vppfiles.render(KINDS[kind], "c1")
    vpp = Vpp(Startup.parse(files["startup.conf"]), has_vhost=False)

    with pytest.raises(Refused, match="vhost-net"):
        vpp.execute(files["start.exec"])

    for part in KINDS[kind]:
        assert [str(address) for address in vpp.interfaces[part.name].addresses] == part.addresses


def test_two_vfs_of_one_container_are_in_one_startup_file() -> None:
    files = vppfiles.render([NET2, NET1], "c1")

    assert Startup.parse(files["startup.conf"]) == Startup(
        {
            "unix": {
                "nodaemon": "",
                "runtime-dir": "/run/vpp",
                "cli-listen": "/run/vpp/cli.sock",
                "exec": "/etc/vpp/cni-sriov/start.exec",
            },
            "dpdk": {},
        },
        {"0000:01:10.0": {"name": "net1"}, "0000:01:10.2": {"name": "net2"}},
    )


def test_of_two_routes_to_one_place_the_first_interface_has_it() -> None:
    """Else VPP sends each flow another way, and one of these wires does not have the neighbour."""
    vpp = started(vppfiles.render([replace(NET2, name="net10"), replace(NET1, name="net9")], "c1"))

    assert vpp.routes == {
        "10.10.0.0/16": {"net9"},
        "0.0.0.0/0": {"10.10.1.1 net9"},
        "::/0": {"fd00:10:0:1::1 net9"},
        "10.99.0.0/16": {"10.10.2.1 net10"},
    }


def test_a_tap_has_the_side_of_ordinary_programs_and_vpp_answers_for_it_on_the_wire() -> None:
    vpp = started(vppfiles.render(KINDS["tap"], "c1"))

    side = vpp.taps["tap0"]
    assert (side.ifname, [str(a) for a in side.addresses], side.default, side.mtu) == (
        "net1",
        ["10.10.1.3/31", "fd00:10:0:1::3/127"],
        ["10.10.1.2"],
        1500,
    )
    own = vpp.interfaces["tap0"]
    assert (own.is_up, own.uses, own.mtu) == (True, "net1", 1500)
    assert vpp.routes["10.10.1.3/32"] == {"10.10.1.3 tap0"}
    assert (vpp.proxied, vpp.interfaces["net1"].answers) == ({"10.10.1.3-10.10.1.3"}, True)
    assert vpp.nd_proxied == {("tap0", "fd00:10:0:1::3")}


def test_one_tap_alone_has_the_default_route_of_the_container() -> None:
    """VPP's netlink message replaces the one that is there."""
    vpp = started(vppfiles.render(KINDS["two taps"], "c1"))

    assert {name: side.default for name, side in vpp.taps.items()} == {"tap0": ["10.10.1.2"], "tap1": []}


def test_the_containers_routes_are_for_ip_batch() -> None:
    files = vppfiles.render(KINDS["two taps"], "c1")

    assert files["tap.ip"].splitlines()[1:] == [
        "route replace 10.10.1.0/24 via 10.10.1.2 dev net1",
        "route replace 10.10.0.0/16 via 10.10.1.2 dev net1",
        "route replace fd00:10:0:1::/64 via fd00:10:0:1::2 dev net1",
    ]
    assert set(vppfiles.render([NET1], "c1")) == {"startup.conf", "start.exec", "again.exec"}


@pytest.mark.parametrize(
    ("keys", "section", "told"),
    [
        ({"mainCore": 0, "workerCores": "2-3,6"}, "cpu", {"main-core": "0", "corelist-workers": "2-3,6"}),
        ({"mainCore": 1}, "cpu", {"main-core": "1"}),
        ({"mainHeap": "256M"}, "memory", {"main-heap-size": "256M"}),
        ({"buffers": 4096}, "buffers", {"buffers-per-numa": "4096"}),
        ({"hugepages": False}, "buffers", {"page-size": "4K"}),
        ({"hugepages": False}, "dpdk", {"no-hugetlb": ""}),
    ],
)
def test_what_the_conf_says_of_vpp_as_a_whole(
    keys: dict[str, Any], section: str, told: dict[str, str]
) -> None:
    files = vppfiles.render([NET1, replace(NET2, options=keys)], "c1")

    assert Startup.parse(files["startup.conf"]).sections[section] == told


def test_a_vpp_that_is_not_root_has_its_sockets_elsewhere() -> None:
    files = vppfiles.render([replace(NET1, options={"runtimeDir": "/tmp/vpp"})], "c1")

    unix = Startup.parse(files["startup.conf"]).sections["unix"]
    assert (unix["runtime-dir"], unix["cli-listen"]) == ("/tmp/vpp", "/tmp/vpp/cli.sock")


def test_receive_queues_are_of_one_vf() -> None:
    devices = Startup.parse(vppfiles.render([NET1, replace(NET2, queues=2)], "c1")["startup.conf"]).devices

    assert devices == {
        "0000:01:10.0": {"name": "net1"},
        "0000:01:10.2": {"name": "net2", "num-rx-queues": "2"},
    }


def test_crypto_is_a_device_or_a_hint_that_no_vpp_reads() -> None:
    """VPP's own DPDK is built without OpenSSL's driver, and a vdev that it does not know ends it."""
    plain, soft = (
        vppfiles.render([replace(NET1, crypto=crypto)], "c1")["startup.conf"] for crypto in ("", "software")
    )
    qat = vppfiles.render([replace(NET1, crypto="0000:3d:01.1")], "c1")["startup.conf"]

    assert Startup.parse(soft) == Startup.parse(plain)
    assert "--vdev crypto_openssl0" in soft
    assert Startup.parse(qat).devices == {"0000:01:10.0": {"name": "net1"}, "0000:3d:01.1": {}}


# the parser itself: vpp.md, sections 1 and 3 ---------------------------------------------------------------------------


DPDK = "dpdk { dev 0000:01:10.0 { name net1 } }\n"


@pytest.mark.parametrize(
    "text",
    [
        DPDK,
        "dpdk {\n\tdev 0000:01:10.0 { name net1 num-rx-queues 2 tag x } no-hugetlb\n}",
        '# a comment { with "all" of it\'s\nunix { nodaemon } unix { exec /a }\n' + DPDK,
        "buffers { page-size 4K buffers-per-numa 4096 } memory { main-heap-size 256M }\n" + DPDK,
        "cpu { main-core 0 corelist-workers 1 }\r\n" + DPDK,
    ],
)
def test_the_parser_takes_what_vpp_takes(text: str) -> None:
    assert list(Startup.parse(text).devices) == ["0000:01:10.0"]


@pytest.mark.parametrize(
    "text",
    [
        "unix{ nodaemon }\n" + DPDK,
        "dpdk {dev 0000:01:10.0 }",
        "unix { nodaemon\n",
        "unix { nodaemon } }\n" + DPDK,
        "unix { demon }\n" + DPDK,
        'unix { exec "/a" }\n' + DPDK,
        "cpu { maincore 0 }\n" + DPDK,
        "cpu { workers 1 }\n" + DPDK,
        "cpu { corelist-workers 1 }\n" + DPDK,
        "cpu { main-core 1 corelist-workers 0-1 }\n" + DPDK,
        "dpdk { dev 01:10.0 }",
        "dpdk { dev 0000:01:10.0 { nam net1 } }",
        "dpdk { dev 0000:01:10.0 dev 0000:01:10.0 }",
        "dpdk { dev 0000:01:10.0 { name a } dev 0000:01:10.2 { name a } }",
        "dpdk { dev 0000:01:10.0 { name local0 } }",
        "dpdk { }",
        "unix { nodaemon }",
        "",
        f"unix {{ exec /{'a' * 1024} }}\n{DPDK}",
        f"{' ' * 4096}{DPDK}",
    ],
)
def test_the_parser_refuses_what_vpp_refuses_or_ignores(text: str) -> None:
    with pytest.raises(Refused):
        Startup.parse(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty file"),
        ("set interface state nope up", "unknown interface `nope'"),
        ("set interface ip address net1 10.1.0.1/24\nset interface ip address net1 10.1.0.1/24", "conflicts with"),
        (
            "set interface ip address net1 10.1.0.1/24\nset interface ip address net2 10.1.0.2/24",
            "line 2: .*: failed to add 10.1.0.2/24 on net2 which conflicts with 10.1.0.1/24 for interface net1",
        ),
        ("set interface ip address net1 fd00::1/64\nset interface ip address net2 fd00::2/48", "conflicts with"),
        ("set interface ip address del net1 10.77.0.1/24", "10.77.0.1/24 not found for interface net1"),
        ("set interface ip address net1 10.1.0.1", "unknown input"),
        ("create tap id 0 host-if-name a host-mtu-size 9\ncreate tap id 0 host-if-name b host-mtu-size 9", "exists"),
        ("create tap id 0 host-if-name a host-mtu-size 9\ncreate tap id 1 host-if-name a host-mtu-size 9", "second queue"),
        (f"create tap id 0 host-if-name {'a' * 16} host-mtu-size 9", "cut in silence"),
        (
            "create tap id 0 host-if-name a host-ip4-addr 10.1.0.2/24 host-ip4-gw 10.2.0.1 host-mtu-size 9",
            "netlink error -101",
        ),
        ("set interface state net1 up # a\nset interface state $x up", "macro"),
        ("show version", "unknown input"),
    ],
)  # fmt: skip
def test_the_command_line_refuses_what_vpp_refuses(text: str, reason: str) -> None:
    vpp = Vpp(Startup.parse("dpdk { dev 0000:01:10.0 { name net1 } dev 0000:01:10.2 { name net2 } }"))

    with pytest.raises(Refused, match=reason):
        vpp.execute(text)


def test_addresses_of_one_interface_and_one_length_do_not_conflict() -> None:
    vpp = Vpp(Startup.parse(DPDK))

    vpp.execute(
        "set interface ip address net1 10.1.0.1/24\n\n\tset interface ip address net1 10.1.0.2/24\r\n"
    )

    assert len(vpp.interfaces["net1"].addresses) == 2


PRODUCT_OF: dict[str, Callable[[str], str]] = {
    "no dev": lambda text: re.sub("  dev .*\n", "", text),
    "no blank": lambda text: text.replace("dpdk {", "dpdk{"),
}


@pytest.mark.parametrize("fault", PRODUCT_OF)
def test_the_parser_sees_it_in_what_we_write(fault: str) -> None:
    text = vppfiles.render([NET1], "c1")["startup.conf"]

    with pytest.raises(Refused):
        Startup.parse(PRODUCT_OF[fault](text))
