"""What stands between a machine and one member of etcd, and decides of each question whether it gets there, and its answer back.

    with Relay(node, etcd.members[0]) as relay: node.configure(endpoints=[relay.endpoint])

It ends the machine's TLS on its own loopback and speaks for it with its certificate; the member's answers pass as they are.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from types import TracebackType

    from tests.etcd import Member
    from tests.racks import Machine

PASSED = ("Content-Type", "Authorization")


class Change(NamedTuple):
    """A transaction that puts or deletes a key, if what it compares is so."""

    kind: str
    key: str


def change_of(path: str, body: bytes) -> Change | None:
    """By the documentation of etcd's JSON gateway; None of a question that changes nothing."""
    if path != "/v3/kv/txn":
        return None
    for done in json.loads(body).get("success", []):
        for kind in ("requestPut", "requestDeleteRange"):
            if kind in done:
                return Change(kind, base64.b64decode(done[kind]["key"]).decode())
    return None


class Relay(ThreadingHTTPServer):
    """`lose_question` and `lose_answer` say of which change; `is_silent`: of all that comes. `then` is called at each loss."""

    daemon_threads = True

    def __init__(self, node: Machine, member: Member) -> None:
        self.node, self.member = node, member
        self.lose_question: Callable[[Change], bool] = lambda _: False
        self.lose_answer: Callable[[Change], bool] = lambda _: False
        self.then: Callable[[], object] = lambda: None
        self.is_silent = False
        self.lost: list[Change] = []
        pki = node.etcd.home / "pki"
        node.inside(super().__init__, ("127.0.0.1", 0), _Handler)
        ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ours.load_cert_chain(pki / "server.pem", pki / "server.key")
        self.socket = ours.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self._theirs = ssl.create_default_context(cafile=pki / "ca.pem")
        self._theirs.load_cert_chain(pki / "client.pem", pki / "client.key")

    @property
    def endpoint(self) -> str:
        return f"https://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked is gone: most often because it was killed."""

    def passed(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes] | None:
        """The member's answer, None = it is lost."""
        if self.is_silent:
            return None
        change = change_of(path, body)
        if change and self.lose_question(change):
            self._lose(change)
            return None
        answer = self._ask(path, body, headers)
        if change and self.lose_answer(change):
            self._lose(change)
            return None
        return answer

    def silence(self) -> None:
        self.is_silent = True

    def _lose(self, change: Change) -> None:
        self.lost.append(change)
        self.then()

    def _ask(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        asking = http.client.HTTPSConnection(self.member.address, 2379, timeout=10, context=self._theirs)
        with contextlib.closing(asking):
            self.node.inside(asking.connect)
            asking.request("POST", path, body, headers)
            answer = asking.getresponse()
            return answer.status, answer.read()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Relay

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name: self.headers[name] for name in PASSED if name in self.headers}
        found = self.server.passed(self.path, body, headers)
        if found is None:
            self.close_connection = True
            return
        status, answer = found
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", f"{len(answer)}")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""
