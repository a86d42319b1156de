"""The picture: the one in docs is what the code draws, it is good XML, and no name leaves its box."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from cni_sriov.ctl.status import picture
from cni_sriov.ctl.status.drawing import PALETTE
from tests.unit.ctl.status.example import PICTURE, draw
from tests.unit.ctl.tool import sriovctl
from tests.world import World

SVG = "{http://www.w3.org/2000/svg}"
AT_LEAST = 0.3  # em: what any character of a proportional font takes on average of a long name


def texts(drawn: str) -> list[str]:
    return ["".join(e.itertext()) for e in ET.fromstring(drawn).iter(f"{SVG}text")]


def test_the_picture_in_docs_is_drawn_anew() -> None:
    """`python -m tests.unit.ctl.status.example` writes it."""
    assert draw() == PICTURE.read_text()


def test_it_says_all_that_one_wants_to_see(furnished: World) -> None:
    shown = texts(sriovctl(furnished, "status", "--svg", "-").out)

    for text in (
        "SR-IOV on node-3",
        "enp1s0f0",
        "web",
        "net1",
        "VLAN 100",
        "VLAN 300",
        "untagged",
        "10.20.2.0/24",
    ):
        assert text in shown
    assert "10.20.0.0/24, fd00:20::/64" in shown
    assert (
        "1 card \N{MIDDLE DOT} 2 ports \N{MIDDLE DOT} 14 VFs \N{MIDDLE DOT} 5 in 4 containers \N{MIDDLE DOT} 7 free"
        in shown
    )


def test_a_line_for_each_attachment_in_its_vlans_colour(furnished: World) -> None:
    root = ET.fromstring(sriovctl(furnished, "status", "--svg", "-").out)

    wires = [e.get("stroke") for e in root.iter(f"{SVG}path") if e.get("class") == "wire"]

    assert sorted(wires, key=str) == sorted([PALETTE[0], PALETTE[1], PALETTE[1], PALETTE[2], "#8A8F98"])


@pytest.mark.parametrize("name", ["W" * 60, "i" * 200, "箱" * 40, "a<b>&\"'c" * 9])
def test_no_name_leaves_its_box_and_none_is_lost(furnished: World, name: str) -> None:
    found = _with_container(furnished, name)

    root = ET.fromstring(found)
    boxes = [e for e in root.iter(f"{SVG}rect") if e.get("class") != "ground"]
    for text in root.iter(f"{SVG}text"):
        shown = (text.text or "") + "".join(child.tail or "" for child in text)
        size, x, y = (float(text.get(key, "0")) for key in ("font-size", "x", "y"))
        around = [box for box in boxes if _contains(box, x, y)]
        if around and not text.get("text-anchor"):
            right = max(float(box.get("x", 0)) + float(box.get("width", 0)) for box in around)
            assert x + len(shown) * size * AT_LEAST <= right, shown
    titles = [e.text for e in root.iter(f"{SVG}title")]
    assert name in titles or name in texts(found)


def _with_container(world: World, name: str) -> str:
    """The runtime's rules for IDs do not hold for what others wrote into a Record."""
    from cni_sriov.ctl.status import gather
    from cni_sriov.kernel.files import Files
    from cni_sriov.words.domain import Attachment
    from tests.unit.ctl.tool import host

    found = gather.look(host(world), Files(str(world.root)))
    record = found.pfs[0].vfs[0].record
    assert record is not None
    record.attachment = Attachment(name, "net1")
    return picture.draw(found)


def _contains(box: ET.Element, x: float, y: float) -> bool:
    left, top, width, height = (float(box.get(key, "0")) for key in ("x", "y", "width", "height"))
    return left <= x <= left + width and top <= y <= top + height


def test_dark_and_light_and_no_time(furnished: World) -> None:
    first, again = (sriovctl(furnished, "status", "--svg", "-").out for _ in range(2))

    assert first == again
    assert "prefers-color-scheme: dark" in first
    assert not re.search(r"20\d\d-\d\d|\d\d:\d\d:\d\d[^:]", re.sub(r"0000:\S+|0[0-9a-f]:[01]", "", first))


def test_a_node_without_a_card(tmp_path: Path) -> None:
    drawn = sriovctl(World(tmp_path), "status", "--svg", "-").out

    assert "0 cards" in " ".join(texts(drawn))


def test_more_vlans_than_colours_differ_by_dashes(world: World) -> None:
    for number in range(7):
        world.kernel.add_pod(f"/run/netns/c{number}")
        conf = world.conf(ipam=None, vlan=100 + number)
        assert world.call("ADD", conf, f"c{number}", f"/run/netns/c{number}").code == 0

    root = ET.fromstring(sriovctl(world, "status", "--svg", "-").out)

    wires = [
        (e.get("stroke"), e.get("stroke-dasharray"))
        for e in root.iter(f"{SVG}path")
        if e.get("class") == "wire"
    ]
    assert len(set(wires)) == 7


def test_a_file(furnished: World, tmp_path: Path) -> None:
    run = sriovctl(furnished, "status", "--svg", str(tmp_path / "node.svg"))

    assert (run.status, run.out) == (0, "")
    assert (tmp_path / "node.svg").read_text() == sriovctl(furnished, "status", "--svg", "-").out


def test_one_picture_of_it_all(world: World) -> None:
    run = sriovctl(world, "status", "--svg", "x.svg", "--json")

    assert (run.status, run.document["error"]["code"]) == (2, 4)
