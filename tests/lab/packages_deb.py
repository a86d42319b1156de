"""What `make dist` makes, on a node: the .deb's life under containers that have VFs. The image: packages_image.py.

docs/install.md leads: its blocks are run in their order, and between them is looked what they did. dpkg is Debian's
own.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import dist
from tests.pages import Block, command_blocks, script, wrong

from .node import FULL, IPAM, Node
from .ready import Lab
from .vm import Vm

pytestmark = [pytest.mark.lab, pytest.mark.bundle, pytest.mark.root]
PAGE = "docs/install.md"
PLUGIN, FOREIGN = "/opt/cni/bin/sriov", "#!/bin/sh\necho the Go one\n"
LOGROTATE = "/etc/logrotate.d/cni-sriov"
UNWANTED = " /usr/share/"  # the guest's dpkg leaves pages and manuals out
SECOND = FULL | {"mac": "02:00:00:00:aa:02", "vlan": 200}


def newer(deb: Path, target: Path) -> None:
    """The same package with a higher version, as the next release has."""
    tree = target / "tree"
    subprocess.run(["dpkg-deb", "-R", deb, tree], check=True)
    control = tree / "DEBIAN" / "control"
    control.write_text(
        control.read_text().replace(f"Version: {dist.VERSION}-1", f"Version: {dist.VERSION}-2")
    )
    env = os.environ | {"SOURCE_DATE_EPOCH": "1000000000"}
    build = ("dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, target / "cni-sriov_newer.deb")
    subprocess.run(build, check=True, capture_output=True, env=env)
    subprocess.run(["rm", "-r", tree], check=True)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that the guest sees: a release, and the next one's package."""
    home = tmp_path_factory.mktemp("release")
    for path in (dist.artifact("SHA256SUMS").parent).iterdir():
        (home / path.name).write_bytes(path.read_bytes())
    (home / "newer").mkdir()
    newer(dist.artifact(".deb"), home / "newer")
    return home


@pytest.fixture(scope="module")
def machine(saved_runtimes: Lab, release: Path) -> Iterator[Vm]:
    with saved_runtimes.restore(release) as vm:
        yield vm


def follow(vm: Vm, block: Block) -> None:
    done = vm.run(["sh", "-c", script(block)], cwd="/mnt/host", check=False, timeout=120)
    assert wrong(block, done.stdout) == [], done.stderr


def attach(node: Node, container: str, conf: dict[str, Any], plugin: str = PLUGIN) -> dict[str, Any]:
    """The answer, for CHECK."""
    node.add_netns(container)
    added = node.cni("ADD", conf | {"ipam": IPAM}, container, plugin=plugin)
    assert added.code == 0, added.text
    return added.document


def installed(vm: Vm) -> str:
    return vm.run("dpkg-query -W -f '${Status} ${Version}' cni-sriov", check=False).stdout


def test_the_package_is_installed_upgraded_rolled_back_and_removed_under_containers(machine: Vm) -> None:
    node = Node(machine)
    node.create_vfs(7)
    before = node.card()
    what, install, upgrade, back, remove, again, purge = command_blocks("runs: lab packages")[PAGE]
    machine.put(PLUGIN, FOREIGN, 0o755)

    follow(machine, what)
    follow(machine, install)
    assert installed(machine) == f"install ok installed {dist.VERSION}-1"
    assert machine.get(f"{PLUGIN}.distrib").decode() == FOREIGN
    wrong_files = machine.run("dpkg --verify cni-sriov").stdout.splitlines()
    assert [row for row in wrong_files if UNWANTED not in row] == []
    assert machine.run("find /etc/systemd -lname '*sriov*'").stdout == "", "enabled by nobody"
    first = attach(node, "c1", FULL)
    second = attach(node, "c2", SECOND, "/usr/lib/cni/sriov")
    machine.run(f"echo '# mine' >> {LOGROTATE}")

    follow(machine, upgrade)
    assert installed(machine).endswith(f"{dist.VERSION}-2")
    for container, conf, answer in (("c1", FULL, first), ("c2", SECOND, second)):
        checked = node.cni("CHECK", conf | {"ipam": IPAM, "prevResult": answer}, container, plugin=PLUGIN)
        assert checked.code == 0, checked.text
    assert node.cni("DEL", FULL | {"ipam": IPAM}, "c1", plugin=PLUGIN).code == 0

    follow(machine, back)
    assert installed(machine).endswith(f"{dist.VERSION}-1")
    assert machine.get(LOGROTATE).decode().endswith("# mine\n")
    assert len(node.state_files()) > 0

    # removed under c2: it goes on, and its end is not the end of what is known of it
    kept = node.state_files()
    follow(machine, remove)
    assert machine.get(PLUGIN).decode() == FOREIGN, "back in its place"
    assert (
        machine.run("ls /usr/lib/cni/sriov /usr/lib/cni-sriov /usr/sbin/sriovctl", check=False).stdout == ""
    )
    assert (node.addresses("c2") != [], node.state_files()) == (True, kept)
    machine.run("ip netns del c2")
    node.wait_for(lambda: len(node.card()) == len(before))
    assert [row for row in node.changed(before) if "'vlan': 200" in row or " vlan" in row], (
        "nobody has put it back"
    )

    follow(machine, again)
    assert node.changed(before) == []
    assert node.state_files() == []

    # purged under c3: what its VF needs is kept; then all goes
    attach(node, "c3", FULL)
    said = machine.run("dpkg -P cni-sriov 2>&1").stdout
    assert "cni-sriov: containers have VFs or subnets: /run/cni-sriov" in said
    assert node.state_files() != []
    machine.run("dpkg -i cni-sriov_*.deb", cwd="/mnt/host")
    assert node.cni("DEL", FULL | {"ipam": IPAM}, "c3", plugin=PLUGIN).code == 0
    machine.run("touch /var/log/cni-sriov.log; mkdir -p /etc/cni-sriov; touch /etc/cni-sriov/host.json")
    follow(machine, purge)
    assert node.changed(before) == []
    left = machine.run(
        "find / -xdev '(' -name '*cni-sriov*' -o -name '*sriovctl*' ')' -not -path '/mnt/*'"
    ).stdout.split()
    assert [path for path in left if not path.startswith(("/var/lib/dpkg", "/proc", "/sys"))] == [
        "/etc/cni-sriov"
    ]
    assert (
        machine.run("ls /var/lib/cni/sriov /var/lib/cni/host-subnet /run/cni-sriov", check=False).stdout == ""
    )
    assert machine.run("dpkg-divert --list cni-sriov").stdout == ""
    machine.run(f"rm -r {PLUGIN} /etc/cni-sriov; for n in c1 c3; do ip netns del $n; done")
