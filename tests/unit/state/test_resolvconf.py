"""host-local's `resolvConf` under host-subnet: what is read, through both doors, and what cannot be."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.conf import hostsubnet
from cni_sriov.state import resolvconf
from tests.unit.ctl.import_node import Node
from tests.world import World

POOL: dict[str, Any] = {"subnet": "10.1.0.0/16", "prefixLength": 32, "gateway": "none"}

# written after parseResolvConf in containernetworking/plugins v1.9, plugins/ipam/host-local/dns.go, and its test
FILE = """; comment
# comment
nameserver 192.0.2.0
\tnameserver   192.0.2.1 # the second word counts\r
search example.com
search  a.example b.example
domain first.example
domain example.net
options four
  options five:5 six
sortlist 192.0.2.0/24
nameserver
 #nameserver 192.0.2.9
"""
READ = {
    "nameservers": ["192.0.2.0", "192.0.2.1"],
    "search": ["example.com", "a.example", "b.example"],
    "domain": "example.net",
    "options": ["four", "five:5", "six"],
}


@pytest.mark.parametrize(
    ("text", "dns"),
    [
        (FILE, READ),
        ("", {}),
        ("\n\n# only\n;comments", {}),
        ("nameserver fd00::53", {"nameservers": ["fd00::53"]}),
        ("domain", {}),
        ("nameservers 192.0.2.1\nSEARCH x\n", {}),
    ],
)
def test_it_is_read_as_host_local_reads_it(text: str, dns: dict[str, Any]) -> None:
    assert resolvconf.parse(text) == dns


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "resolv.conf"
    path.write_text(FILE)
    return path


def conf_of(world: World, file: Path, **keys: Any) -> dict[str, Any]:
    return world.conf(ipam=world.ipam(pools=[POOL], resolvConf=str(file), **keys))


def test_add_answers_what_is_in_the_file(world: World, file: Path) -> None:
    assert world.call("ADD", conf_of(world, file)).document["dns"] == READ


def test_so_it_does_under_another_main_plugin(world: World, file: Path) -> None:
    node = Node(world)
    node.set(POOL)
    added = node.bridge("ADD", "c1", ipam=node.conf["ipam"] | {"resolvConf": str(file)})

    assert added.document["dns"] == READ


def test_a_symlink_is_followed_as_etc_resolv_conf_is_one(world: World, file: Path) -> None:
    link = file.parent / "link"
    link.symlink_to("resolv.conf")

    assert world.call("ADD", conf_of(world, link)).document["dns"] == READ


def test_what_is_said_outright_wins_as_a_whole(world: World, file: Path) -> None:
    """As a main plugin of containernetworking/plugins lets the conf's dns win over its IPAM's."""
    own, confs, asked = ({"nameservers": [f"192.0.2.{n}"]} for n in (11, 12, 13))

    def dns(**keys: Any) -> Any:
        conf = conf_of(world, file, dns=own) | keys
        found = world.call("ADD", conf).document["dns"]
        assert world.call("DEL", conf).code == 0
        return found

    assert dns() == own
    assert dns(dns=confs) == confs
    assert dns(dns=confs, runtimeConfig={"dns": {"servers": asked["nameservers"]}}) == asked


def parsed(keys: dict[str, Any]) -> hostsubnet.IpamConf:
    return hostsubnet.parse({"pools": [POOL]} | keys)


def test_resolv_conf_stands_for_dns_unless_that_says_something() -> None:
    path = "/etc/resolv.conf"

    assert parsed({"resolvConf": path}).resolv_conf == path
    assert parsed({"resolvConf": path, "dns": {"search": []}}).resolv_conf == path
    assert parsed({"resolvConf": path, "dns": {"nameservers": ["192.0.2.1"]}}).resolv_conf == ""
    assert parsed({"resolvConf": ""}).resolv_conf == ""


@pytest.mark.parametrize("what", ["missing", "directory", "fifo", "device", "large"])
def test_a_file_that_cannot_be_read_fails_the_add_before_anything_is_changed(
    world: World, file: Path, what: str
) -> None:
    """host-local fails there too. A FIFO without a writer must not make the ADD wait."""
    file.unlink()
    if what == "directory":
        file.mkdir()
    elif what == "fifo":
        os.mkfifo(file)
    elif what == "device":
        file.symlink_to("/dev/zero")
    elif what == "large":
        file.write_text("x" * 65537)
    before = (world.kernel.snapshot(), world.files())

    reply = world.call("ADD", conf_of(world, file))

    assert (reply.code, f"ipam.resolvConf {file}" in reply.text) == (5, True)
    assert (world.kernel.snapshot(), world.files()) == before


def test_its_largest_is_64_kib(world: World, file: Path) -> None:
    file.write_text("nameserver 192.0.2.1\n" + "#" * (65536 - 21))

    assert world.call("ADD", conf_of(world, file)).document["dns"] == {"nameservers": ["192.0.2.1"]}


def test_del_and_check_do_not_need_the_file(world: World, file: Path) -> None:
    conf = conf_of(world, file)
    assert world.call("ADD", conf).code == 0
    file.unlink()

    assert (world.call("CHECK", conf).code, world.call("DEL", conf).code) == (0, 0)
