"""Where YAML has its values, and the characters of a text within it. Through the verb: test_validate.py."""

from __future__ import annotations

import time

import pytest

from cni_sriov.ctl import yamlplaces

INNER = '{"a": 1}'


def spot(text: str) -> tuple[int, int]:
    """Of the key `a` of the text in `spec.config`."""
    (document,) = yamlplaces.documents(text)
    return document.inner("spec.config", INNER).at("a")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('spec:\n  config: |\n    {"a": 1}\n', (3, 6)),
        ("spec:\n  config: '{\"a\": 1}'\n", (2, 13)),
        ('spec:\n  config: "{\\"a\\": 1}"\n', (2, 13)),
        ('spec: {config: "{\\"a\\": 1}"}\n', (1, 18)),
        ('spec:\n  config: >\n    {"a":\n    1}\n', (2, 11)),  # folded: where it begins
    ],
)
def test_a_character_of_a_text_in_yaml_has_its_place(text: str, expected: tuple[int, int]) -> None:
    assert spot(text) == expected


def test_each_document_counts_for_itself_and_an_empty_one_does_not() -> None:
    first, second = yamlplaces.documents("a: 1\n---\n---\nb:\n  - x\n  - c: 2\n")

    assert (first.places.at("a"), second.places.at("b[1].c")) == ((1, 1), (6, 5))


def test_what_aliases_stand_for_is_looked_at_once() -> None:
    """Ten levels of ten aliases each would be 10^10 values."""
    lines = ["a0: &a0 x"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 11)]
    began = time.process_time()

    (document,) = yamlplaces.documents("\n".join(lines))

    assert document.places.at("a10") == (11, 1)
    assert time.process_time() - began < 5
