"""The report: tables of milliseconds and ratios, readable in a terminal and in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from statistics import median
from typing import Any

from rich.console import Console
from rich.text import Text

from cni_sriov.ctl import split
from cni_sriov.ctl.screen import Column, Screen, cell
from tests.bench import goals
from tests.bench.measure import Bursts, Samples, middle, quantile, ratios

WIDTH = 108
BAR = 60
LETTERS = dict(zip(split.PARTS, "█▚!▒░▪", strict=True))
STYLES = dict(zip(split.PARTS, ("blue", "green", "red", "magenta", "yellow", "white"), strict=True))
LOCKS = {"node": "choosing a VF", "ipam": "leasing a subnet", "attachment": "of the same one"}
Parts = dict[str, float]


def make_console() -> Console:
    return Screen(sys.stdout, 0 if sys.stdout.isatty() else WIDTH).console


# -- numbers ----------------------------------------------------------------------------------------------------------


def spread(values: list[float]) -> str:
    """The middle half of the rounds."""
    return f"{quantile(values, 0.25):.2f}-{quantile(values, 0.75):.2f}"


def calls_of(sheets: Iterable[dict[str, Any] | None]) -> list[split.Call]:
    """What the plugin itself told, of the calls that were asked for it."""
    found = []
    for sheet in sheets:
        said = split.told(sheet["stderr"]) if sheet else None
        if sheet and said:
            found.append(split.split(said, sheet["spawned"], sheet["reaped"]))
    return found


def own_parts(samples: Samples, verb: str) -> Parts:
    """Medians of what our plugin told of itself, by part."""
    return split.middle(calls_of(sample.sheet for sample in samples[f"ours timed/{verb}"])).parts


def parts_from_outside(samples: Samples, who: str, verb: str) -> Parts:
    """A plugin that tells nothing, by medians of different calls: VERSION, the verb without IPAM, the whole verb."""
    start = middle(samples[f"{who} version/VERSION"], "wall")
    bare = middle(samples[f"{who} no ipam/{verb}"], "wall")
    whole = middle(samples[f"{who}/{verb}"], "wall")
    return {"start-up": start, "decide and kernel": bare - start, "IPAM": whole - bare}


def splits(samples: Samples) -> dict[str, Parts]:
    """By "who verb", of those that were measured."""
    found = {f"ours {verb}": own_parts(samples, verb) for verb in ("ADD", "DEL")}
    for who in ("go", "peer"):
        if f"{who} no ipam/ADD" in samples:
            found |= {f"{who} {verb}": parts_from_outside(samples, who, verb) for verb in ("ADD", "DEL")}
    return found


# -- tables -----------------------------------------------------------------------------------------------------------


class Rows:
    """By the screen of sriovctl: no cell is cut, and a pipe gets no padding."""

    def __init__(self, title: str, first: str, *others: str) -> None:
        self.title = title
        self.columns = [Column(first, least=12), *(Column(other, is_right=True) for other in others)]
        self.rows: list[list[Text]] = []

    def add_row(self, *cells: str | Text) -> None:
        self.rows.append([one if isinstance(one, Text) else cell(one) for one in cells])

    def show(self, console: Console) -> None:
        screen = Screen(console.file, console.width)
        screen.line(self.title, "bold")
        screen.table(self.columns, self.rows)


def verdict(ratio: float) -> Text:
    """Green where we are ahead, red where we lose."""
    style = "green" if ratio <= 1 else "yellow" if ratio <= 1.1 else "red"
    return Text(f"{ratio:.2f}x", style=style)


def pair_row(into: Rows, title: str, samples: Samples, mine: str, theirs: str) -> None:
    ours, other = samples[mine], samples[theirs]
    wall = ratios(ours, other, "wall")
    into.add_row(
        title,
        f"{middle(ours, 'wall'):.1f}",
        f"{middle(other, 'wall'):.1f}",
        verdict(median(wall)),
        spread(wall),
        f"{middle(ours, 'cpu'):.1f}",
        f"{middle(other, 'cpu'):.1f}",
        verdict(median(ratios(ours, other, "cpu"))),
    )


def show_alone(console: Console, title: str, samples: Samples) -> None:
    """ADD, DEL and VERSION beside host-device with host-local, the peer and the bare interpreter, where they ran."""
    made = Rows(title, "ms", "ours", "other", "ratio", "half of rounds", "CPU", "other", "ratio")
    rows = [
        (f"{verb}{' with vlan' * (' vlan' in mine)} / {name}", f"{mine}/{verb}", f"{theirs}/{verb}")
        for name, mine, theirs in (
            ("host-device", "ours", "go"),
            ("host-device", "ours vlan", "go"),
            ("PEER_SRIOV", "ours", "peer"),
            ("PEER_SRIOV", "ours vlan", "peer vlan"),
        )
        for verb in ("ADD", "DEL")
    ]
    rows += [
        ("VERSION / host-device", "ours version/VERSION", "go version/VERSION"),
        ("VERSION / PEER_SRIOV", "ours version/VERSION", "peer version/VERSION"),
        ("VERSION / bare python3", "ours version/VERSION", "python/exit"),
        ("STATUS / our VERSION", "ours status/STATUS", "ours version/VERSION"),
    ]
    for name, mine, theirs in rows:
        if mine in samples and theirs in samples:
            pair_row(made, name, samples, mine, theirs)
    made.show(console)
    console.print()
    show_split(console, samples)


def show_less_a_move(console: Console, samples: Samples, moves: list[float]) -> None:
    """What is left when the kernel's part that no plugin can be without is taken off."""
    bare = median(moves)
    made = Rows(f"ADD less one bare netdev move, {bare:.1f} ms", "ms", "ours", "host-device", "PEER_SRIOV")
    walls = {who: samples[f"{who}/ADD"] for who in ("ours", "go", "peer") if f"{who}/ADD" in samples}
    left = {who: middle(found, "wall") - bare for who, found in walls.items()}
    made.add_row("ADD", *(f"{left[who]:.1f}" if who in left else "-" for who in ("ours", "go", "peer")))
    made.add_row(
        "ours to it",
        "",
        *(f"{left['ours'] / left[who]:.2f}x" if who in left else "-" for who in ("go", "peer")),
    )
    made.show(console)
    console.print()


