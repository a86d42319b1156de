"""Where an ADD and a DEL go, ours beside each other plugin, as stacked bars in a file. By matplotlib (`make bench` has it)."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

NAMES = {"ours": "cni-sriov", "go": "host-device\n+ host-local", "peer": "PEER_SRIOV\n+ host-local"}
# What a peer cannot tell apart is one band, between the colours of the two.
COLOURS = {
    "start-up": "#4c78a8",
    "decide": "#54a24b",
    "wait": "#b279a2",
    "decide and kernel": "#ee9f5a",
    "kernel": "#f58518",
    "IPAM": "#eeca3b",
    "exit": "#bab0ac",
}

LEAST_MS = 0.1  # what nobody would see is not in the legend


def draw(path: Path, splits: dict[str, dict[str, float]], about: str) -> str:
    """The picture's path, or why there is none. `splits`: "who verb" -> part -> ms; below 0 is lost in the noise."""
    if find_spec("matplotlib") is None:
        return "not drawn: matplotlib is not there; `make bench` installs it"
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.2 + 0.7 * len(splits)), layout="constrained")
    axes = figure.subplots()
    _bars(axes, splits)
    axes.invert_yaxis()
    axes.set_xlabel("ms, medians")
    axes.set_title("One attachment, and where its time goes", loc="left")
    axes.legend(ncols=4, fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.18), frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(about, fontsize="x-small", color="#666666")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    return str(path)


def _bars(axes: Any, splits: dict[str, dict[str, float]]) -> None:
    """All ADDs above all DELs: ours beside each other plugin."""
    splits = dict(sorted(splits.items(), key=lambda split: split[0].split()[1]))
    labels = [f"{who.split()[1]}  {NAMES[who.split()[0]]}" for who in splits]
    begin = [0.0] * len(splits)
    for part, colour in COLOURS.items():
        widths = [max(parts.get(part, 0.0), 0.0) for parts in splits.values()]
        if max(widths) > LEAST_MS:
            axes.barh(labels, widths, left=begin, color=colour, label=part, height=0.6)
        begin = [left + width for left, width in zip(begin, widths, strict=True)]
    for row, end in enumerate(begin):
        axes.text(end, row, f" {end:.1f}", va="center", fontsize="small")
