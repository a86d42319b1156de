"""Line and column of what is said in a JSON text, also in one that is not whole. Through the verb: test_validate.py."""

from __future__ import annotations

import time

import pytest

from cni_sriov.ctl import position

TEXT = """{"name": "a",
  "plugins": [
    {"type": "sriov", "VLAN": 1},
    {"ipam": {"pools": [{"subnet": "10.0.0.0/8"}, {"x": [1, 2]}]}}
  ]}"""


@pytest.mark.parametrize(
    ("path", "spot"),
    [
        ("name", (1, 2)),
        ("plugins", (2, 3)),
        ("plugins[0]", (3, 5)),
        ("plugins[0].vlan", (3, 23)),
        ("plugins[1].ipam.pools[0].subnet", (4, 26)),
        ("plugins[1].ipam.pools[1].x[1]", (4, 61)),
        ("plugins[1].ipam.pools[0].gateway", (4, 25)),  # is not there: of what it should be in
        ("plugins[7].ipam", (2, 3)),
        ("", (1, 1)),
        ("nothing", (1, 1)),
    ],
)
def test_each_path_has_its_place(path: str, spot: tuple[int, int]) -> None:
    assert position.of_json(TEXT).at(path) == spot
    line = TEXT.splitlines()[spot[0] - 1]
    assert line[spot[1] - 1] in '{["0123456789'


def test_what_is_cut_off_or_a_template_has_places_as_far_as_it_goes() -> None:
    cut = position.of_json(TEXT[: TEXT.index('"10.0')])
    template = position.of_json('{"name": {{.Name}},\n {{if .V}}"vlan": 5{{end}}}')

    assert cut.at("plugins[1].ipam.pools[0].subnet") == (4, 26)
    assert template.at("name") == (1, 2)


def test_a_key_that_is_given_twice_is_told_where_it_is_again() -> None:
    places = position.of_json('{"vlan": 1,\n "Vlan": 2}')

    assert places.spot(places.twice["vlan"]) == (2, 2)


def test_a_long_key_is_not_kept_once_for_each_value_below_it() -> None:
    """A megabyte of JSON would be gigabytes of paths."""
    places = position.of_json(f'{{"a": 1, "{"k" * 100_000}": [{"1," * 10_000}1], "b": 2}}')

    assert sum(map(len, places.found)) < 1_000_000
    assert (places.at("a"), places.at("b")[1] > 100_000) == ((1, 2), True)


@pytest.mark.parametrize(
    "text", ["[" * 200_000, '{"a":' * 100_000, '"' * 100_000, "\\" * 100_000, '{"a": 1,' * 50_000]
)
def test_what_is_meant_to_be_slow_is_not(text: str) -> None:
    began = time.process_time()
    position.of_json(text).at("a")

    assert time.process_time() - began < 5


def test_inside_a_string_each_character_has_the_place_of_its_escape() -> None:
    whole = position.of_json('{"config":\n  "{\\"a\\":\\u0020\\"b\\"}"}')

    inner = position.inner_of(whole, "config", '{"a": "b"}')

    assert [inner.spot(offset) for offset in (0, 1, 5, 6)] == [(2, 4), (2, 5), (2, 11), (2, 17)]
