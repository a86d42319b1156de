"""test_containerd.py for the newest containerd of the archive. `make lab-containerd`."""

from __future__ import annotations

import pytest

from .containerd import Containerd
from .containerd_churn import test_twenty_pods_four_at_once_come_and_go  # noqa: F401  the same test
from .node import Node
from .test_containerd import (  # noqa: F401  the same tests
    set_up,
    test_pods_have_a_vf_and_reach_each_other,
    test_the_eighth_pod_a_restart_and_what_is_called_at_the_end,
    test_the_page_does_what_it_says,
)

pytestmark = [pytest.mark.lab, pytest.mark.bundle]


@pytest.fixture
def containerd(newest_node: Node) -> Containerd:
    return set_up(newest_node)
