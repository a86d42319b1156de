"""Two talks with a QEMU over inherited socket pairs: its monitor (QMP), and the agent in its guest.

Socket pairs need no path, so nothing is left behind and no path is too long for a Unix socket.
"""

from __future__ import annotations

import json
import socket
import threading
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from .errors import LabError

Message = dict[str, Any]


class NoAnswer(LabError):
    """In the time that it was given."""


class Monitor:
    """QMP, one command at a time; events are of no interest here."""

    def __init__(self, connection: socket.socket, timeout_s: float = 30) -> None:
        connection.settimeout(timeout_s)
        self._lines = connection.makefile("rb")
        self._connection = connection
        self._read()
        self.call("qmp_capabilities")

    def _read(self) -> Message:
        line = self._lines.readline()
        if not line:
            raise LabError("QEMU closed its monitor")
        message: Message = json.loads(line)
        return message

    def call(self, command: str, **arguments: object) -> Message:
        """Execute one command and return what it returns."""
        found: Message = self._return(command, arguments)
        return found

    def say(self, line: str) -> str:
        """A command of the human monitor."""
        return str(self._return("human-monitor-command", {"command-line": line}))

    def _return(self, command: str, arguments: Message) -> Any:
        request = {"execute": command, "arguments": arguments}
        self._connection.sendall(json.dumps(request).encode() + b"\n")
        while True:
            answer = self._read()
            if "error" in answer:
                raise LabError(f"QEMU refused {command}", answer["error"]["desc"])
            if "return" in answer:
                return answer["return"]

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._connection.close()


class Agent:
    """Requests to the guest, any number of them under way at once; answers find their request by its id."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[Message]] = {}
        self._last = 0
        self._gone = ""
        # ends whatever half line an earlier host left in the guest's buffer
        connection.sendall(b"\n")
        threading.Thread(target=self._listen, name="lab-agent", daemon=True).start()

    def _listen(self) -> None:
        try:
            for line in self._connection.makefile("rb"):
                self._deliver(line)
            reason = "the guest's channel was closed"
        except OSError as problem:
            reason = f"the guest's channel broke: {problem}"
        with self._lock:
            self._gone = reason
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(LabError(reason))

    def _deliver(self, line: bytes) -> None:
        try:
            answer: Message = json.loads(line)
        except ValueError:
            # the tail of an answer to a host that went away
            return
        with self._lock:
            future = self._waiting.pop(answer.get("id", 0), None)
        if future is not None:
            try:
                future.set_result(answer)
            except InvalidStateError:
                return

    def send(self, op: str, **arguments: object) -> Future[Message]:
        """Start a request."""
        future: Future[Message] = Future()
        with self._lock:
            if self._gone:
                raise LabError(self._gone)
            self._last += 1
            self._waiting[self._last] = future
            request = {"id": self._last, "op": op, **arguments}
            self._connection.sendall(json.dumps(request).encode() + b"\n")
        return future

    def call(self, op: str, timeout_s: float = 60, **arguments: object) -> Message:
        """Make a request and wait for its answer."""
        return self.wait(self.send(op, **arguments), timeout_s)

    @staticmethod
    def wait(future: Future[Message], timeout_s: float) -> Message:
        """Wait for an answer; an error in the guest is raised here."""
        try:
            answer = future.result(timeout_s)
        except FutureTimeout:
            raise NoAnswer(f"the guest did not answer within {timeout_s:g} s") from None
        if "error" in answer:
            raise LabError(answer["error"], answer.get("trace", ""))
        return answer

    def close(self) -> None:
        """Hang up; the listener ends with it."""
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
        finally:
            self._connection.close()
