"""Which VF is picked, and what is said when none is."""

from __future__ import annotations

import pytest

from cni_sriov.conf.netconf import selector
from cni_sriov.decide import choose
from cni_sriov.words.domain import PF, VF
from cni_sriov.words.errors import BadConfig, NoFreeVf, PfUnusable


def a_pf(n: int, name: str = "", driver: str = "igb") -> PF:
    return PF(f"0000:0{n}:00.0", name or f"pf{n}", n, driver, 2, 7, vendor=0x8086, device=0x10C9 + n)


def vfs(n: int, *busy: str) -> list[VF]:
    return [VF(i, f"0000:0{n}:10.{i}", "igbvf", f"pf{n}v{i}", reason) for i, reason in enumerate(busy)]


def test_the_lowest_free_index_is_taken() -> None:
    pf, vf = choose.free_vf([(a_pf(1), vfs(1, "", ""))], {"0000:01:10.0": "0000:01:00.0"})
    assert (pf.ifname, vf.index) == ("pf1", 1)


def test_nothing_behind_the_first_free_vf_is_looked_at() -> None:
    seen = iter(vfs(1, "", "", ""))
    choose.free_vf([(a_pf(1), seen)], {})
    assert [vf.index for vf in seen] == [1, 2]


def test_the_pf_with_the_fewest_claims_comes_first_then_the_address() -> None:
    pfs = [a_pf(3), a_pf(2), a_pf(1)]
    claimed = {"0000:01:10.0": "0000:01:00.0", "0000:03:10.0": "0000:03:00.0", "0000:03:10.1": "0000:03:00.0"}
    assert [pf.ifname for pf in choose.fewest_claims_first(pfs, claimed)] == ["pf2", "pf1", "pf3"]
    assert [pf.ifname for pf in choose.fewest_claims_first(pfs, {})] == ["pf1", "pf2", "pf3"]


def test_the_pfs_of_the_containers_other_interfaces_come_last() -> None:
    pfs, claimed = [a_pf(1), a_pf(2)], {"0000:02:10.0": "0000:02:00.0", "0000:02:10.1": "0000:02:00.0"}
    ordered = choose.fewest_claims_first(pfs, claimed, ["0000:01:00.0"])
    assert [pf.ifname for pf in ordered] == ["pf2", "pf1"]


def test_why_the_first_one() -> None:
    pfs, claimed = [a_pf(1), a_pf(2)], {"0000:02:10.0": "0000:02:00.0", "0000:02:10.1": "0000:02:00.0"}

    assert choose.why_first(pfs[0], pfs[:1], {}) == "the first free one of pf1"
    assert choose.why_first(pfs[0], pfs, claimed) == "the first free one of pf1; claims before: pf1 0, pf2 2"


def test_no_free_vf_gives_the_reason_of_each() -> None:
    with pytest.raises(NoFreeVf) as refused:
        choose.free_vf([(a_pf(1), vfs(1, "is busy", "")), (a_pf(2), [])], {"0000:01:10.1": "0000:01:00.0"})
    assert refused.value.details == (
        "pf1 vf 0 (0000:01:10.0): is busy; pf1 vf 1 (0000:01:10.1): claimed;"
        " pf2: has no VFs that match (numvfs is 2)"
    )


def test_where_all_of_them_can_have_no_driver_that_is_the_error() -> None:
    first, second = vfs(1, "no IOMMU", "no IOMMU")
    first.refused, second.refused = PfUnusable("no IOMMU of the first"), PfUnusable("no IOMMU of the second")

    with pytest.raises(PfUnusable, match="of the first"):
        choose.free_vf([(a_pf(1), [first, second])], {})
    with pytest.raises(NoFreeVf, match="no free VF"):  # time may help
        choose.free_vf([(a_pf(1), [first, second])], {second.pci_address: "0000:01:00.0"})


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        ({"names": ["pf1", "pf9"]}, ["pf1"]),
        ({"vendors": ["8086"]}, ["pf1", "pf2"]),
        ({"vendors": ["0x8086"], "devices": ["10cb"]}, ["pf2"]),
        ({"drivers": ["igb"], "pciAddresses": ["02:00.0"]}, ["pf2"]),
    ],
)
def test_all_that_a_selector_gives_must_match(raw: dict[str, object], names: list[str]) -> None:
    assert [pf.ifname for pf in choose.matching_pfs([a_pf(1), a_pf(2)], selector(raw))] == names


def test_a_selector_that_matches_nothing_is_code_7() -> None:
    with pytest.raises(BadConfig):
        choose.matching_pfs([a_pf(1)], selector({"names": ["pf1"], "drivers": ["ice"]}))


def test_indices_share_a_pf_with_others() -> None:
    vfs = selector({"names": ["pf1"], "vfs": "0-1,6"})
    assert [index for index in range(8) if choose.has_index(vfs, index)] == [0, 1, 6]
    assert choose.has_index(None, 5)
