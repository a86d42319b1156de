"""`python -m tests.bench`: measure, report. `--quick` takes a minute, the whole about ten."""

from __future__ import annotations

import argparse
import os
import platform
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from tests import bundle
from tests.bench import card, contenders, leases, measure, move, picture, report, shared, simulation
from tests.bench.contenders import GO, HOST_DEVICE, HOST_LOCAL, PYTHON
from tests.bench.measure import BenchError, Sample, Step
from tests.integration.rig import ROOT, Rig, RigError, call
from tests.lab.errors import LabError

FEW = 10
VFS = (8, 256)
PEER_BURST = 64
PICTURE = ROOT / "build" / "out" / "bench.png"
SETTLE_S = 0.3  # between bursts


class Size(NamedTuple):
    """How much of it."""

    rounds: int
    burst: int
    bursts: int
    vf_rounds: int
    leases: int
    lease_rounds: int
    lab_rounds: int
    shared_rounds: int
    claims: int
    nodes: simulation.Size


WHOLE = Size(
    rounds=40,
    burst=32,
    bursts=7,
    vf_rounds=15,
    leases=100_000,
    lease_rounds=15,
    lab_rounds=6,
    shared_rounds=100,
    claims=4000,
    nodes=simulation.WHOLE,
)
QUICK = Size(
    rounds=10,
    burst=32,
    bursts=2,
    vf_rounds=5,
    leases=10_000,
    lease_rounds=5,
    lab_rounds=0,
    shared_rounds=10,
    claims=400,
    nodes=simulation.QUICK,
)


def main() -> int:
    """The exit status."""
    asked = _arguments()
    obstacle = "it needs root (network namespaces)" if os.geteuid() else contenders.missing()
    if obstacle:
        print(f"bench: {obstacle}", file=sys.stderr)
        return 1
    console = report.make_console()
    found: dict[str, Any] = {"machine": machine(), "seed": asked.seed, "quick": asked.quick}
    size = QUICK if asked.quick else WHOLE
    peer = contenders.peer_path()
    head(console, found, peer)
    with Rig(vfs=size.burst) as rig:
        for index in range(size.burst):
            rig.add_pod(f"pod{index}")
        on_this_machine(console, rig, size, found, peer)
    beside_the_peer(console, size, found, peer)
    among_many_vfs(console, size, found)
    with Rig(vfs=1, on_disk=True) as rig:
        rig.add_pod("pod0")
        beside_leases(console, rig, size, found)
    beside_a_shared_pool(console, size, found)
    on_many_nodes(console, size, found)
    if size.lab_rounds and not asked.no_lab:
        on_the_card(console, size, found, peer)
    report.show_goals(console, found)
    drawn = picture.draw(PICTURE, report.splits(found["alone"]), about(found))
    console.print(f"  picture: {drawn}", soft_wrap=True)
    console.print(f"  load average {_load()} at the end; took {time.monotonic() - asked.start:.0f} s")
    if asked.json:
        measure.write_json(asked.json, found)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="fewer rounds, fewer leases, no lab: under a minute"
    )
    parser.add_argument("--no-lab", action="store_true", help="leave out the emulated card")
    parser.add_argument("--json", metavar="FILE", help="write every sample there")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="of the random orders")
    return parser.parse_args(namespace=argparse.Namespace(start=time.monotonic()))


# the machine itself --------------------------------------------------------------------------------------------------


def on_this_machine(console: Console, rig: Rig, size: Size, found: dict[str, Any], peer: str) -> None:
    """One at a time, then many at once, then memory and disk. State is in RAM here: no disk's mood is measured."""
    seed = found["seed"]
    found["no peer"] = contenders.why_not(rig, peer)
    tasks = contenders.alone("" if found["no peer"] else peer)
    with console.status(f"one at a time, {size.rounds} rounds"):
        found["alone"] = measure.rounds(size.rounds, tasks, lambda step: rig.inside(measure.one, step), seed)
    title = f"One at a time: {size.rounds} rounds, medians; a ratio is the median of the rounds' ratios"
    report.show_alone(console, title, found["alone"])
    found["moves"] = rig.inside(move.bare, "vf0", "pod0", size.rounds)
    report.show_less_a_move(console, found["alone"], found["moves"])
    if found["no peer"]:
        console.print(f"PEER_SRIOV: not measured: {found['no peer']}\n")
    with console.status(f"{size.burst} at once, {size.bursts} rounds"):
        found["bursts"] = bursts(rig, size, contenders.together(size.burst), seed)
    report.show_bursts(console, size.burst, found["bursts"])
    report.show_locks(console, size.burst, found["alone"], found["bursts"])
    with console.status("memory and disk"):
        found["sizes"] = sizes(rig)
    report.show_sizes(console, found["sizes"])


