"""`python -m tests.lab`: prepare the lab, look at it, run a command in a fresh guest, or get a shell there."""

from __future__ import annotations

import argparse
import os
import select
import shutil
import signal
import sys
import termios
import tty
from concurrent.futures import Future
from pathlib import Path
from socket import socket
from typing import NoReturn

from rich.console import Console
from rich.table import Table

from . import cache, host
from .apt import this_suite
from .channel import Message
from .errors import LabError
from .progress import Progress
from .ready import Lab, find, prepare
from .recipes import CARD, RECIPES

ERRORS = Console(stderr=True)


def ready_lab(console: Console, guest: str) -> Lab:
    """The lab with that guest, and its stages shown if there is something to build."""
    with Progress(console) as progress:
        lab = prepare(progress, RECIPES[guest])
    if progress.shown:
        console.print(f"lab ready in {progress.seconds:.0f} s", style="bold green", highlight=False, end=": ")
        console.print("two ports of 7 VFs each; a test's machine starts in about a second", style="dim")
    return lab


def do_prepare(options: argparse.Namespace) -> int:
    """Build what is missing; `--refresh` asks the mirror for a newer kernel and packages first."""
    if options.refresh:
        for kind in ("kernel", "cnitool", "root", "initramfs", "snapshot", "kvm"):
            for directory in cache.cache_dir().glob(f"{kind}*"):  # of each guest
                shutil.rmtree(directory, ignore_errors=True)
    ready_lab(Console(), options.guest)
    return 0


def do_status(_options: argparse.Namespace) -> int:
    """Say what the lab is made of, and what is in the cache."""
    lab = find()
    suite = this_suite()
    version = ".".join(map(str, host.qemu_version()))
    table = Table.grid(padding=(0, 2))
    table.add_row("lab", "[green]ready" if lab else "[yellow]not prepared: python -m tests.lab prepare")
    table.add_row("suite", f"{suite.distribution} {suite.codename}")
    table.add_row("QEMU", version if version != "0" else "[yellow]missing")
    if lab is not None:
        table.add_row("kernel", lab.image.release)
        table.add_row("accelerator", lab.accelerator)
        table.add_row("snapshot", f"{lab.snapshot.stat().st_size >> 20} MiB")
    table.add_row("cache", str(cache.cache_dir()))
    Console().print(table, highlight=False)
    return 0 if lab else 1


def do_run(options: argparse.Namespace) -> int:
    """Run one command in a fresh guest; its status is ours."""
    command = options.command[0] if len(options.command) == 1 else options.command
    given = "" if sys.stdin.isatty() else sys.stdin.read()
    with ready_lab(ERRORS, options.guest).restore(options.share) as vm:
        done = vm.run(command, check=False, timeout=options.timeout, input=given)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.returncode


def do_shell(options: argparse.Namespace) -> int:
    """A login shell in a fresh guest; leaving it ends the guest."""
    with ready_lab(ERRORS, options.guest).restore(options.share) as vm:
        columns, rows = shutil.get_terminal_size()
        line, ended = vm.shell(rows, columns, os.environ.get("TERM", "linux"))
        relay(line, ended)
    return 0


def relay(line: socket, ended: Future[Message]) -> None:
    """Pass keys and text between this terminal and the guest's until its shell ends."""
    keyboard = sys.stdin.fileno()
    saved = termios.tcgetattr(keyboard) if os.isatty(keyboard) else None
    if saved is not None:
        tty.setraw(keyboard)
    sources: list[int | socket] = [keyboard, line]
    try:
        while not ended.done():
            readable, _, _ = select.select(sources, [], [], 0.1)
            if line in readable:
                os.write(sys.stdout.fileno(), line.recv(1 << 16))
            if keyboard in readable:
                typed = os.read(keyboard, 1 << 12)
                if not typed:
                    sources.remove(keyboard)
                    typed = b"\x04"
                line.sendall(typed)
    finally:
        if saved is not None:
            termios.tcsetattr(keyboard, termios.TCSADRAIN, saved)


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("prepare", help=do_prepare.__doc__)
    verb.add_argument("--refresh", action="store_true")
    verb.set_defaults(do=do_prepare)
    of_guests = [verb]
    verbs.add_parser("status", help=do_status.__doc__).set_defaults(do=do_status)
    for name, do in (("run", do_run), ("shell", do_shell)):
        verb = verbs.add_parser(name, help=do.__doc__)
        verb.add_argument("--share", type=Path, help="host directory to see, read-only, at /mnt/host")
        verb.set_defaults(do=do)
        of_guests.append(verb)
        if name == "run":
            verb.add_argument("--timeout", type=float, default=600)
            verb.add_argument("command", nargs=argparse.REMAINDER)
    for verb in of_guests:
        verb.add_argument(
            "--guest", choices=list(RECIPES), default=CARD.name, help="which one; see recipes.py"
        )
    return parser.parse_args(words)


def _terminate(_signal: int, _frame: object) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


def main() -> int:
    """The one gate: a lab error is a sentence, a Ctrl-C a status."""
    signal.signal(signal.SIGTERM, _terminate)
    options = parse(sys.argv[1:])
    try:
        status: int = options.do(options)
    except LabError as problem:
        ERRORS.print(f"lab: {problem.what}", style="red", highlight=False, markup=False)
        ERRORS.print(problem.detail, highlight=False, markup=False)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return status


if __name__ == "__main__":
    sys.exit(main())
