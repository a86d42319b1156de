"""YAML as kubectl reads it, and none that costs more than it says."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import yaml

from tests.unit.ctl.manifests import GIVEN, judge, nad
from tests.world import World


def bomb(last: str) -> str:
    """25 lines that are 2^25 values."""
    lines = [f"- &a{n} {{kind: List, items: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 26)]
    return "\n".join(["kind: List", "items:", f"- &a0 {last}", *lines])


HURTING = {
    "objects by aliases": (bomb("{kind: Service}"), "too large, with its aliases resolved"),
    "a list in itself": ("&a\nkind: List\nitems: [*a]\n", "nested too deeply, or in itself"),
    "deep": ("kind: " + "[" * 3000 + "]" * 3000, "nested too deeply"),
    "a number of 5000 digits": ("kind: x\na: " + "9" * 5000, "is neither JSON nor YAML"),
    "a kind that is a list": ("kind: [a]\n", "nothing was judged"),
    "the same in JSON": ('{"kind": [1]}', ""),
    "subnets that are a number": ('{"driver": "sriov", "subnets": 5}', "must be a list"),
    "a long version": (
        json.dumps({"name": "x", "cniVersions": ["9" * 5000], "plugins": [{"type": "sriov"}]}),
        "must be a version like 1.0.0",
    ),
    "blanks in a template": ("{{x}} a" + " " * 300_000 + "b", "is no configuration"),
    "tags that nothing closes": ("}}" + "{{ " * 200_000, "is neither JSON nor YAML"),
    "blocks that nothing closes": ("{{if x}}" * 100_000 + "a", "is no configuration"),
    "quotes in a template": ('{"x": {{x}}, "a' + '"\\' * 200_000, "parse JSON"),
}


@pytest.mark.parametrize("what", HURTING)
def test_a_file_that_is_made_to_hurt_is_refused_in_a_second(world: World, tmp_path: Path, what: str) -> None:
    text, says = HURTING[what]
    began = time.process_time()

    run = judge(world, tmp_path, text)

    assert time.process_time() - began < 5
    assert says in run.out, run.out[:300] + run.err
    assert "bug in" not in run.err


def test_a_date_that_is_none_is_a_text_as_for_kubectl(world: World, tmp_path: Path) -> None:
    other = {"kind": "ConfigMap", "data": {}}
    text = yaml.safe_dump_all([other, nad({"cniVersion": "1.0.0", "type": "sriov"})])
    run = judge(world, tmp_path, text.replace("data: {}", "data: 2024-13-45"))
    assert (run.status, GIVEN in run.out) == (0, True), run.out
