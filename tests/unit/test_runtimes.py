"""docs/runtimes.md and the pages below it: each is there and linked, each test that it names is collected, and what it quotes of
an error is what the code says.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest

from tests.pages import ROOT, Block, blocks, fits, pages, table_rows, text_of
from tests.unit.test_conformance import NAMED, collected
from tests.world import Reply, World

INDEX = "docs/runtimes.md"
KNOWN = ("containerd", "podman", "kubernetes", "crio", "multus", "cnitool")
PAGES = [page for name in KNOWN if (page := f"docs/{name}.md") in pages()]
ID, OTHER = "3f7a12ab9c0d" + "5e" * 25, "77aa00bb11cc" + "5e" * 25
# where our own words begin in what a runtime shows
OURS = re.compile(r'choose a VF: no free VF|(CNI_ARGS IP|runtimeConfig\.ips) "([0-9.]+)": ')
QUOTES = [
    block for page in PAGES for block in blocks(page) if block.language == "text" and OURS.search(block.text)
]
# those that are run by other hands have their quotes compared in the lab, with what was printed
QUOTING = {"docs/containerd.md", "docs/podman.md", "docs/crio.md", "docs/multus.md", "docs/cnitool.md"}


def test_every_page_of_a_runtime_is_linked_with_its_versions_and_its_proof() -> None:
    rows = [row for row in table_rows(INDEX) if len(row) == 5 and row[0] not in {"runtime", "---"}]
    linked = set(re.findall(r"\]\((\w+\.md)[#)]", " ".join(row[4] for row in rows)))

    assert {f"docs/{name}" for name in linked} == set(PAGES)
    assert [row[0] for row in rows if not re.search(r"[0-9a-f]\.?[0-9a-f]", row[1])] == []
    assert [row[0] for row in rows if not re.search(r"`(unit|lab|integration)/\w+(/\w+)*\.py", row[3])] == []


@pytest.mark.parametrize("page", [INDEX, *PAGES])
def test_every_test_that_a_page_names_is_collected(page: str) -> None:
    named = set(NAMED.findall(text_of(page)))
    files = set(re.findall(r"`((?:unit|integration|lab)/[\w/]+\.py)`", text_of(page)))

    assert named - set().union(*(collected(file) for file in {file for file, _ in named})) == set()
    assert [file for file in files if not (ROOT / "tests" / file).exists()] == []


@pytest.mark.parametrize("page", ["docs/crio.md", "docs/multus.md"])
def test_what_was_not_run_says_so_at_once(page: str) -> None:
    assert "itself was not run**" in text_of(page).split("\n## ")[0].splitlines()[2]
    (row,) = [row for row in table_rows(INDEX) if len(row) == 5 and page.rpartition("/")[2] in row[4]]
    assert row[2] == "by contract, not run"


def test_what_its_user_sees_when_no_vf_is_free_is_quoted() -> None:
    assert {block.page for block in QUOTES if "no free VF" in block.text} >= QUOTING


@pytest.mark.parametrize("block", QUOTES, ids=[f"{block.page}: {block.tag}" for block in QUOTES])
def test_every_quoted_error_is_what_the_code_says(world: World, block: Block) -> None:
    start = OURS.search(block.text)
    assert start is not None
    quoted = block.text[start.start() :]
    ifname = "net1" if "/net1 of" in quoted else "eth0"
    container = "cnitool-77383ca0a0715733ca6f" if "cnitool-" in quoted else ID
    network = re.search(r" of network ([\w-]+)", quoted)

    reply = refuse(
        world, start, Asking(container, ifname, args_of(quoted), network[1] if network else "fast")
    )

    msg, details = reply.document["msg"], reply.document["details"]
    forms = (f"{msg}; {details}", f"{msg}: {details}", f"{msg} ({details}) [cni-sriov, code {reply.code}]")
    assert any(fits(quoted, form) for form in forms), forms[0]


def args_of(quoted: str) -> list[str]:
    """Of the CNI_ARGS of the pod that is quoted: podman tells a name and no namespace."""
    pod = re.search(r"\(pod (?:([\w-]+)/)?([\w.-]+)\)", quoted)
    if pod is None:
        return []
    return [*([f"K8S_POD_NAMESPACE={pod[1]}"] if pod[1] else []), f"K8S_POD_NAME={pod[2]}"]


class Asking(NamedTuple):
    """Who has what is asked for, and how he got it."""

    container: str
    ifname: str
    args: list[str]
    network: str


def refuse(world: World, start: re.Match[str], asking: Asking) -> Reply:
    """What a second one is told, where the first has what it asks for."""
    by_runtime, address = start[1] == "runtimeConfig.ips", start[2]
    keys = {"runtimeConfig": {"ips": [address]}} if by_runtime else {}
    by_args = [f"IP={address}"] if address and not by_runtime else []
    args = ";".join(["IgnoreUnknown=1", *by_args, *asking.args])

    def add(container: str, number: int = 0) -> Reply:
        path = f"/run/netns/{container}{number}"
        world.kernel.add_pod(path)
        conf = world.conf(name=asking.network, ipam=world.ipam(), **keys)
        return world.call("ADD", conf, f"{container}{number}", path, asking.ifname, args=args)

    for number in range(1 if address else 7):
        add(asking.container, number)
    return add(OTHER)
