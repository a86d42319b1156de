"""One virtual machine: start it by boot or restore, talk to it, pull its plug.

QEMU dies with this process (PR_SET_PDEATHSIG by setpriv), whatever kills it; its files are swept by the
next run if this one could not.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from . import cache, host, machine
from .channel import Agent, Message, Monitor
from .costs import Cost
from .errors import LabError
from .guest import Guest
from .plan import Image

BOOT_TIMEOUT_S = 180
KILL_TIMEOUT_S = 10
PORTS = ("enp1s0f0", "enp1s0f1")


class Vm(Guest):
    """A guest on `image`. `share` is a host directory it sees read-only at /mnt/host."""

    def __init__(self, image: Image, accelerator: str, share: Path | None = None) -> None:
        super().__init__()
        self.image = image
        self.accelerator = accelerator
        self.share = share
        self._stack = contextlib.ExitStack()
        self.home = self._stack.enter_context(cache.run_dir())
        self._disk = self.home / "state.ext4"
        self._qemu: subprocess.Popen[bytes] | None = None
        self._monitor: Monitor | None = None
        (self.home / "nothing").mkdir()
        # cp keeps the holes: 256 MiB cost 8
        subprocess.run(("cp", "--sparse=always", image.state_disk, self._disk), check=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """QEMU's process id."""
        if self._qemu is None:
            raise LabError("the VM is not running")
        return self._qemu.pid

    def cost(self, what: str) -> Cost:
        return Cost(what, self._qemu.pid if self._qemu is not None else 0)

    def boot(self, timeout_s: float = BOOT_TIMEOUT_S, *, wake: bool = True) -> None:
        """Boot for real, until the agent answers and udev has named the ports."""
        cost = Cost("(boot)", 0)
        deadline = time.monotonic() + timeout_s
        self._start([], timeout_s)
        hello = self._meet(deadline - time.monotonic())
        if not set(PORTS) <= set(hello["interfaces"]):
            raise self.error(
                f"the guest has no {' and '.join(PORTS)}", f"it has {' '.join(hello['interfaces'])}"
            )
        if wake:
            self._wake()
        cost.pid = self.pid
        cost.end()

    def restore(self, snapshot: Path) -> None:
        """Go on where the saved machine was stopped; it then gets its own time, randomness and disk."""
        cost = Cost("(restore)", 0)
        self._start(machine.incoming(snapshot))
        deadline = time.monotonic() + BOOT_TIMEOUT_S
        while self._call_monitor("query-status")["status"] == "inmigrate":
            if time.monotonic() > deadline:
                raise self.error("the snapshot was not loaded in time")
            time.sleep(0.02)
        self._call_monitor("cont")
        self._meet(BOOT_TIMEOUT_S)
        self._wake()
        cost.pid = self.pid
        cost.end()

    def save(self, snapshot: Path) -> None:
        """Write the machine to a file and stop it. It must not have mounted the host's directory (9p)."""
        self._call_monitor("stop")
        self._call_monitor("migrate", uri=f"file:{snapshot}")
        while (state := self._call_monitor("query-migrate"))["status"] != "completed":
            if state["status"] in {"failed", "cancelled"}:
                raise self.error("the machine could not be saved", json.dumps(state))
            time.sleep(0.05)
        self._call_monitor("quit")
        self.power_off()

    def pause(self) -> None:
        """Its processors stand still."""
        self._call_monitor("stop")

    def power_cycle(self) -> None:
        """Pull the plug, then boot for real with the same state disk: what was not synced is lost."""
        self.power_off()
        self.boot()

    def power_off(self) -> None:
        """Pull the plug."""
        for line in (self._agent, self._monitor, self._shell):
            if line is not None:
                line.close()
        self._agent = self._monitor = self._shell = None
        if self._qemu is not None:
            self._qemu.kill()
            try:
                self._qemu.wait(KILL_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                raise LabError(f"QEMU {self._qemu.pid} does not die", "a broken KVM may hold it") from None
            self._qemu = None

    def stop(self) -> None:
        """Pull the plug and forget the machine's files."""
        self.power_off()
        self._stack.close()

    def cable(self, port: int, *, plugged: bool) -> None:
        """Pull a port's cable, or put it in; the guest sees its carrier go and come."""
        self._call_monitor("set_link", name=f"wire{port}", up=plugged)

    def console(self, lines: int = 30) -> str:
        """The end of what the guest said on its serial console."""
        path = self.home / "console"
        said = path.read_text(errors="replace") if path.exists() else ""
        return "\n".join(said.splitlines()[-lines:])

    def processors(self) -> str:
        """Where each stands, and its local APIC: which interrupts it has, and when its timer is to come."""
        told = [
            line
            for line in self._ask_qemu("info registers -a").splitlines()
            if line.startswith(("CPU#", "RIP=", "EIP="))
        ]
        return "\n".join([*told, *(self._ask_qemu(f"info lapic {number}") for number in range(machine.CPUS))])

    def _ask_qemu(self, command: str) -> str:
        """As a person at its monitor would."""
        if self._monitor is None:
            return "the VM is not running"
        try:
            return self._monitor.say(command)
        except (LabError, OSError) as problem:
            return f"{command}: {problem}"

    def _call_monitor(self, command: str, **arguments: object) -> Message:
        if self._monitor is None:
            raise LabError("the VM is not running")
        try:
            return self._monitor.call(command, **arguments)
        except (LabError, OSError) as problem:
            raise self.error(f"QEMU: {problem}", self._complaint()) from None

    def _complaint(self) -> str:
        path = self.home / "qemu.err"
        return path.read_text(errors="replace").strip() if path.exists() else ""

    def _start(self, extra: list[str], timeout_s: float = 30) -> None:
        if self._qemu is not None:
            raise LabError("the VM is running already")
        self.stalled = False
        pairs = [socket.socketpair() for _ in range(3)]
        theirs = [pair[1] for pair in pairs]
        fds = (theirs[0].fileno(), theirs[1].fileno(), theirs[2].fileno())
        wiring = machine.Wiring(fds, self._disk, self.home / "console", self.share or self.home / "nothing")
        argv = [
            "setpriv",
            "--pdeathsig",
            "KILL",
            *machine.argv(host.QEMU, self.image, self.accelerator, wiring),
            *extra,
        ]
        with (self.home / "qemu.err").open("ab") as complaints:
            # its own session: a Ctrl-C is for this process, which then pulls the plug
            self._qemu = subprocess.Popen(
                argv,
                pass_fds=fds,
                stdin=subprocess.DEVNULL,
                stdout=complaints,
                stderr=complaints,
                start_new_session=True,
            )
        for end in theirs:
            end.close()
        self._agent, self._shell = Agent(pairs[1][0]), pairs[2][0]
        try:
            self._monitor = Monitor(pairs[0][0], timeout_s)
        except (LabError, OSError) as problem:
            pairs[0][0].close()
            raise self.error(f"QEMU did not start: {problem}", self._complaint()) from None

    def _meet(self, timeout_s: float) -> Message:
        """Wait until the agent answers."""
        return self._ask("hello", timeout_s)

    def _wake(self) -> None:
        entropy = base64.b64encode(os.urandom(64)).decode()
        self._ask("wake", now=time.time(), entropy=entropy, share=self.share is not None)
