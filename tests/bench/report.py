"""The report: tables of milliseconds and ratios, readable in a terminal and in a pipe."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.bench.measure import quantile

if TYPE_CHECKING:
    from tests.bench.measure import Bursts, Samples

WIDTH = 108
BAR = 60
PARTS = (
    ("start-up", "█", "blue"),
    ("decide", "▓", "cyan"),
    ("kernel", "▒", "magenta"),
    ("IPAM", "░", "yellow"),
)


def make_console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH)


# -- numbers ----------------------------------------------------------------------------------------------------------


def middle(samples: list[Any], field: str) -> float:
    return float(median(getattr(sample, field) for sample in samples))


def ratios(mine: list[Any], theirs: list[Any], field: str) -> list[float]:
    """Round by round: what disturbs a round disturbs both."""
    return [
        getattr(a, field) / getattr(b, field) for a, b in zip(mine, theirs, strict=True) if getattr(b, field)
    ]


def spread(values: list[float]) -> str:
    """The middle half of the rounds."""
    return f"{quantile(values, 0.25):.2f}-{quantile(values, 0.75):.2f}"


def split(samples: Samples) -> dict[str, float]:
    """Where our ADD goes, by subtraction of medians: see docs/speed.md."""
    start = middle(samples["ours version/VERSION"], "wall")
    refused = middle(samples["refused/ADD"], "wall")
    bare = middle(samples["no ipam/ADD"], "wall")
    whole = middle(samples["ours/ADD"], "wall")
    return {"start-up": start, "decide": refused - start, "kernel": bare - refused, "IPAM": whole - bare}


# -- tables -----------------------------------------------------------------------------------------------------------


def table(title: str, *columns: str) -> Table:
    made = Table(
        title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2)
    )
    made.add_column(columns[0], min_width=24)
    for column in columns[1:]:
        made.add_column(column, justify="right", no_wrap=True)
    return made


def verdict(ratio: float) -> Text:
    """Green where we are ahead, red where we lose."""
    style = "green" if ratio <= 1 else "yellow" if ratio <= 1.1 else "red"
    return Text(f"{ratio:.2f}x", style=style)


def pair_row(into: Table, title: str, samples: Samples, mine: str, theirs: str) -> None:
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
    """ADD, DEL and VERSION beside host-device with host-local, and beside the bare interpreter where it ran."""
    made = table(title, "ms", "ours", "peer", "ratio", "half of rounds", "CPU", "peer", "ratio")
    pair_row(made, "ADD / host-device", samples, "ours/ADD", "go/ADD")
    pair_row(made, "DEL / host-device", samples, "ours/DEL", "go/DEL")
    if "ours vlan mac/ADD" in samples:
        pair_row(made, "ADD with vlan, mac / same", samples, "ours vlan mac/ADD", "go/ADD")
        pair_row(made, "DEL with vlan, mac / same", samples, "ours vlan mac/DEL", "go/DEL")
    pair_row(made, "VERSION / host-device", samples, "ours version/VERSION", "go version/VERSION")
    if "python/pass" in samples:
        pair_row(made, "VERSION / bare python3", samples, "ours version/VERSION", "python/pass")
    console.print(made)
    console.print()
    show_split(console, samples)


def show_split(console: Console, samples: Samples) -> None:
    parts = split(samples)
    whole = sum(parts.values())
    bar = Text("  ")
    for name, letter, style in PARTS:
        bar.append(letter * round(max(parts[name], 0) / whole * BAR), style=style)
    console.print(f"[bold]Our ADD, {whole:.0f} ms")
    console.print(bar)
    named = [f"{letter} {name} {parts[name]:.1f} ms ({parts[name] / whole:.0%})" for name, letter, _ in PARTS]
    if min(parts.values()) <= 0:
        named.append("(below 0 = lost in the noise)")
    console.print("  " + "   ".join(named))
    nothing = middle(samples["nothing/DEL"], "wall")
    console.print(
        f"  A DEL of nothing takes {nothing:.1f} ms, a whole one {middle(samples['ours/DEL'], 'wall'):.1f} ms."
    )
    console.print()


def show_bursts(console: Console, count: int, found: Bursts) -> None:
    made = table(
        f"{count} at once", "ms", "makespan", "p50", "p99", "CPU each", "makespan", "p50", "p99", "CPU"
    )
    for verb in ("ADD", "DEL"):
        for who in ("go", "ours", "ours picks"):
            mine, other = found[f"{who}/{verb}"], found[f"go/{verb}"]
            fields = ("makespan", "p50", "p99", "cpu")
            numbers = [f"{middle(mine, field):.0f}" for field in fields]
            against = (
                [verdict(median(ratios(mine, other, field))) for field in fields] if who != "go" else [""] * 4
            )
            name = {"go": "host-device", "ours": "ours, VF given", "ours picks": "ours, picks the VF"}[who]
            made.add_row(f"{verb} {name}", *numbers, *against)
    console.print(made)
    console.print()


def show_leases(console: Console, few: int, many: int, found: dict[str, Any]) -> None:
    samples: Samples = found["samples"]
    made = table("Leases that are there already", "ms", f"{few}", f"{many:,}", "ratio", "CPU", "CPU", "ratio")
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
    console.print(made)
    console.print(
        f"  In-process = reserve + release, with their lock and files on {found['storage']}, without fsync."
    )
    console.print()


def show_sizes(console: Console, sizes: dict[str, float]) -> None:
    made = table("Memory and disk", "MB", "ours", "peer", "what")
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
    console.print(made)
    console.print()