def show_split(console: Console, samples: Samples) -> None:
    """A row for each plugin and verb; a bar for each of ours."""
    made = Rows("Where it goes", "ms", "whole", *split.PARTS)
    names = {"ours": "ours", "go": "host-device", "peer": "PEER_SRIOV"}
    found = splits(samples)
    for who, parts in found.items():
        name, verb = who.split()
        columns = parts | {"kernel": parts.get("decide and kernel", parts.get("kernel", 0.0))}
        cells = [f"{columns[part]:.1f}" if part in columns else "-" for part in split.PARTS]
        made.add_row(f"{verb} {names[name]}", f"{sum(parts.values()):.1f}", *cells)
    made.show(console)
    for verb in ("ADD", "DEL"):
        parts = found[f"ours {verb}"]
        bar = Text(f"  {verb} ")
        for name, spent in parts.items():
            bar.append(LETTERS[name] * round(spent / sum(parts.values()) * BAR), style=STYLES[name])
        console.print(bar)
    console.print(
        Text("      " + "  ".join(f"{letter} {name}" for name, letter in LETTERS.items()), style="dim")
    )
    console.print(
        "  Ours by its own timestamps. Others from outside, by VERSION and without IPAM: `kernel` is all the rest."
    )
    console.print()


def show_bursts(console: Console, count: int, found: Bursts) -> None:
    made = Rows(
        f"{count} at once", "ms", "makespan", "p50", "p99", "CPU each", "makespan", "p50", "p99", "CPU"
    )
    names = {
        "go": "host-device",
        "peer": "PEER_SRIOV",
        "ours": "ours, VF given",
        "ours picks": "ours, picks the VF",
    }
    fields = ("makespan", "p50", "p99", "cpu")
    other = "go" if "go/ADD" in found else "peer"
    for verb in ("ADD", "DEL"):
        for who in (who for who in names if f"{who}/{verb}" in found):
            mine, theirs = found[f"{who}/{verb}"], found[f"{other}/{verb}"]
            numbers = [f"{middle(mine, field):.0f}" for field in fields]
            against = [verdict(median(ratios(mine, theirs, field))) for field in fields]
            made.add_row(f"{verb} {names[who]}", *numbers, *(against if who != other else [""] * 4))
    made.show(console)
    console.print()


def show_locks(console: Console, count: int, alone: Samples, bursts: Bursts) -> None:
    """How long each flock is held, and waited for: alone, and where all that pick a VF meet."""
    made = Rows(
        "Locks held by a call, by its own timestamps",
        "ms",
        "ADD",
        f"{count} p50",
        "p99",
        "DEL",
        f"{count} p50",
        "p99",
    )
    cells: dict[str, list[str]] = {name: [] for name in (*LOCKS, "wait")}
    for verb in ("ADD", "DEL"):
        single = calls_of(sample.sheet for sample in alone[f"ours timed/{verb}"])
        many = calls_of(sheet for burst in bursts[f"ours timed/{verb}"] for sheet in burst.sheets)
        for name, row in cells.items():
            one, all_of_them = _held(single, name), _held(many, name)
            row += [
                f"{value:.2f}"
                for value in (median(one), quantile(all_of_them, 0.5), quantile(all_of_them, 0.99))
            ]
    for name, row in cells.items():
        made.add_row(f"{name}, {LOCKS[name]}" if name in LOCKS else "waited for any of them", *row)
    made.show(console)
    console.print()


def _held(calls: list[split.Call], name: str) -> list[float]:
    return [call.parts["wait"] if name == "wait" else call.held.get(name, 0.0) for call in calls]


