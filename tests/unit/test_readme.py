"""README.md, which people decide by: its order is kept, each part is a screen, and what it shows is what is run.

A block of it that another page has, or a file, is compared with that word by word, so that nothing runs twice:

    <!-- file: PATH -->   the whole file
    <!-- as in: PATH -->  lines of a block of that page which runs, or of a file that such a block runs
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from tests.pages import COMMANDS, ROOT, Block, blocks, fits, pages, table_rows, text_of
from tests.unit.ctl.tool import sriovctl
from tests.world import Reply, World

PAGE = "README.md"
ORDER = [
    *("Is it for me?", "Status and support", "Words", "Try it without hardware", "Install", "Create VFs"),
    *("Quick start: podman", "Quick start: containerd and cnitool", "Quick start: Kubernetes"),
    *("Addresses", "Settings", "Operate", "When something is wrong", "Upgrade, roll back, uninstall"),
    *("Limits and roadmap", "Help"),
]
SCREEN = 60
MULTUS = ROOT / "conf" / "kubernetes" / "multus"
BLOCKS = blocks(PAGE)
POOL = {"subnet": "10.10.0.0/16", "prefixLength": 24}


def tagged(word: str) -> list[tuple[str, Block]]:
    found = ((re.fullmatch(rf"{word}: (\S+)", block.tag), block) for block in BLOCKS)
    return [(match[1], block) for match, block in found if match]


def parts() -> dict[str, str]:
    """Heading -> text, "" for what stands before the first one."""
    pieces = re.split(r"^## (.+)\n", text_of(PAGE), flags=re.MULTILINE)
    return {"": pieces[0]} | dict(zip(pieces[1::2], pieces[2::2], strict=True))


def test_it_goes_from_what_it_is_to_where_help_is() -> None:
    assert list(parts()) == ["", *ORDER]
    assert "](docs/status.svg)" in parts()[""]


def test_each_part_is_one_screen() -> None:
    """Without what no reader sees: comments, and the fences of blocks."""
    unseen = re.compile(r"<!-- .* -->|```\w*")
    long = {
        name: len(seen)
        for name, text in parts().items()
        if len(seen := [line for line in text.splitlines() if not unseen.fullmatch(line)]) > SCREEN
    }

    assert long == {}


@pytest.mark.parametrize(("path", "block"), tagged("file"))
def test_a_file_is_shown_whole(path: str, block: Block) -> None:
    assert block.text == (ROOT / path).read_text(), block.place


@pytest.mark.parametrize(("path", "block"), tagged("as in"))
def test_what_another_page_runs_is_shown_as_it_runs_there(path: str, block: Block) -> None:
    run = [b.text for page in pages() for b in blocks(page) if b.language in COMMANDS and "runs: " in b.tag]
    where = (
        [b.text for b in blocks(path) if b.text in run]
        if path.endswith(".md")
        else [(ROOT / path).read_text()]
    )

    assert path.endswith(".md") or any(
        re.search(rf"^# {re.escape(path)}$", text, re.MULTILINE) for text in run
    )
    assert any(f"\n{block.text}" in f"\n{text}" for text in where), block.place


def test_each_quick_start_shows_files_commands_and_output() -> None:
    for name in (heading for heading in ORDER if heading.startswith("Quick start")):
        tags = re.findall(r"^<!-- (.+) -->$", parts()[name], re.MULTILINE)
        assert (
            any(tag.startswith("file: ") for tag in tags)
            or "conf/containerd/10-sriov.conflist" in parts()[name]
        )
        assert any(re.match("as in: |runs: lab|what the plugin answers", tag) for tag in tags), name


def test_the_file_that_containerd_and_cnitool_share_with_podman_is_one() -> None:
    """The page shows it once."""
    same = ("conf/podman/10-fast.conflist", "conf/containerd/10-sriov.conflist", "conf/10-sriov.conflist")

    assert len({(ROOT / path).read_text() for path in same}) == 1


def test_its_runtimes_are_those_of_the_page_of_runtimes_with_the_same_proof() -> None:
    def told(page: str, columns: int) -> set[tuple[str, ...]]:
        rows = [row for row in table_rows(page) if len(row) == columns]
        return {tuple(re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", cell) for cell in row[:3]) for row in rows}

    ours, theirs = told(PAGE, 3), told("docs/runtimes.md", 5)

    assert ("runtime", "versions", "proven") in ours
    assert {row for row in theirs if row[0] != "---"} <= ours


def test_its_words_are_words_of_the_glossary() -> None:
    def words(page: str, text: str) -> set[str]:
        cells = (row[0] for row in table_rows(page) if len(row) == 2 and f"| {row[0]} |" in text)
        return {word for cell in cells for word in cell.split(", ")}

    ours = words(PAGE, parts()["Words"]) - {"word", "---"}

    assert len(ours) > 15
    assert ours <= words("docs/glossary.md", text_of("docs/glossary.md"))


def test_every_page_is_linked() -> None:
    of_users = {page for page in pages() if page.startswith("docs/") and "/design/" not in page}

    assert of_users - set(re.findall(r"\]\(([^)#]+)", text_of(PAGE))) == set()


def manifest(name: str) -> Any:
    return yaml.safe_load((MULTUS / name).read_text())


def test_the_three_files_for_kubernetes_mean_one_another() -> None:
    pod, network = manifest("pod.yaml"), manifest("fast-device-plugin.yaml")
    (counted,) = json.loads(manifest("device-plugin.yaml")["data"]["config.json"])["resourceList"]
    (container,) = pod["spec"]["containers"]
    resource = network["metadata"]["annotations"]["k8s.v1.cni.cncf.io/resourceName"]

    assert pod["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"] == network["metadata"]["name"]
    assert resource == f"{counted['resourcePrefix']}/{counted['resourceName']}"
    assert container["resources"] == {"requests": {resource: "1"}, "limits": {resource: "1"}}


def test_what_multus_makes_of_them_is_done_and_undone(world: World) -> None:
    """As it delegates: the object's name, and the device plugin's choice twice (tests/integration/test_multus.py)."""
    network = manifest("fast-device-plugin.yaml")
    conf = json.loads(network["spec"]["config"]) | {"name": network["metadata"]["name"]}
    conf |= {"deviceID": "0000:01:10.4", "pciBusID": "0000:01:10.4"}
    conf = world.conf(master=None, **conf | {"ipam": world.ipam(**conf["ipam"])})
    before = world.snapshot()

    added = world.call("ADD", conf, args="IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web")
    vlan = world.kernel.pfs[0].vfs[2].state.vlan
    deleted = world.call("DEL", conf)

    (shown,) = (block.text for block in BLOCKS if block.tag == "what the plugin answers Multus")
    assert fits(shown, json.dumps(added.document))
    assert (added.exit_code, vlan, deleted.exit_code) == (0, 100, 0)
    assert world.snapshot() == before


def symptoms() -> list[tuple[str, int, str]]:
    """Of the table: what the plugin says, the code in brackets behind it, and the command of sriovctl to look by, or ""."""
    row = re.compile(r"^\| `([^`]+)` \((\d+)\) \| (?:`sriovctl ([^`]+)`)?", re.MULTILINE)
    return [(said, int(code), look) for said, code, look in row.findall(parts()["When something is wrong"])]


def refused(world: World, sentence: str) -> Reply:
    """An ADD in the state that the sentence is about."""
    mac, vf3 = "02:00:00:00:aa:07", "0000:01:10.6"
    card = world.kernel.pfs[0]

    def add(container: str, args: str = "", **keys: Any) -> Reply:
        world.kernel.add_pod(f"/run/netns/{container}")
        conf = world.conf(**{"ipam": world.ipam()} | keys)
        return world.call("ADD", conf, container, f"/run/netns/{container}", args=args)

    one_left = world.ipam(pools=[POOL | {"exclude": ["10.10.1.0-10.10.255.255"]}])
    if "no free VF" in sentence:
        return [add(f"pod{number}") for number in range(8)][-1]
    if "can ever be taken" in sentence:
        for vf in card.vfs:
            world.kernel.set_driver(vf, "vfio-pci")
    if "has no VFs" in sentence:
        world.kernel.change_numvfs(card, 0)
    if "no free subnet" in sentence:
        return [add(name, ipam=one_left) for name in ("db", "web")][-1]
    if "link_state" in sentence:
        return add("web", master=None, deviceID=vf3, link_state="enable")
    if "MAC" in sentence:
        return [add("db", master=None, deviceID=vf3, mac=mac), add("web", mac=mac)][-1]
    if "is taken by" in sentence:
        return [add(name, "IP=10.10.5.7") for name in ("db", "web")][-1]
    if "attached already" in sentence:
        return [add("web") for _ in range(2)][-1]
    asked = "IP=10.20.0.5" if "every pool" in sentence else ""
    return add("web", asked, master="enp1s0f9" if "enp1s0f9" in sentence else "enp1s0f0")


@pytest.mark.parametrize(("sentence", "code", "look"), symptoms())
def test_a_symptom_is_what_the_plugin_says_and_the_command_beside_it_shows_more(
    world: World, sentence: str, code: int, look: str
) -> None:
    reply = refused(world, sentence)
    shown = sriovctl(world, *look.split()) if look else None

    assert fits(sentence, reply.document["msg"]), reply.document["msg"]
    assert reply.document["code"] == code
    assert shown is None or (shown.status == 0 and shown.out.count("\n") > 1), shown
