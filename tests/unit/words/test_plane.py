"""How a program in user space has a VF, as it is stored."""

from __future__ import annotations

import json

import pytest

from cni_sriov.words.plane import VFIO, DataPlane

FULL = DataPlane(VFIO, "vfio-pci", "igbvf", {"/dev/vfio/7": [0, 0]}, ["/run/x"], "0000:85:01.0", {"tap": 3})


@pytest.mark.parametrize("plane", [DataPlane(VFIO), FULL])
def test_it_is_stored_and_read_back(plane: DataPlane) -> None:
    assert DataPlane.from_json(json.loads(json.dumps(plane.to_json()))) == plane


def test_a_field_of_a_later_version_is_kept() -> None:
    later = FULL.to_json() | {"numa": 1}

    assert DataPlane.from_json(later).to_json() == later


@pytest.mark.parametrize(
    "bad",
    [
        *({"kind": 5}, {"driver": None}, {"owners": []}, {"files": {}}, {"vpp": ""}),
        *({"crypto": "../../x"}, {"crypto": "x"}),
        *(
            {"owners": {"/dev/vfio/7": owner}}
            for owner in (None, "xy", [0], [0, 0, 0], [-1, 0], [0, 1 << 40], [0, True])
        ),
    ],
)
def test_another_type_is_damage(bad: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        DataPlane.from_json(FULL.to_json() | bad)
