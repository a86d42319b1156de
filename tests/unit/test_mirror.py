"""tests/unit mirrors the package: every room has a test file of its name, in the folder of its name."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS = "commands"  # what each verb takes: ctl/test_arguments.py; what it does, the room that it calls
ROOMS = sorted(
    str(path.relative_to(ROOT / "cni_sriov").with_suffix(""))
    for path in (ROOT / "cni_sriov").rglob("*/*.py")
    if path.stem != "__init__" and path.parent.name != COMMANDS
)
# What only a kernel or a lock shows, tests/contract or tests/integration have, by the room's name
ELSEWHERE = {
    "kernel/links": "contract/test_links.py",
    "kernel/netns": "contract/test_netns.py",
    "leases/store": "contract/test_store.py",
}
# Without one, and why. It only shrinks.
WITHOUT = {
    "kernel/netlink": "its verbs are the kernel's: contract/test_links.py, test_move.py, test_addresses.py, test_vfs.py",
    "vf/call": "a noun without a rule",
}


def file_of(room: str) -> Path:
    folder, _, name = room.rpartition("/")
    return ROOT / "tests/unit" / folder / f"test_{name}.py"


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_its_file(room: str) -> None:
    has_one = file_of(room).exists()
    assert has_one != (room in WITHOUT or room in ELSEWHERE), f"{room}: {file_of(room)}"
    assert room not in ELSEWHERE or (ROOT / "tests" / ELSEWHERE[room]).exists()


def test_the_lists_name_rooms() -> None:
    assert WITHOUT.keys() | ELSEWHERE.keys() <= set(ROOMS)
    assert [room for room, file in ELSEWHERE.items() if Path(file).name != file_of(room).name] == []
