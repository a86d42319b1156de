"""Twenty pods, four at a time, with the packaged containerd: too long for CI, so `make lab-containerd`."""

from __future__ import annotations

import pytest

from .containerd import Containerd, beginning, ending
from .node import Node
from .test_containerd import VFS, in_the_host, set_up

pytestmark = [pytest.mark.lab, pytest.mark.bundle]


@pytest.fixture
def containerd(runtimes_node: Node) -> Containerd:
    return set_up(runtimes_node)


def test_twenty_pods_four_at_once_come_and_go(containerd: Containerd) -> None:
    answers = containerd.cri([[*beginning(f"churn{number}"), *ending()] for number in range(20)], at_once=4)

    assert [answer[1:] for answer in answers] == [[{}, {}]] * 20
    assert in_the_host(containerd) == VFS
