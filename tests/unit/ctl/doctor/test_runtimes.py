"""Runtimes by their files, laid out as their packages and documentation have them."""

from __future__ import annotations

import json
import os

import pytest

from cni_sriov.ctl.doctor import runtimes
from cni_sriov.decide.facts_runtime import Runtime, Runtimes
from cni_sriov.kernel.files import Files
from cni_sriov.words.failures import Failures
from tests.pages import ROOT
from tests.unit.ctl.doctor.tree import Tree
from tests.unit.ctl.tool import host
from tests.world import World

# Debian 12's package containerd 1.6.20
DEBIAN = """version = 2

[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    [plugins."io.containerd.grpc.v1.cri".cni]
      bin_dir = "/usr/lib/cni"
      conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.internal.v1.opt"]
    path = "/var/lib/containerd"
"""
GO = b"\x7fELF\x02\x01\x01" + bytes(3000) + b"\x04\0\0\0\x53\0\0\0\x04\0\0\0Go\0\0aBcDeFgH/ijk" + bytes(90000)
OURS = b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 400
BUNDLE = "/opt/cni-sriov/sriov"


@pytest.fixture
def node(world: World) -> Tree:
    return Tree(world.root)


def look(world: World, bundle: str = "") -> tuple[Runtimes, list[str]]:
    failures = Failures()
    return runtimes.look(host(world), Files(str(world.root)), failures, bundle), failures.told


def one(world: World, bundle: str = "") -> Runtime:
    found, unseen = look(world, bundle)
    assert unseen == []
    (runtime,) = found.runtimes
    return runtime


def test_a_node_without_runtimes(world: World) -> None:
    found, unseen = look(world)

    assert (found.runtimes, found.podman, found.managed, unseen) == ([], None, [], [])


# containerd ----------------------------------------------------------------------------------------------------------


def test_containerd_as_debian_has_it(world: World, node: Tree) -> None:
    node.write("/etc/containerd/config.toml", DEBIAN)

    found = one(world)

    assert (found.name, found.seen, found.conf_dir) == (
        "containerd",
        "/etc/containerd/config.toml",
        "/etc/cni/net.d",
    )
    assert (found.bin_dirs, found.takes, found.stops) == (["/usr/lib/cni"], 1, True)
    assert [told.said for told in found.told] == ["bin_dir = /usr/lib/cni", "conf_dir = /etc/cni/net.d"]


@pytest.mark.parametrize(
    "table",
    [
        "[plugins.cri.cni]",
        '[plugins."io.containerd.grpc.v1.cri".cni]',
        "[plugins.'io.containerd.cri.v1.runtime'.cni]",
    ],
    ids=["version 1", "version 2", "version 3"],
)
def test_every_version_of_its_file(world: World, node: Tree, table: str) -> None:
    node.write("/etc/containerd/config.toml", f'{table}\nbin_dirs = ["/a/", "/b"]\nmax_conf_num = 0\n')

    found = one(world)

    assert (found.bin_dirs, found.conf_dir, found.takes) == (["/a", "/b"], "/etc/cni/net.d", 0)


def test_an_import_has_the_last_word(world: World, node: Tree) -> None:
    node.write("/etc/containerd/config.toml", 'imports = ["/etc/containerd/conf.d/*.toml"]\n' + DEBIAN)
    node.write(
        "/etc/containerd/conf.d/50.toml", '[plugins."io.containerd.grpc.v1.cri".cni]\nbin_dir = "/x"\n'
    )

    assert one(world).bin_dirs == ["/x"]


def test_without_a_file_there_are_its_defaults(world: World, node: Tree) -> None:
    node.write("/usr/bin/containerd")

    found = one(world)

    assert (found.seen, found.bin_dirs, found.conf_dir) == (
        "/usr/bin/containerd",
        ["/opt/cni/bin"],
        "/etc/cni/net.d",
    )


def test_dockers_containerd_attaches_nobody(world: World, node: Tree) -> None:
    """The package containerd.io of download.docker.com has CRI switched off."""
    node.write("/etc/containerd/config.toml", 'disabled_plugins = ["cri"]\n')
    node.write("/usr/bin/containerd")

    assert look(world)[0].runtimes == []


def test_k3s_has_one_of_its_own(world: World, node: Tree) -> None:
    node.write(
        "/var/lib/rancher/k3s/agent/etc/containerd/config.toml",
        "[plugins.'io.containerd.cri.v1.runtime'.cni]\n"
        'bin_dir = "/var/lib/rancher/k3s/data/cni"\nconf_dir = "/var/lib/rancher/k3s/agent/etc/cni/net.d"\n',
    )

    assert (one(world).name, one(world).conf_dir) == ("k3s", "/var/lib/rancher/k3s/agent/etc/cni/net.d")