def bursts(rig: Rig, size: Size, tasks: contenders.Bursts, seed: int) -> measure.Bursts:
    return measure.rounds(size.bursts, tasks, lambda step: rig.inside(measure.burst, step), seed, SETTLE_S)


def beside_the_peer(console: Console, size: Size, found: dict[str, Any], peer: str) -> None:
    """A burst of 64, ours and PEER_SRIOV; in a rig of its own, since VFs that nobody needs cost an ADD time."""
    if found["no peer"]:
        return
    with console.status(f"{PEER_BURST} at once, {size.bursts} rounds"), Rig(vfs=PEER_BURST) as rig:
        for index in range(PEER_BURST):
            rig.add_pod(f"pod{index}")
        found["peer bursts"] = bursts(rig, size, contenders.beside_peer(peer, PEER_BURST), found["seed"])
    report.show_bursts(console, PEER_BURST, found["peer bursts"])


def among_many_vfs(console: Console, size: Size, found: dict[str, Any]) -> None:
    """The same ADD on a PF with 8 and one with 256 VFs, each in a rig of its own; rounds go to both in turn."""
    few, many = VFS
    with console.status(f"{few} and {many} VFs"), Rig(vfs=few) as small, Rig(vfs=many) as large:
        rigs = {str(few): small, str(many): large}
        for rig in rigs.values():
            rig.add_pod("pod0")
        tasks = contenders.among(few) | contenders.among(many)
        found["vfs"] = measure.rounds(
            size.vf_rounds,
            tasks,
            lambda step: rigs[step.name.split()[1]].inside(measure.one, step),
            found["seed"],
        )
    report.show_vfs(console, VFS, found["vfs"])


def beside_leases(console: Console, rig: Rig, size: Size, found: dict[str, Any]) -> None:
    """On a disk: so many files, and their removal slows the next creations down (ext4 spares young inodes)."""
    with console.status(f"{size.leases:,} leases"):
        found["leases"] = _beside_leases(rig, size, found["seed"])
    report.show_leases(console, FEW, size.leases, found["leases"])


def _beside_leases(rig: Rig, size: Size, seed: int) -> dict[str, Any]:
    counts = (FEW, size.leases)
    for count in counts:
        rig.inside(leases.fill, count)
        rig.inside(leases.fill_go, count)
    store = {str(count): rig.inside(leases.in_process, count, 100) for count in counts}

    def one(step: Step) -> Sample:
        return rig.inside(measure.one, step)

    samples = measure.rounds(size.lease_rounds, leases.steps(counts), one, seed)
    samples |= measure.rounds(min(size.lease_rounds, 3), leases.steps_go(counts), one, seed)
    return {"samples": samples, "store": store, "storage": rig.storage()}


def beside_a_shared_pool(console: Console, size: Size, found: dict[str, Any]) -> None:
    """The engine is asked once before, as a node that has its blocks has asked."""
    found["no etcd"] = shared.missing()
    if found["no etcd"]:
        console.print(f"A shared pool: not measured: {found['no etcd']}\n")
        return
    with tempfile.TemporaryDirectory(dir="/var/tmp") as home, Rig(vfs=1) as rig:
        rig.add_pod("pod0")
        shared.prepare(rig)
        with shared.etcd(rig, home), console.status(f"a shared pool, {size.shared_rounds} rounds"):
            tasks = shared.tasks()
            measure.rounds(1, tasks, lambda step: rig.inside(measure.one, step), found["seed"])
            shared.settle(rig)
            found["shared"] = measure.rounds(
                size.shared_rounds, tasks, lambda step: rig.inside(measure.one, step), found["seed"]
            )
            found["engine"] = shared.engine_alone(rig, size.claims, min(size.shared_rounds, 15))
    report.show_shared(console, found["shared"], found["engine"])


