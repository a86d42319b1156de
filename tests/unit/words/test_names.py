"""One rule for an interface's name and one for CNI's names: as the kernel and the spec have them."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni_sriov.words.names import ID_LIMIT, ifname_fault, is_ifname, is_name

SPECIAL = st.sampled_from(
    [*"/:%. \t\n\0-_@", "\x7f", "\u00a0", "\u2028", "ä", "\ud800", "\udcff", "x", "eth0"]
)
TEXTS = st.lists(SPECIAL | st.characters(), max_size=20).map("".join)


def kernels(name: bytes) -> bool:
    """dev_valid_name(), net/core/dev.c; its isspace() takes 0xa0, the blank of Latin-1, for one (lib/ctype.c)."""
    blank = b"\t\n\v\f\r \xa0"
    return 0 < len(name) < 16 and name not in {b".", b".."} and not any(c in b"/:" + blank for c in name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "...",
        ".a",
        "eth0",
        "a" * 15,
        "a" * 16,
        "a/b",
        "a:b",
        "a b",
        "a\n",
        "\n",
        "net%d",
        "é" * 7,
        "à",
        "e\u00a0",
        "e\u2028",
    ],
)
def test_of_plain_text_it_is_the_kernels_rule(name: str) -> None:
    assert is_ifname(name) == kernels(name.encode())


@given(TEXTS)
def test_what_a_pod_may_call_its_interface_the_kernel_takes_and_a_log_shows(name: str) -> None:
    if name and not ifname_fault(name):
        assert is_ifname(name)
        assert kernels(name.encode())
        assert name.isprintable()
        assert "%" not in name
    elif name:
        assert not kernels(name.encode("utf-8", "surrogatepass")) or not name.isprintable() or "%" in name


@pytest.mark.parametrize("name", ["é" * 8, "a" * 16, "\udcff" * 16])
def test_bytes_are_counted_and_not_letters(name: str) -> None:
    assert not is_ifname(name)
    assert "15 bytes" in ifname_fault(name) or not name.isprintable()


@pytest.mark.parametrize("name", ["é", "à", "net\u00e4", "\udcff", "all", "default"])
def test_a_new_one_is_ascii_and_none_of_the_kernels_own(name: str) -> None:
    assert ifname_fault(name, is_new=True)


@pytest.mark.parametrize("name", ["net1", "all0", "Default", "a.b-c_d", "a" * 15])
def test_any_other_is_fine(name: str) -> None:
    assert ifname_fault(name, is_new=True) == ""


@pytest.mark.parametrize(("length", "fits"), [(0, False), (1, True), (200, True), (201, False)])
def test_with_an_ifname_a_cni_name_fits_a_file_name(length: int, fits: bool) -> None:
    assert is_name("a" * length) == fits
    assert is_name("a" * length, most=length) == (length > 0)


@given(TEXTS | st.text(string.ascii_letters + string.digits + "_.-", max_size=210))
def test_a_cni_name_is_what_the_spec_says(text: str) -> None:
    spec = re.compile(r"^[a-zA-Z0-9][a-zA-Z0-9_.\-]*\Z")  # SPEC 1.1.0, "Parameters"

    assert is_name(text, most=1000) == bool(spec.match(text))
    assert is_name(text) == (bool(spec.match(text)) and len(text) <= ID_LIMIT)
