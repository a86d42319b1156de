"""The one framework: what is judged, what is the default, and how it is told."""

from __future__ import annotations

from typing import Any

import pytest

from cni_sriov.conf import values
from cni_sriov.conf.keycase import Folded
from cni_sriov.conf.values import Key, Table
from cni_sriov.words.errors import BadConfig

INNER = Table({"Deep": values.text})
TABLE = Table(
    {
        "size": Key(values.integer(1, 9), 5),
        "flag": Key(values.boolean, False),
        "net": values.prefix,
        "word": values.on_off,
        "unread": None,
        "inner": Key(values.an_object, below=INNER),
    }
)


def test_what_is_not_given_has_its_default_or_no_value() -> None:
    assert TABLE.read({}, "") == {"size": 5, "flag": False}
    assert TABLE.read({"size": 7, "unread": [], "other": 1}, "") == {"size": 7, "flag": False}


def test_defaults_are_of_the_table_and_not_of_a_call() -> None:
    TABLE.read({}, "")["size"] = 9
    assert TABLE.read({}, "")["size"] == 5


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"size": 10}, "read x.size 10: must be an integer in 1-9"),
        ({"size": True}, "read x.size true: must be an integer in 1-9"),
        ({"flag": None}, "read x.flag null: must be true or false"),
        ({"net": 5}, "read x.net 5: must be a string"),
        ({"net": "10.0.0.1/8"}, 'read x.net: "10.0.0.1/8" has host bits set; the network is 10.0.0.0/8'),
        ({"word": []}, "read x.word []: has the wrong type"),
        ({"inner": []}, "read x.inner []: must be an object"),
        ({"flag": 1, "size": 0}, "read x.size 0: must be an integer in 1-9"),  # in the table's order
    ],
)
def test_the_first_that_is_wrong_is_named_with_its_value(raw: dict[str, Any], said: str) -> None:
    with pytest.raises(BadConfig) as caught:
        TABLE.read(raw, "read x.")
    assert caught.value.msg == said


def test_spellings_are_of_the_same_rows() -> None:
    folded = Folded({"SIZE": 3, "Inner": {"DEEP": "x"}, "UnRead": None, "Other": 1}, TABLE)

    assert folded.conf == {"size": 3, "inner": {"Deep": "x"}, "Other": 1}


@pytest.mark.parametrize("blank", [False, True])
def test_a_request_may_be_blank_and_a_configuration_may_not(blank: bool) -> None:
    table = Table({"mac": values.mac, "ips": None}, may_be_blank=blank)
    assert Folded({"mac": "", "ips": ""}, table).conf == ({} if blank else {"mac": "", "ips": ""})
