"""README's table of symptoms, row by row: the state is made, the symptom told in the row's words, what it says to look by run,
and its remedy followed; then the same call succeeds. And what docs/errors.md has beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import pages, remedies
from tests.unit import dpdk
from tests.unit.ctl.following import with_modules
from tests.unit.ctl.tool import Run, sriovctl
from tests.world import Reply, World

VF = "0000:01:10.{}"  # each other function
POOL = {"subnet": "10.10.0.0/16", "prefixLength": 24}
# what needs a wire, a runtime, or the kernel's own refusal
ELSEWHERE = {
    "the runtime does not find `sriov`": "test_doctor_state.py::test_runtimes_their_networks_and_plugins_and_who_manages_vfs",
    "no ping between containers": "test_attach.py::test_neighbours_in_different_subnets_reach_each_other_on_one_vlan_only",
    '`echo 7 > sriov_numvfs` says "Cannot allocate memory"': "test_oracle.py::test_the_notes_slot_is_foretold_refused_explained_and_comes_right",
}


class Row(NamedTuple):
    symptom: str
    look: str
    remedy: str


def rows() -> dict[str, Row]:
    """By what the row begins with."""
    table = list(pages.table_rows("README.md"))
    first = table.index(["symptom", "look by", "remedy"]) + 1
    end = next(n for n, row in enumerate(table[first:], first) if len(row) != len(Row._fields))
    return {row[0]: Row(*row) for row in table[first:end]}


ROWS = rows()


class Case:
    """One node and the call that fails there."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.who = "web"
        self.args = ""
        self.keys: dict[str, Any] = {}

    def add(self, who: str = "", args: str = "", **keys: Any) -> Reply:
        path = f"/run/netns/{who or self.who}"
        if path not in self.world.kernel.pods:
            self.world.kernel.add_pod(path)
        return self.world.call(
            "ADD", self.world.conf(**self.keys | keys), who or self.who, path, args=args or self.args
        )

    def has(self, who: str, args: str = "", **keys: Any) -> None:
        assert self.add(who, args, **keys).code == 0

    def end(self, who: str) -> None:
        assert self.world.call("DEL", self.world.conf(**self.keys), who, "").code == 0

    def kill(self, who: str) -> None:
        self.world.kernel.kill_netns(f"/run/netns/{who}")

    def type(self, cell: str, **words: str) -> list[Run]:
        """Each command of it that can be typed as it stands, with what stands for a word of capitals."""
        for name, word in words.items():
            cell = re.sub(rf"\b{name}\b", word, cell)
        return [sriovctl(self.world, *command) for command in remedies.commands(cell)]


def full(case: Case) -> None:
    for number in range(7):
        case.has(f"c{number}")


def collecting(who: str) -> Callable[[Case, Row], None]:
    """An ADD would do it, too."""

    def collect(case: Case, row: Row) -> None:
        case.kill(who)
        assert f"{who}/net1" in sriovctl(case.world, "status").out
        case.type(row.remedy.partition(", `sriovctl release`")[0])
        assert f"{who}/net1" not in sriovctl(case.world, "status").out

    return collect


def on_vfio(case: Case) -> None:
    dpdk.furnish(with_modules(case.world))
    for vf in case.world.kernel.pfs[0].vfs:
        assert sriovctl(case.world, "bind", vf.pci_address, "vfio-pci").status == 0


def restore_each(case: Case, row: Row) -> None:
    for vf in case.world.kernel.pfs[0].vfs:
        case.type(row.remedy, VF=vf.pci_address)


def without_vfs(case: Case) -> None:
    case.world.kernel.change_numvfs(case.world.kernel.pfs[0], 0)


def asking(**keys: Any) -> Callable[[Case], None]:
    def ask(case: Case) -> None:
        case.keys = {name: value for name, value in keys.items() if name != "args"}
        case.args = keys.get("args", "")

    return ask


def with_one_subnet(case: Case) -> None:
    case.keys = {"ipam": case.world.ipam(pools=[POOL | {"exclude": ["10.10.1.0-10.10.255.255"]}])}
    case.has("c1")


