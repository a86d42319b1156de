"""What takes podman 4 a minute each: nine containers at once, a port without a free VF, a power cut. `make lab-podman`.

podman5_crowd.py has the same for podman 5; shorter scenarios are in test_podman.py.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterator

import pytest

from tests.pages import fits

from .conftest import Nodes
from .node import Node, changes
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
    assert changes(fresh, podman.node.card()) == []
