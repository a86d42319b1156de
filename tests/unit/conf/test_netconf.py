"""The configuration of type sriov: what is made of it, and what of it is refused."""

from __future__ import annotations

import pytest

from tests.world import World


def test_an_empty_list_of_a_selector_means_any(one_vf: World) -> None:
    selector = {"names": ["enp1s0f0"], "vendors": [], "devices": [], "drivers": []}

    assert one_vf.call("ADD", one_vf.conf(master=None, pf=selector)).code == 0


@pytest.mark.parametrize("key", ["stateDir", "logFile"])
def test_a_path_with_a_lone_surrogate_is_code_7(one_vf: World, key: str) -> None:
    """JSON can spell it, no file name can have it."""
    assert one_vf.call("ADD", one_vf.conf(**{key: "/run/\ud800"})).code == 7