def with_its_mac(case: Case) -> None:
    case.keys = {"master": None, "mac": "02:00:00:00:aa:07"}
    case.has("db", deviceID=VF.format(6))
    case.keys["deviceID"] = VF.format(0)


def with_its_subnet(case: Case) -> None:
    case.keys, case.args = {"ipam": case.world.ipam()}, "IP=10.10.5.7"
    case.has("db")


def outside(case: Case) -> None:
    case.keys, case.args = {"ipam": case.world.ipam()}, "IP=10.20.0.5"


def twice(case: Case) -> None:
    case.has("web")


def typed(case: Case, row: Row) -> None:
    case.type(row.remedy)


def ending(who: str) -> Callable[[Case, Row], None]:
    return lambda case, _: case.end(who)


def hands(**keys: Any) -> Callable[[Case, Row], None]:
    return lambda case, _: asking(**keys)(case)


def one_of_the_pools(case: Case, _: Row) -> None:
    case.args = "IP=10.10.0.5"


CASES: dict[str, tuple[Callable[[Case], None], str, Callable[[Case, Row], None]]] = {
    "choose a VF: no free VF": (full, "c3/net1", collecting("c3")),
    "choose a VF: none of those": (on_vfio, "vfio-pci", restore_each),
    "choose a VF: enp1s0f0 has no VFs": (without_vfs, "enp1s0f0", typed),
    "use master enp1s0f9": (asking(master="enp1s0f9"), "enp1s0f0", hands()),
    "lease a /24": (with_one_subnet, "10.10.0.0/24", collecting("c1")),
    "set link_state": (asking(master=None, deviceID=VF.format(6), link_state="enable"), "", hands()),
    "use MAC": (with_its_mac, "02:00:00:00:aa:07", ending("db")),
    'CNI_ARGS IP "10.10.5.7"': (with_its_subnet, "10.10.5.0/24", ending("db")),
    'CNI_ARGS IP "10.20.0.5"': (outside, "10.10.0.0/16", one_of_the_pools),
    "add web/net1": (twice, "VF 0000:01:10.0", ending("web")),
}


def row_of(begins: str) -> Row:
    (found,) = [row for row in ROWS.values() if row.symptom.startswith(f"`{begins}")]
    return found


@pytest.mark.parametrize("begins", CASES)
def test_a_symptom_is_told_so_and_is_gone_by_its_remedy(world: World, begins: str) -> None:
    case, row = Case(world), row_of(begins)
    make, seen, mend = CASES[begins]
    make(case)
    symptom, code = re.fullmatch(r"`(.*)` \((\d+)\)", row.symptom).groups()  # type: ignore[union-attr]

    refused = case.add()
    assert (refused.code, pages.fits(symptom, refused.document["msg"])) == (int(code), True), refused.text
    looks = case.type(row.look)
    told = "".join(run.out for run in looks) or refused.document.get("details", "")
    assert ({run.status for run in looks} <= {0}, seen in told) == (True, True), told
    mend(case, row)

    assert case.add().code == 0


def test_each_row_is_followed_here_or_in_the_lab() -> None:
    others = {symptom for symptom in ROWS if not any(symptom.startswith(f"`{begins}") for begins in CASES)}

    assert others == set(ELSEWHERE)
    for file, _, name in (where.partition("::") for where in ELSEWHERE.values()):
        assert f"\ndef {name}(" in (pages.ROOT / "tests/lab" / file).read_text()


# docs/errors.md; the codes of its other rows are above, and in test_followed.py ----------------------------------------


@pytest.mark.parametrize(("code", "wrong", "said"), [("6", "]", ":2:10: "), ("7", "5000", ":2:2: ")])
def test_what_the_page_says_of_a_file_that_is_refused(
    world: World, tmp_path: Path, code: str, wrong: str, said: str
) -> None:
    (row,) = [row for row in pages.table_rows("docs/errors.md") if row[0] == code]
    file = tmp_path / "10-fast.conf"
    text = json.dumps(world.conf(vlan=0)).replace('"vlan": 0', f'\n "vlan": {wrong}')
    file.write_text(text)
    assert world.call("ADD", text).code == int(code)

    (run,) = Case(world).type(row[3], FILE=str(file))

    assert (run.status, f"{file}{said}" in run.out) == (1, True), run.out
