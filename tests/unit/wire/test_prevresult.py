"""What the plugins before us say is judged as a whole before it is used."""

from __future__ import annotations

from typing import Any

import pytest

from cni_sriov.wire import prevresult
from cni_sriov.words.errors import BadConfig


def settled(prev: Any, version: str = "1.0.0") -> Any:
    conf = {"cniVersion": version, "prevResult": prev}
    prevresult.settle(conf)
    return conf.get("prevResult")


@pytest.mark.parametrize(
    ("prev", "said"),
    [
        ({"interfaces": {}}, "prevResult.interfaces {}: must be a list of objects"),
        ({"ips": [5]}, "prevResult.ips [5]: must be a list of objects"),
        ({"routes": "x"}, 'prevResult.routes "x": must be a list of objects'),
        ({"ips": [{}]}, "prevResult.ips.address null: must be a string"),
        ({"ips": [{"address": "10.0.0.1/24"}, {"Address": 5}]}, "prevResult.ips.address 5: must be a string"),
        ({"dns": []}, "prevResult.dns []: must be an object"),
        ({"ip4": "10.0.0.1/24"}, 'prevResult.ip4 "10.0.0.1/24": must be an object'),
        ({"ip6": {"gateway": "fd00::1"}}, "prevResult.ip6.ip null: must be a string"),
        (
            {"ip6": {"ip": "fd00::2/64", "routes": [None]}},
            "prevResult.ip6.routes [null]: must be a list of objects",
        ),
    ],
)
def test_what_cannot_be_one_is_named(prev: dict[str, Any], said: str) -> None:
    with pytest.raises(BadConfig) as caught:
        settled(prev)
    assert caught.value.msg == f"read {said}"


@pytest.mark.parametrize("prev", [None, "", {}])
def test_nothing_is_none(prev: Any) -> None:
    assert settled(prev) is None


@pytest.mark.parametrize("prev", [{"ip4": {}, "ips": None}, {"IPs": [], "routes": None, "dns": None}])
def test_what_is_empty_in_it_is_nothing(prev: dict[str, Any]) -> None:
    assert settled(prev) == {"cniVersion": "1.0.0", "ips": [], "routes": []}


def test_what_nobody_knows_is_passed_on() -> None:
    prev = {"ips": [{"address": "10.0.0.1/24", "more": 1}], "other": [5]}
    assert settled(prev) == prev | {"cniVersion": "1.0.0", "routes": []}
