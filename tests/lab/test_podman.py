"""podman as packaged, and what people do with it: podman 4 with CNI here, podman 5 with netavark by test_podman5.py.

Each test ends with no container, no netns, and each VF in the host, without anybody's tidying up.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import pytest

from tests.pages import blocks, command_blocks, fits, script, wrong

from . import containers
from .conftest import FAILED
from .node import Node
from .podman import CHECKOUT, SLEEPER, VFS, Podman, Seen, told
from .vm import PORTS

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

PAGE = "docs/podman.md"
IP, MAC = "10.10.7.5", "02:00:00:00:00:07"


@pytest.fixture
def podman(runtimes_node: Node, request: pytest.FixtureRequest) -> Iterator[Podman]:
    yield from with_podman(runtimes_node, 4, request)


def with_podman(node: Node, version: int, request: pytest.FixtureRequest) -> Iterator[Podman]:
    """What each test must end with is looked at before the node's fixture tidies up."""
    podman = Podman(node, version)
    podman.set_up()
    yield podman
    if not request.node.stash.get(FAILED, False):
        assert podman("ps --all --quiet").stdout == ""
        assert podman.vm.run("ls /run/netns").stdout == ""
        assert nothing_is_left(podman)


def quoted(podman: Podman, what: str) -> str:
    """What the page says that its reader will read."""
    (text,) = [block.text for block in blocks(PAGE) if block.tag == f"podman {podman.version}: {what}"]
    return text


def vlans(podman: Podman) -> dict[str, int]:
    """MAC -> VLAN of each VF, as the PFs tell it."""
    seen = [vf for port in PORTS for vf in podman.node.vfs(port)]
    return {vf["address"]: vf["vlan_list"][0].get("vlan", 0) for vf in seen}


def inside(podman: Podman, pid: int) -> set[tuple[str, str]]:
    """Address and MAC of each VF in a process's netns."""
    links = podman.vm.json(f"nsenter -t {pid} -n ip -j -d addr show")
    return {
        (f"{address['local']}/{address['prefixlen']}", link["address"])
        for link in links
        if "parentdev" in link and "UP" in link["flags"]
        for address in link["addr_info"]
        if address["scope"] == "global"
    }


def first_of(address: str) -> str:
    """Of the subnet: where a router is expected."""
    return str(next(ipaddress.ip_interface(address).network.hosts()))


def checked(podman: Podman, *names: str) -> list[dict[str, Seen]]:
    """What podman tells of containers, by network, after a look whether it is so, and whether nothing else is out."""
    found = [(container["State"]["Pid"], told(container)) for container in podman.inspect(*names)]
    on_pf = vlans(podman)
    for pid, networks in found:
        assert inside(podman, pid) == {(seen.address, seen.mac) for seen in networks.values()}
        for name, seen in networks.items():
            assert seen.gateway == first_of(seen.address)
            assert on_pf[seen.mac] == {"fast": 0, "blue": 100, "red": 200}[name]
    assert len(podman.out()) == sum(len(networks) for _, networks in found)
    return [networks for _, networks in found]


def nothing_is_left(podman: Podman) -> bool:
    """conmon may be the one that gives back, in its own time."""
    podman.wait_for(lambda: podman.in_the_host() == VFS and podman.node.state_files() == [])
    return True


def test_the_page_does_what_it_says(podman: Podman) -> None:
    podman.forget_networks()
    for block in command_blocks(f"runs: lab podman {podman.version}")[PAGE]:
        done = podman.vm.run(["sh", "-c", script(block)], cwd=CHECKOUT, check=False, timeout=180)
        assert wrong(block, done.stdout) == [], done.stderr


def run_asking(podman: Podman) -> list[dict[str, Seen]]:
    """What `checked` must find of it, now and later."""
    podman(f"run --detach --name web --network fast --ip {IP} --mac-address {MAC} {SLEEPER}")
    return [{"fast": Seen(f"{IP}/24", MAC, "10.10.7.1")}]


def test_an_address_and_a_mac_stay_over_restart_stop_and_start(podman: Podman) -> None:
    wanted = run_asking(podman)
    assert checked(podman, "web") == wanted

    taken = podman(f"run --rm --network fast --ip {IP} {containers.BUSYBOX} true", check=False)
    outside = podman(f"run --rm --network fast --ip 10.99.0.5 {containers.BUSYBOX} true", check=False)
    assert 0 not in {taken.returncode, outside.returncode}
    assert fits(quoted(podman, "the address is taken"), taken.stderr), taken.stderr
    assert fits(quoted(podman, "no pool has the address"), outside.stderr), outside.stderr

    podman("restart --time 0 web")
    assert checked(podman, "web") == wanted
    podman("stop --time 0 web")
    assert nothing_is_left(podman)
    podman("start web")
    assert checked(podman, "web") == wanted
    podman("rm --force --time 0 web")
    assert nothing_is_left(podman)


def test_a_running_container_is_reloaded_disconnected_and_connected(podman: Podman) -> None:
    wanted = run_asking(podman)
    podman("network reload web")
    assert checked(podman, "web") == wanted

    podman("network disconnect fast web")
    assert nothing_is_left(podman)
    podman("network connect red web")
    podman("network connect fast web")
    (networks,) = checked(podman, "web")
    assert networks.keys() == {"red", "fast"}
    # nobody asked for these MACs and addresses; a reload does
    podman("network reload web")
    assert checked(podman, "web") == [networks]
    podman("rm --force --time 0 web")
    assert nothing_is_left(podman)
