"""What takes podman 4 a minute each: who reaches whom, killed processes, nine containers at once, a port without a free VF, a
power cut. `make lab-podman`.

podman5_crowd.py has the same for podman 5; shorter scenarios are in test_podman.py.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterator

import pytest

from tests.pages import fits

from . import containers
from .conftest import Nodes
from .node import Node
from .podman import SLEEPER, Podman
from .test_podman import checked, nothing_is_left, quoted, with_podman
from .vm import PORTS

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

ON_PORT = f"{PORTS[0]}v"


@pytest.fixture
def podman(runtimes_node: Node, request: pytest.FixtureRequest) -> Iterator[Podman]:
    yield from with_podman(runtimes_node, 4, request)


@pytest.fixture
def rebooted(runtimes_nodes: Nodes, request: pytest.FixtureRequest) -> Iterator[Podman]:
    """For a test that ends with another card than it began with; nobody has the guest after it."""
    with contextlib.closing(runtimes_nodes):
        yield from with_podman(runtimes_nodes.node()[0], 4, request)


def test_nine_at_once_and_the_eighth_of_a_port(podman: Podman) -> None:
    nine = [f"n{number}" for number in range(9)]
    podman.run(*nine, network="blue")
    seen = [networks["blue"] for networks in checked(podman, *nine)]
    subnets = {ipaddress.ip_interface(one.address).network for one in seen}
    assert (len(subnets), len({one.mac for one in seen})) == (9, 9)

    # the port's other VFs, and one more
    free = sorted(name for name in podman.in_the_host() if name.startswith(ON_PORT))
    assert 0 < len(free) < 7
    more = [f"m{number}" for number in range(len(free))]
    podman.run(*more, network="fast")
    refused = podman(f"run --detach --name eighth --network fast {SLEEPER}", check=False)
    assert refused.returncode != 0
    assert fits(quoted(podman, "no VF is free"), refused.stderr), refused.stderr

    podman(f"rm --force --time 0 eighth {' '.join(more)}")
    podman(f"rm --force --time 0 {' '.join(nine)}")
    assert nothing_is_left(podman)


def test_a_power_cut_with_six_running(rebooted: Podman) -> None:
    """The last: the card is another one after it."""
    podman = rebooted
    six = [f"c{number}" for number in range(6)]
    podman.run(*six, network="fast")
    checked(podman, *six)
    assert len(podman.out()) == 6

    podman.power_cycle()

    fresh = podman.node.card()
    assert podman.out() == set()
    podman(f"start {' '.join(six)}")
    checked(podman, *six)
    podman(f"rm --force --time 0 {' '.join(six)}")
    assert nothing_is_left(podman)
    assert podman.node.changed(fresh) == []


def test_who_reaches_whom(podman: Podman) -> None:
    """Addresses of blue and red are from one pool, on the link: what keeps them apart is the VLAN."""
    started = [
        *podman.start("a", "b", network="blue"),
        *podman.start("c", network="red --network fast"),
    ]
    podman(
        f"pod create --name pod --infra-image {containers.BUSYBOX} --infra-command 'sleep 1000000' --share-parent=false --network blue"
    )
    podman(f"run --detach --pod pod --name in-pod {SLEEPER}")
    assert [running.wait().stderr for running in started] == [""] * 3
    infra = podman("pod inspect pod --format {{.InfraContainerID}}").stdout.strip()
    _, b, c, of_pod = checked(podman, "a", "b", "c", infra)
    assert c.keys() == {"red", "fast"}

    assert podman.exec("c", "cat /sys/class/net/eth0/carrier /sys/class/net/eth1/carrier").stdout == "1\n1\n"
    assert podman.pings("a", b["blue"].address)
    assert podman.pings("in-pod", b["blue"].address)
    assert not podman.pings("c", b["blue"].address, tries=3)
    assert not podman.pings("a", c["red"].address, tries=3)
    assert of_pod["blue"].address in podman.exec("in-pod", "ip addr").stdout

    podman("pod rm --force --time 0 pod")
    podman("rm --force --time 0 a b c")
    assert nothing_is_left(podman)


def test_killed_processes(podman: Podman) -> None:
    podman.run("web", network="fast")
    (first,) = podman.inspect("web")
    podman.vm.run(f"kill -9 {first['State']['Pid']}")
    assert nothing_is_left(podman)
    podman("start web")
    checked(podman, "web")

    # who would have told is dead, too: the netns is a mount with nobody in it, until podman is asked again
    (second,) = podman.inspect("web")
    podman.vm.run(f"kill -9 {second['State']['ConmonPid']} {second['State']['Pid']}")
    assert len(podman.out()) == 1
    for _ in range(2):  # both podmans find out at the first that conmon is gone
        podman("rm --force --ignore --time 0 web", check=False)
    assert nothing_is_left(podman)
