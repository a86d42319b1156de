"""What a device was, kept and read back; of another instance it is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cni_sriov.state import bound
from cni_sriov.state.bound import Bound
from cni_sriov.words.errors import Unreadable
from cni_sriov.words.record import VfState

VF = "0000:01:10.0"
KEPT = Bound(
    7, "igbvf", "", 0, VfState(mac="", ifname="enp1s0f0v0", own_mac="02:00:00:00:00:01", mtu=1500, up=True)
)


def test_kept_of_that_instance_alone(tmp_path: Path) -> None:
    assert bound.of(str(tmp_path), VF, 7) is None
    bound.keep(str(tmp_path), VF, KEPT)

    assert bound.of(str(tmp_path), VF, 7) == KEPT
    assert bound.of(str(tmp_path), VF, 8) is None
    assert sorted(path.name for path in (tmp_path / "bound").iterdir()) == [VF]

    bound.forget(str(tmp_path), VF)
    assert (bound.of(str(tmp_path), VF, 7), list((tmp_path / "bound").iterdir())) == (None, [])


def test_a_device_without_netdev(tmp_path: Path) -> None:
    bound.keep(str(tmp_path), VF, Bound(7, "", "vfio-pci"))

    assert bound.of(str(tmp_path), VF, 7) == Bound(7, "", "vfio-pci")


@pytest.mark.parametrize("damage", ["", "{}", "[]", '{"format": 9}', "null", "{"])
def test_what_cannot_be_read_is_not_absent(tmp_path: Path, damage: str) -> None:
    bound.keep(str(tmp_path), VF, KEPT)
    (tmp_path / "bound" / VF).write_text(damage)

    with pytest.raises(Unreadable):
        bound.of(str(tmp_path), VF, 7)


def test_what_a_later_version_wrote_beside_is_kept(tmp_path: Path) -> None:
    bound.keep(str(tmp_path), VF, KEPT)
    path = tmp_path / "bound" / VF
    path.write_text(json.dumps(json.loads(path.read_text()) | {"minor": 9, "later": "x"}))

    found = bound.of(str(tmp_path), VF, 7)
    assert found is not None
    assert found.to_json()["later"] == "x"
