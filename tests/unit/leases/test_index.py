"""The index in a file against a brute-force model that knows nothing but the stdlib's ipaddress."""

import os
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cni_sriov.leases.index import DamagedIndex, Index, build, open_index
from cni_sriov.words.inet import Prefix, parse_prefix
from tests.unit.networks import Network, overlaps

BOOT = "11111111-2222-3333-4444-555555555555"


def stored(path: Path, version: int, prefixes: list[Prefix]) -> Index:
    path.write_bytes(build(version, prefixes).to_bytes(BOOT))
    return open_index(str(path), version, BOOT)


@st.composite
def prefixes(draw: st.DrawFn) -> tuple[int, list[tuple[str, bool]], list[tuple[str, int]]]:
    """Marks of nested and neighbouring prefixes in one small range, and questions about it."""
    version = draw(st.sampled_from([4, 6]))
    whole = ip_network("10.0.0.0/14" if version == 4 else "fd00::/54")
    bits = whole.max_prefixlen

    def one() -> str:
        length = draw(st.integers(whole.prefixlen, min(whole.prefixlen + 18, bits)))
        offset = draw(st.sampled_from([0, 1, 2, 5, 255, 256, 257])) << draw(
            st.integers(0, bits - whole.prefixlen - 9)
        )
        return str(ip_network((int(whole[0]) + offset, length), strict=False))

    marks = [(one(), draw(st.booleans())) for _ in range(draw(st.integers(1, 25)))]
    return version, marks, [(one(), draw(st.integers(0, 10))) for _ in range(5)]


@settings(max_examples=200, deadline=None)
@given(prefixes())
def test_the_index_in_a_file_answers_as_the_model(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[int, list[tuple[str, bool]], list[tuple[str, int]]]
) -> None:
    version, marks, questions = case
    path = tmp_path_factory.getbasetemp() / "index"
    index, leases = stored(path, version, []), list[Network]()
    for text, leased in marks:
        net = ip_network(text)
        if leased and any(overlaps(net, other) for other in leases):
            continue  # the store never leases what conflicts
        if not leased and leases:
            net = leases.pop()
        elif leased:
            leases.append(net)
        elif any(overlaps(net, other) for other in leases):
            continue
        index.mark(parse_prefix(str(net)), leased)
        index.close()
        index = open_index(str(path), version, BOOT)  # what counts is what is in the file

    for text, deeper in questions:
        within = ip_network(text)
        assert index.conflict(parse_prefix(text)) == any(overlaps(within, other) for other in leases)
        length = min(within.prefixlen + deeper, within.max_prefixlen)
        start = int(within[0]) + (within.num_addresses // 3)
        count = sum(
            not any(overlaps(net, other) for other in leases) for net in within.subnets(new_prefix=length)
        )
        for enough in (1, 2, count, count + 1):
            found = index.count_free(parse_prefix(text), length, enough)
            assert found == count or enough <= found < count
        assert index.count_free(parse_prefix(text), length, 1 << 20) == count
        free = (
            int(net.network_address)
            for net in within.subnets(new_prefix=length)
            if int(net.network_address) >= start and not any(overlaps(net, other) for other in leases)
        )
        assert index.first_free(parse_prefix(text), length, start) == next(free, None)
    index.close()


@pytest.mark.parametrize(
    ("version", "whole", "length"), [(4, "10.0.0.0/12", 26), (6, "fd00::/48", 62), (4, "0.0.0.0/0", 1)]
)
def test_the_index_gives_its_nodes_back(tmp_path: Path, version: int, whole: str, length: int) -> None:
    """Next-fit walks through the whole pool; the file must not grow with what was leased once."""
    index, within = stored(tmp_path / "index", version, []), parse_prefix(whole)
    bits = 32 if version == 4 else 128
    step = (1 << (bits - length)) * max(1, (1 << (length - within.length)) // 2000)
    for value in range(within.value, within.last, step):
        index.mark(Prefix(version, value, length), leased=True)
        assert index.conflict(within)
        index.mark(Prefix(version, value, length), leased=False)
    again = open_index(str(tmp_path / "index"), version, BOOT)

    assert os.path.getsize(tmp_path / "index") <= 1024 * (1 + 16)  # the header and one path
    assert again.first_free(parse_prefix("0.0.0.0/0" if version == 4 else "::/0"), 0, 0) == 0


@pytest.mark.parametrize("last", ["10.0.0.255", "10.0.255.255", "10.1.2.191"])
def test_the_search_goes_on_behind_what_is_free_only_below_its_start(tmp_path: Path, last: str) -> None:
    """The first subnet is free, all behind it up to `last` are leased: whatever has it looks as if it had room."""
    whole, end = parse_prefix("10.0.0.0/8"), parse_prefix(f"{last}/32").value
    leased = [Prefix(4, value, 26) for value in range(whole.value + 64, end, 64)]
    index = stored(tmp_path / "index", 4, leased)

    assert index.first_free(whole, 26, whole.value) == whole.value
    assert index.first_free(whole, 26, whole.value + 64) == end + 1
    assert index.first_free(parse_prefix("10.0.0.0/24"), 26, whole.value + 64) is None


def test_the_search_in_a_full_pool_reads_no_more_than_two_paths(tmp_path: Path) -> None:
    whole = parse_prefix("10.0.0.0/12")
    hole = parse_prefix("10.3.77.128/26")
    full = [Prefix(4, whole.value + (n << 6), 26) for n in range(1 << 14)]
    index = stored(tmp_path / "index", 4, [prefix for prefix in full if prefix != hole])

    assert index.first_free(whole, 26, hole.last + 1) is None
    assert index.first_free(whole, 26, whole.value) == hole.value
    assert len(index._nodes) <= 2 * 4  # noqa: SLF001 # depth of a /26, twice


@pytest.mark.parametrize(
    "damage",
    [b"", b"short", b"\0" * 4096, build(4, []).to_bytes("another-boot"), build(6, []).to_bytes(BOOT)],
)
def test_a_damaged_index_says_so(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "index").write_bytes(damage)

    with pytest.raises(DamagedIndex):
        open_index(str(tmp_path / "index"), 4, BOOT)


def test_a_missing_or_cut_index_says_so(tmp_path: Path) -> None:
    with pytest.raises(DamagedIndex):
        open_index(str(tmp_path / "index"), 4, BOOT)
    stored(tmp_path / "index", 4, [parse_prefix("10.0.0.0/24")]).close()
    os.truncate(tmp_path / "index", 2048)

    with pytest.raises(DamagedIndex):
        open_index(str(tmp_path / "index"), 4, BOOT).conflict(parse_prefix("10.0.0.0/24"))
