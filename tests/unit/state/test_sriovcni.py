"""Whether sriov-cni has a file: one look, and nothing is loaded for it."""

from __future__ import annotations

import pytest

from cni_sriov.state import files
from tests.world import World


def test_our_own_attachments_pay_one_look_and_load_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    exists = files.exists

    def look(path: str) -> bool:
        looks.append(str(path))
        return exists(path)

    monkeypatch.setattr(files, "exists", look)
    monkeypatch.setattr("cni_sriov.owner.adopt.find", None)  # a call of it would fail

    def ours() -> list[str]:
        found = [
            path.removeprefix(str(world.state_dir)) for path in looks if path.startswith(str(world.state_dir))
        ]
        looks.clear()
        return found

    assert world.call("ADD", world.conf()).code == 0
    assert ours() == ["/pci/0000:01:10.0"]
    assert world.call("CHECK", world.conf()).code == 0
    assert ours() == []
    assert world.call("DEL", world.conf()).code == 0
    assert ours() == []
    assert world.call("DEL", world.conf()).code == 0
    assert ours() == ["/c1-net1"]
