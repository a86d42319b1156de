"""What one does with a running guest: commands, files, a shell. Starting and stopping it is vm.py's."""

from __future__ import annotations

import base64
import contextlib
import json
import shlex
import socket
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from .channel import Agent, Message, NoAnswer
from .costs import Cost
from .errors import CommandFailed, GuestStalled, LabError

GRACE_S = 15  # an emulated guest may be slow to say that a command timed out
AWAKE_S = 20  # each processor sleeps for a millisecond
STUCK = "udevd has something in its queue, and does nothing"
Command = str | Sequence[str]


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    returncode: int
    stdout: str
    stderr: str


class Running:
    """A command under way in the guest."""

    def __init__(
        self, guest: Guest, command: Command, future: Future[Message], timeout_s: float, *, check: bool
    ) -> None:
        self._guest = guest
        self._command = command if isinstance(command, str) else shlex.join(command)
        self._future = future
        self._timeout_s = timeout_s
        self._check = check
        self._cost = guest.cost(self._command)

    def wait(self) -> Done:
        """Wait for its end."""
        answer = self._guest.answer_to(self._command, self._future, self._timeout_s + GRACE_S)
        self._cost.end()
        done = Done(answer["returncode"], _text(answer["stdout"]), _text(answer["stderr"]))
        if answer.get("timed_out"):
            if self._guest.udev_is_stuck():
                raise GuestStalled(f"{self._command}: {STUCK}")
            raise self._guest.error(
                f"{self._command}: no end within {self._timeout_s:g} s", done.stdout + done.stderr
            )
        if self._check and done.returncode != 0:
            said = f"stdout: {done.stdout}\nstderr: {done.stderr}"
            raise CommandFailed(f"{self._command}: exit status {done.returncode}", said)
        return done


class Guest:
    """A guest by its agent."""

    def __init__(self) -> None:
        self._agent: Agent | None = None
        self._shell: socket.socket | None = None
        self.stalled = False

    def console(self, lines: int = 30) -> str:
        """The end of what the guest said on its serial console."""
        raise NotImplementedError

    def run(
        self,
        command: Command,
        *,
        check: bool = True,
        input: str | bytes | None = None,  # noqa: A002  as subprocess calls it
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
        cwd: str = "/root",
    ) -> Done:
        """Run a shell line or an argv in the guest; a status other than 0 raises unless check is off."""
        return self.spawn(command, check=check, input=input, env=env, timeout=timeout, cwd=cwd).wait()

    def spawn(
        self,
        command: Command,
        *,
        check: bool = True,
        input: str | bytes | None = None,  # noqa: A002  as subprocess calls it
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
        cwd: str = "/root",
    ) -> Running:
        """Start a command; .wait() gives its end."""
        given = input.encode() if isinstance(input, str) else input or b""
        argv = command if isinstance(command, str) else list(command)
        future = self._live_agent().send(
            "run",
            command=argv,
            input=base64.b64encode(given).decode(),
            env=dict(env or {}),
            timeout=timeout,
            cwd=cwd,
        )
        return Running(self, command, future, timeout, check=check)

    def json(self, command: Command, *, timeout: float = 60) -> Any:
        """Run a command and parse what it prints."""
        return json.loads(self.run(command, timeout=timeout).stdout)

    def put(self, path: str, content: str | bytes, mode: int = 0o644) -> None:
        """Write a file in the guest."""
        raw = content.encode() if isinstance(content, str) else content
        self._ask("put", path=path, content=base64.b64encode(raw).decode(), mode=mode)

    def get(self, path: str) -> bytes:
        """Read a file of the guest."""
        return base64.b64decode(self._ask("get", path=path)["content"])

    def clear(self, directories: Sequence[str]) -> tuple[Any, list[str]]:
        """End every netns that has a name; then `ip -j -d link`, and the files in directories."""
        answer = self._ask("clear", directories=list(directories))
        if not answer["settled"]:
            raise GuestStalled(STUCK) if self.udev_is_stuck() else self.error("udev has not settled in 45 s")
        return json.loads(_text(answer["links"])), list(answer["files"])

    def shell(self, rows: int, columns: int, term: str) -> tuple[socket.socket, Future[Message]]:
        """Start a login shell; gives its terminal, and the future that ends with it."""
        if self._shell is None:
            raise LabError("the VM is not running")
        return self._shell, self._live_agent().send("shell", rows=rows, columns=columns, term=term)

    def error(self, what: str, detail: str = "") -> LabError:
        """An error with what the guest last said on its console."""
        parts = (detail, "--- the guest's console ends with", self.console())
        return LabError(what, "\n".join(part for part in parts if part))

    def answer_to(self, what: str, future: Future[Message], timeout_s: float) -> Message:
        """Wait for the guest's answer. GuestStalled if there is none because the guest does not go on."""
        try:
            return Agent.wait(future, timeout_s)
        except NoAnswer as problem:
            if self.is_stalled():
                raise GuestStalled(
                    f"{what}: {problem.what}", f"{self.processors()}\n{self.console()}"
                ) from None
            raise self.error(f"{what}: {problem.what}, but goes on", self.processors()) from None
        except LabError as problem:
            raise self.error(f"{what}: {problem.what}", problem.detail) from None

    def is_stalled(self) -> bool:
        """Whether a processor does not wake up whom it put to sleep. Who runs forever, or waits in the kernel, is no stall."""
        with contextlib.suppress(LabError):
            self._live_agent().call("sleep", AWAKE_S)
            return False
        self.stalled = True
        return True

    def udev_is_stuck(self) -> bool:
        """Whether its queue is not empty and no worker is there, nor comes: nothing settles then (seen once)."""
        look = "test -e /run/udev/queue && ! pgrep -P $(pgrep -o -x systemd-udevd)"
        try:
            self.run(f"{look} && sleep 1 && {look}", timeout=20)
        except LabError:
            return False
        self.stalled = True
        return True

    def processors(self) -> str:
        """What the emulator says of each."""
        raise NotImplementedError

    def _live_agent(self) -> Agent:
        if self._agent is None:
            raise LabError("the VM is not running")
        if self.stalled:
            raise GuestStalled("the guest stands still")
        return self._agent

    def cost(self, what: str) -> Cost:
        """Of what it is asked, from now on."""
        raise NotImplementedError

    def _ask(self, op: str, timeout_s: float = 60, **arguments: object) -> Message:
        named = f"{op} {arguments['path']}" if "path" in arguments else op
        cost = self.cost(named)
        answer = self.answer_to(named, self._live_agent().send(op, **arguments), timeout_s)
        cost.end()
        return answer


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode(errors="replace")
