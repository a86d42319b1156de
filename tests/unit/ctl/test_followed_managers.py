"""The doctor's scripts against NetworkManager and systemd-networkd: both read again what they were told, as their pages say."""

from __future__ import annotations

import configparser
from collections.abc import Iterator

from tests.fakes import FakeLink
from tests.unit.ctl.doctor.test_managers import CONFIGURED, MANAGED, UNMANAGED
from tests.unit.ctl.doctor.tree import Tree
from tests.unit.ctl.scripts import Program, findings, follow
from tests.world import World

NM, NETWORKD = "/run/NetworkManager/devices", "/run/systemd/netif/links"


def told(world: World, directory: str) -> Iterator[configparser.SectionProxy]:
    """Each section of each file, the files by name."""
    for path in sorted((world.root / directory).iterdir()):
        parser = configparser.ConfigParser(delimiters="=")
        assert parser.read(path)
        yield from (parser[name] for name in parser.sections())


def vf_links(world: World) -> dict[int, FakeLink]:
    links = [vf.link for vf in world.kernel.pfs[0].vfs]
    return {index: link for index, link in world.kernel.host.links.items() if link in links}


def networkmanager(world: World) -> Program:
    """NetworkManager.conf(5): `unmanaged-devices` of [keyfile] is a list of device specs, and `+=` adds to it."""

    def nmcli(words: list[str]) -> None:
        assert words == ["general", "reload"]
        sections = told(world, "etc/NetworkManager/conf.d")
        specs = {
            spec
            for section in sections
            if section.name == "keyfile"
            for spec in section["unmanaged-devices+"].split(";")
        }
        for index, link in vf_links(world).items():
            if not specs & {"driver:igbvf", f"interface-name:{link.name}"}:
                continue
            Tree(world.root).write(f"{NM}/{index}", "[device]\nmanaged=false\n")

    return nmcli


def networkd(world: World) -> Program:
    """systemd.network(5): the first file whose [Match] fits has the link, and `Unmanaged=yes` of its [Link] leaves it alone."""

    def networkctl(words: list[str]) -> None:
        assert words == ["reload"]
        match, link = told(world, "etc/systemd/network")
        assert ((match.name, link.name), link["Unmanaged"]) == (("Match", "Link"), "yes")
        for index in vf_links(world) if "igbvf" in match["Driver"].split() else ():
            Tree(world.root).write(f"{NETWORKD}/{index}", UNMANAGED)

    return networkctl


def test_vfs_that_both_of_them_manage(world: World) -> None:
    for directory in ("etc/NetworkManager/conf.d", "etc/systemd/network"):
        (world.root / directory).mkdir(parents=True)
    for index in vf_links(world):
        Tree(world.root).write(f"{NM}/{index}", MANAGED)
        Tree(world.root).write(f"{NETWORKD}/{index}", CONFIGURED)
    both = findings(world, "vf-managed")
    assert [one["subject"] for one in both] == ["NetworkManager", "systemd-networkd"]

    for one in both:
        follow(world, one["remedy"], nmcli=networkmanager(world), networkctl=networkd(world))

    assert findings(world, "vf-managed") == []