def on_many_nodes(console: Console, size: Size, found: dict[str, Any]) -> None:
    with console.status(f"{size.nodes.nodes:,} nodes, simulated"):
        found["nodes"] = simulation.run(size.nodes, 1)
    simulation.show(console, size.nodes, found["nodes"])


def sizes(rig: Rig) -> dict[str, float]:
    """In MB. What `sriov` needs = what it has mapped at the end of an ADD, and the archives it reads."""
    said = call("", "", "", {}, (PYTHON, "-I", "-S", "-c", "print()"))
    added = {}
    for who, make in (("ours", contenders.ours), ("go", contenders.go)):
        added[who] = rig.inside(measure.memory, make("ADD", 0))
        rig.inside(measure.one, Step("DEL", make("DEL", 0)))
    top = bundle.directory() / "cni-sriov"
    needed = {Path(path) for path in added["ours"].files if Path(path).is_relative_to(top)}
    needed |= {top / "sriov"} if bundle.is_snapshot() else {top / "sriov", *top.glob("lib/base_library.zip")}
    return {
        "ours VERSION": rig.inside(measure.memory, contenders.ours("VERSION", 0)).peak_mb,
        "go VERSION": rig.inside(measure.memory, contenders.go("VERSION", 0)).peak_mb,
        "ours ADD": added["ours"].peak_mb,
        "go ADD": added["go"].peak_mb,
        "python": rig.inside(measure.memory, said).peak_mb,
        "plugin": _mb(needed),
        "bundle": _mb({path for path in top.rglob("*") if path.is_file() and not path.is_symlink()}),
        "go disk": _mb({Path(HOST_DEVICE), Path(HOST_LOCAL)}),
    }


def _mb(paths: set[Path]) -> float:
    return sum(path.stat().st_size for path in paths) / 1e6


# the card ------------------------------------------------------------------------------------------------------------


def on_the_card(console: Console, size: Size, found: dict[str, Any], peer: str) -> None:
    with console.status(f"a real VF in the lab, {size.lab_rounds} rounds"):
        measured = card.run(size.lab_rounds, found["seed"], peer)
    if measured is None:
        console.print("A real VF in the lab: not measured, the lab is not prepared (make lab).\n")
        return
    found["card"] = measured
    how = "KVM" if measured["accelerator"] == "kvm" else "TCG: software emulation, some 20 times slower"
    report.show_alone(
        console, f"A real VF (igbvf) in the lab: {measured['rounds']} rounds, {how}", measured["samples"]
    )
    if measured["no peer"]:
        console.print(f"  PEER_SRIOV: not measured: {measured['no peer']}")
    console.print(f"  guest: {measured['guest']}\n")


# what it ran on ------------------------------------------------------------------------------------------------------


def machine() -> dict[str, str]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next(
        (line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine()
    )
    return {
        "cpu": f"{model}, {os.cpu_count()} cores",
        "kernel": f"Linux {platform.release()}",
        "python": f"CPython {platform.python_version()}",
        "load": _load(),
    }


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def about(found: dict[str, Any]) -> str:
    machine = found["machine"]
    return f"{machine['cpu']}, {machine['kernel']}, {machine['python']}"


def head(console: Console, found: dict[str, Any], peer: str) -> None:
    load = found["machine"]["load"]
    console.print(f"cni-sriov bench  {about(found)}", style="bold")
    console.print(
        f"  state in RAM but for the leases; load average {load} at the start; seed {found['seed']}"
    )
    console.print(f"  peer: host-device with host-local in {GO}, the same veth end into the same pod")
    if peer:
        console.print(f"  PEER_SRIOV: {peer}, the same conf as ours, with host-local", soft_wrap=True)
    if float(load) > 1:
        busy = "  the machine is busy: ratios hold within about a fifth, milliseconds do not"
        console.print(busy, style="yellow")
    console.print()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (BenchError, RigError, LabError) as problem:
        sys.exit(f"bench: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
