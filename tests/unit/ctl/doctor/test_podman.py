"""podman by its files, laid out as its packages and documentation have them."""

from __future__ import annotations

import gzip

import pytest

from cni_sriov.ctl.doctor import runtimes
from cni_sriov.decide.facts_runtime import Runtimes
from cni_sriov.kernel.files import Files
from cni_sriov.words.failures import Failures
from tests.unit.ctl.doctor.tree import Tree
from tests.unit.ctl.tool import host
from tests.world import World


@pytest.fixture
def node(world: World) -> Tree:
    return Tree(world.root)


def look(world: World, bundle: str = "") -> tuple[Runtimes, list[str]]:
    failures = Failures()
    return runtimes.look(host(world), Files(str(world.root)), failures, bundle), failures.told


def changelog(version: str) -> bytes:
    return gzip.compress(f"libpod ({version}) unstable; urgency=medium\n\n  * x\n".encode())


def test_podman_that_was_told_to_use_cni(world: World, node: Tree) -> None:
    node.write("/usr/bin/podman")
    node.write("/etc/containers/containers.conf", '[network]\nnetwork_backend = "netavark"\n')
    node.write(
        "/etc/containers/containers.conf.d/50.conf",
        '[network]\nnetwork_backend = "cni"\ncni_plugin_dirs = ["/opt/cni/bin"]\n',
    )
    node.write("/usr/share/doc/podman/changelog.Debian.gz", changelog("4.3.1+ds1-8+deb12u1"))

    found = look(world)[0]

    assert [(one.name, one.bin_dirs, one.takes) for one in found.runtimes] == [
        ("podman", ["/opt/cni/bin"], 0)
    ]
    assert found.podman is None


@pytest.mark.parametrize(
    ("files", "backend"),
    [
        ({"/var/lib/containers/storage/defaultNetworkBackend": "cni"}, "cni"),
        ({"/var/lib/containers/storage/defaultNetworkBackend": "netavark\n"}, "netavark"),
        ({"/usr/lib/podman/netavark": ""}, "netavark"),
        (
            {
                "/usr/lib/podman/netavark": "",
                "/var/lib/containers/storage/defaultNetworkBackend": "cni",
            },
            "cni",
        ),
        ({}, "cni"),
    ],
)
def test_what_podman_chooses_by_itself(world: World, node: Tree, files: dict[str, str], backend: str) -> None:
    node.write("/usr/bin/podman")
    for path, text in files.items():
        node.write(path, text)

    found = look(world)[0]

    assert ([one.name for one in found.runtimes], found.podman is None) == (
        (["podman"], True) if backend == "cni" else ([], False)
    )


def test_podman_5_has_no_cni_whatever_it_is_told(world: World, node: Tree) -> None:
    node.write("/usr/bin/podman")
    node.write("/etc/containers/containers.conf", '[network]\nnetwork_backend = "cni"\n')
    node.write("/usr/share/doc/podman/changelog.Debian.gz", changelog("5.4.2+ds1-2+b1"))
    node.write("/etc/containers/networks/fast.json", '{"name": "fast", "driver": "sriov"}')
    node.write("/etc/containers/networks/podman.json", '{"name": "podman", "driver": "bridge"}')
    node.write("/etc/containers/networks/broken.json", "{")

    found, unseen = look(world)

    assert (found.runtimes, unseen) == ([], [])
    assert found.podman is not None
    assert (found.podman.version, found.podman.networks) == ("5.4.2", ["/etc/containers/networks/fast.json"])
    assert found.podman.told.said == "podman 5.4.2: it has no CNI"
    assert found.podman.plugin == ""

    node.write("/usr/lib/netavark/sriov")
    assert getattr(look(world)[0].podman, "plugin", "") == "/usr/lib/netavark/sriov"


def test_a_damaged_changelog_tells_no_version(world: World, node: Tree) -> None:
    node.write("/usr/bin/podman")
    node.write("/usr/lib/podman/netavark")
    node.write("/usr/share/doc/podman/changelog.Debian.gz", b"\x1f\x8b\x08nonsense")

    found, unseen = look(world)

    assert (getattr(found.podman, "version", None), unseen) == ("", [])


@pytest.mark.parametrize(
    ("there", "is_this"), [("this version", True), ("the one before", False), ("", True)]
)
def test_whether_podmans_plugin_is_of_this_version(
    world: World, node: Tree, there: str, is_this: bool
) -> None:
    """By the file that it leads to, and else by what is in it; without one there is nothing to compare."""
    bundle = "/opt/cni/bin/.cni-sriov/0123456789ab/sriov"
    node.write("/usr/bin/podman")
    node.write("/usr/lib/podman/netavark")
    node.write("/opt/cni/bin/.cni-sriov/current/sriov", "this version")
    node.write(bundle, "this version")
    if there:
        node.write("/usr/lib/netavark/sriov", there)

    found, unseen = look(world, bundle)

    assert unseen == []
    assert found.podman is not None
    assert (found.podman.is_this, found.podman.plugin) == (
        is_this,
        "/usr/lib/netavark/sriov" if there else "",
    )
