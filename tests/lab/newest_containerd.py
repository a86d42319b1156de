"""test_containerd.py for the newest containerd of the archive. `make lab-containerd`."""

from __future__ import annotations

import pytest

from . import containerd_churn, test_containerd
from .containerd import Containerd
from .node import Node

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

# the same tests; the page first, which begins with a pool of which nothing was leased
test_the_page = test_containerd.test_the_page_does_what_it_says
test_pods_reach_each_other = test_containerd.test_pods_have_a_vf_and_reach_each_other
test_the_eighth_pod = test_containerd.test_the_eighth_pod_a_restart_and_what_is_called_at_the_end
test_twenty_pods = containerd_churn.test_twenty_pods_four_at_once_come_and_go


@pytest.fixture
def containerd(newest_node: Node) -> Containerd:
    return test_containerd.set_up(newest_node)