def test_a_broken_file_is_told_and_the_defaults_count(world: World, node: Tree) -> None:
    node.write("/etc/containerd/config.toml", "[plugins")
    node.write("/usr/bin/containerd")

    found, unseen = look(world)

    assert [(one.seen, one.bin_dirs) for one in found.runtimes] == [("/usr/bin/containerd", ["/opt/cni/bin"])]
    assert (len(unseen), "config.toml: it is no TOML" in unseen[0]) == (1, True)


# CRI-O ---------------------------------------------------------------------------------------------------------------


def test_the_sample_for_crio_is_what_doctor_finds(world: World, node: Tree) -> None:
    node.write("/usr/bin/crio")
    node.write("/etc/crio/crio.conf.d/20-cni-sriov.conf", (ROOT / "conf/crio/20-cni-sriov.conf").read_text())

    found = one(world)

    assert (found.bin_dirs, found.conf_dir) == (["/opt/cni/bin"], "/etc/cni/net.d")
    assert found.chosen == json.loads((ROOT / "conf/crio/10-sriov.conflist").read_text())["name"]


def test_crio_with_a_drop_in(world: World, node: Tree) -> None:
    node.write(
        "/etc/crio/crio.conf",
        '[crio.network]\nnetwork_dir = "/etc/cni/net.d/"\nplugin_dirs = ["/opt/cni/bin/", "/usr/libexec/cni"]\n',
    )
    node.write("/etc/crio/crio.conf.d/10.conf", '[crio.network]\ncni_default_network = "fast"\n')

    found = one(world)

    assert (found.name, found.conf_dir, found.bin_dirs, found.chosen, found.stops) == (
        "CRI-O", "/etc/cni/net.d", ["/opt/cni/bin", "/usr/libexec/cni"], "fast", False,
    )  # fmt: skip


# plugins -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def runtime(node: Tree) -> Tree:
    node.write("/usr/bin/containerd")
    node.mkdir("/opt/cni/bin")
    return node


def test_none_is_there(world: World, runtime: Tree) -> None:
    assert one(world).programs == {}
    assert one(world).has_dir == {"/opt/cni/bin": True}
    runtime.link("/opt/cni/bin/sriov", "../gone")
    assert one(world).programs == {}


def test_ours_as_installed(world: World, runtime: Tree) -> None:
    runtime.write("/opt/cni/bin/.cni-sriov/0123456789ab/sriov", OURS)
    runtime.link("/opt/cni/bin/sriov", ".cni-sriov/0123456789ab/sriov")

    found = one(world)

    assert (found.programs["sriov"].path, found.programs["sriov"].kind) == ("/opt/cni/bin/sriov", "ours")


def test_ours_by_a_link_and_by_a_copy(world: World, runtime: Tree) -> None:
    runtime.write(BUNDLE, OURS)
    runtime.link("/opt/cni/bin/sriov", "../../cni-sriov/sriov")
    assert one(world, BUNDLE).programs["sriov"].kind == "ours"
    os.unlink(world.root / "opt/cni/bin/sriov")
    runtime.write("/opt/cni/bin/sriov", OURS)
    assert one(world, BUNDLE).programs["sriov"].kind == "ours"


def test_sriov_cni_is_a_go_program(world: World, runtime: Tree) -> None:
    runtime.write(BUNDLE, OURS)
    runtime.write("/opt/cni/bin/sriov", GO)

    assert one(world, BUNDLE).programs["sriov"].kind == "another's"


@pytest.mark.parametrize("content", [b"#!/bin/sh\nexec /opt/x/sriov\n", b"\x7fELF" + bytes(9000), b""])
def test_what_is_neither_is_not_judged(world: World, runtime: Tree, content: bytes) -> None:
    runtime.write("/opt/cni/bin/sriov", content)

    assert one(world).programs["sriov"].kind == ""


def test_the_bundle_has_a_name_that_lasts(world: World, runtime: Tree) -> None:
    installed = "/opt/cni/bin/.cni-sriov/0123456789ab/sriov"
    runtime.write(installed, OURS)

    assert look(world, installed)[0].bundle == "/opt/cni/bin/.cni-sriov/current/sriov"
    assert look(world, "/not/there/sriov")[0].bundle == ""


def test_what_cannot_be_looked_at_is_told(world: World, runtime: Tree) -> None:
    runtime.link("/opt/cni/bin/sriov", "sriov")  # ELOOP

    found, unseen = look(world)

    assert [one.name for one in found.runtimes] == ["containerd"]
    assert (len(unseen), unseen[0].startswith("containerd: look at /opt/cni/bin/sriov: Too many levels")) == (
        1,
        True,
    )