def show_vfs(console: Console, counts: tuple[int, int], samples: Samples) -> None:
    few, many = counts
    made = Rows("VFs on the PF", "ms", f"{few}", f"{many}", "ratio", "half of rounds", "CPU", "CPU", "ratio")
    for who, name in (("given", "the last VF given"), ("picks", "picks a VF")):
        for verb in ("ADD", "DEL"):
            a, b = samples[f"{who} {few}/{verb} {few}"], samples[f"{who} {many}/{verb} {many}"]
            wall = ratios(b, a, "wall")
            made.add_row(
                f"{verb}, {name}",
                f"{middle(a, 'wall'):.1f}",
                f"{middle(b, 'wall'):.1f}",
                f"{median(wall):.2f}x",
                spread(wall),
                f"{middle(a, 'cpu'):.1f}",
                f"{middle(b, 'cpu'):.1f}",
                f"{median(ratios(b, a, 'cpu')):.2f}x",
            )
    made.show(console)
    console.print("  Synthesised: a private /sys with that many VFs of one PF, and a veth end for each.")
    console.print()


def show_goals(console: Console, found: dict[str, Any]) -> None:
    made = Rows("Goals", "", "this run", "goal", "")
    styles = {goals.MET: "green", goals.NOT_MET: "red", goals.NOT_MEASURED: "dim"}
    for goal in goals.GOALS:
        value, judged = goals.judge(goal, found)
        made.add_row(goal.what, value, f"<= {goal.limit:g}{goal.unit}", Text(judged, style=styles[judged]))
    made.show(console)
    console.print()


def show_leases(console: Console, few: int, many: int, found: dict[str, Any]) -> None:
    samples: Samples = found["samples"]
    made = Rows("Leases that are there already", "ms", f"{few}", f"{many:,}", "ratio", "CPU", "CPU", "ratio")
    for who in ("ours", "host-local"):
        for verb in ("ADD", "DEL"):
            a, b = samples.get(f"{who} {few}/{verb}"), samples.get(f"{who} {many}/{verb}")
            if a and b:
                cells = []
                for field in ("wall", "cpu"):
                    cells += [f"{middle(a, field):.1f}", f"{middle(b, field):.1f}"]
                    cells.append(f"{middle(b, field) / middle(a, field):.2f}x")
                alone = " alone" if who == "host-local" else ", whole"
                made.add_row(f"{verb} {who}{alone}", *cells)
    low, high = (median(found["store"][str(count)]) for count in (few, many))
    made.add_row("our store, in-process", f"{low:.2f}", f"{high:.2f}", f"{high / low:.2f}x", "", "", "")
    made.show(console)
    console.print(
        f"  In-process = reserve + release, with their lock and files on {found['storage']}, without fsync."
    )
    console.print()


def show_shared(console: Console, samples: Samples, engine: dict[str, Any]) -> None:
    """ADD and DEL with and without `blocks`; then what the engine does, and how long an ADD waits that needs it."""
    made = Rows(
        "A pool that nodes share", "ms", "shared", "own", "ratio", "half of rounds", "CPU", "CPU", "ratio"
    )
    for verb in ("ADD", "DEL"):
        pair_row(made, verb, samples, f"shared pool/{verb}", f"own pool/{verb}")
    made.show(console)
    made = Rows("One etcd on loopback, on a disk", "claims", "a second", "p50 ms", "p99 ms")
    for rate in engine["claims"]:
        name = f"{rate.connections} connection{'s' * (rate.connections > 1)}"
        middle_ms, late_ms = (quantile(rate.took, share) for share in (0.5, 0.99))
        made.add_row(name, f"{rate.per_second:.0f}", f"{middle_ms:.1f}", f"{late_ms:.1f}")
    refills = engine["refills"]
    made.add_row("`sriovctl pool refill`", "", f"{median(refills):.0f}", f"{quantile(refills, 0.99):.0f}")
    made.show(console)
    console.print(
        "  The refill is a process, from its start to its end: what an ADD waits that finds nothing left."
    )
    console.print()


def show_sizes(console: Console, sizes: dict[str, float]) -> None:
    made = Rows("Memory and disk", "MB", "ours", "peer", "what")
    made.add_row(
        "peak RSS, VERSION", *(f"{sizes[f'{who} VERSION']:.1f}" for who in ("ours", "go")), "host-device"
    )
    made.add_row(
        "peak RSS, ADD", *(f"{sizes[f'{who} ADD']:.1f}" for who in ("ours", "go")), "without its delegate"
    )
    made.add_row("peak RSS, bare python3", f"{sizes['python']:.1f}", "", "-I -S")
    made.add_row(
        "on disk, for `sriov`",
        f"{sizes['plugin']:.1f}",
        f"{sizes['go disk']:.1f}",
        "host-device and host-local",
    )
    made.add_row("on disk, whole bundle", f"{sizes['bundle']:.1f}", "", "with sriovctl")
    made.show(console)
    console.print()
