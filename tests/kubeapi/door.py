"""The door of the stand-in: HTTPS on loopback, one thread a connection."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import ssl
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from . import rbac, status
from .client import User
from .faults import Fault, Faults
from .rbac import ANONYMOUS
from .schema import Resource
from .verbs import Asked, accepted

Json = dict[str, Any]
ONE = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
MANY = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}


class Address(NamedTuple):
    """An address below /api or /apis."""

    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""


class Heard(NamedTuple):
    """For tests: who asked for what, and what it was answered."""

    user: str
    verb: str
    resource: str
    name: str
    code: int


class Api(Protocol):
    """What is behind it."""

    context: ssl.SSLContext
    faults: Faults
    heard: list[Heard]

    def who(self, authorization: str, certificate: Json | None) -> User: ...
    def authorize(self, user: User, verb: str, path: Address) -> None: ...
    def find(self, path: Address) -> Resource: ...
    def answer(self, verb: str, asked: Asked) -> tuple[int, Json]: ...


def path_of(address: str) -> Address | None:
    """By "Resource URIs"; None for what is no resource's."""
    words = [unquote(word) for word in address.strip("/").split("/")]
    if words[:2] == ["api", "v1"]:
        group, version, rest = "", "v1", words[2:]
    elif words[0] == "apis" and len(words) > 3:
        group, version, rest = words[1], words[2], words[3:]
    else:
        return None
    namespace = rest.pop(1) if rest[:1] == ["namespaces"] and len(rest) > 2 else ""
    if namespace:
        rest.pop(0)
    return Address(group, version, rest[0], namespace, *rest[1:3]) if 1 <= len(rest) <= 3 else None


class Door(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    api: Api

    def get_request(self) -> tuple[Any, Any]:
        plain, address = self.socket.accept()
        return self.api.context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away, or did not trust us, is none."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Door
    timeout = 60
    disable_nagle_algorithm = True

    def log_message(self, *said: Any) -> None:
        """Tests read `heard`."""

    def do_GET(self) -> None:
        self._do()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  the base class finds them by these names

    def _do(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        address = urlsplit(self.path)
        path = path_of(address.path)
        many = path is not None and not path.name
        verb = (MANY if many else ONE).get(self.command, "") if path else self.command.lower()
        fault = self.server.api.faults.of(verb, path.plural if path else address.path)
        if fault is not None and callable(fault.what):
            fault.what()
            fault = None
        code, answer, user = 0, b"", ANONYMOUS
        if fault is None or fault.is_done:
            code, answer, user = self._answer(verb, path, dict(parse_qsl(address.query)), body)
        told = code if fault is None else fault.code
        what = (path.plural, path.name) if path else (address.path, "")
        self.server.api.heard.append(Heard(user.name, verb, *what, told))  # before it is known to the client
        if fault is None:
            self._send(code, answer)
        else:
            self._fail(fault, answer)

    def _answer(
        self, verb: str, path: Address | None, query: dict[str, str], body: bytes
    ) -> tuple[int, bytes, User]:
        api, user = self.server.api, ANONYMOUS
        connection = self.connection
        assert isinstance(connection, ssl.SSLSocket)
        try:
            user = api.who(self.headers.get("Authorization", ""), connection.getpeercert())
            if path is None:
                return 200, self._of_path(user, urlsplit(self.path).path), user
            if not verb:
                raise (
                    status.bad_request("name must be provided")
                    if self.command == "PUT"
                    else status.not_allowed()
                )
            api.authorize(user, verb, path)
            headers = (
                self.headers.get("Accept", ""),
                self.headers.get("Content-Type", "").partition(";")[0].strip(),
            )
            asked = Asked(api.find(path), path.namespace, path.name, path.subresource, query, *headers, body)
            accepted(asked.accept)
            code, document = api.answer(verb, asked)
            return code, _line(document), user
        except status.Refused as refused:
            return refused.code, _line(refused.document), user
        except status.NoSuchPath:
            return 404, b"404 page not found\n", user

    def _of_path(self, user: User, path: str) -> bytes:
        if not rbac.may_read(user, path):
            raise status.forbidden_path(user.name, self.command.lower(), path)
        if path in {"/healthz", "/livez", "/readyz"}:
            return b"ok"
        if path.startswith("/version"):
            return _line({"major": "1", "minor": "20", "gitVersion": "v1.20.2-stand-in"})
        raise status.NoSuchPath

    def _send(self, code: int, answer: bytes, kind: str = "", **headers: str) -> None:
        self.send_response(code)
        plain = "application/json" if answer.startswith(b"{") else "text/plain; charset=utf-8"
        self.send_header("Content-Type", kind or plain)
        self.send_header("Content-Length", str(len(answer)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(answer)

    def _fail(self, fault: Fault, answer: bytes) -> None:
        if fault.what == "hang":
            self.server.api.faults.end.wait(60)
        if fault.what == "short":
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{"
            )
        if fault.what in {"hang", "cut", "short"}:
            self._cut()
        elif fault.what == "page":
            self._send(fault.code, b"<html><body><h1>502 Bad Gateway</h1></body></html>", "text/html")
        elif fault.what == "redirect":
            self._send(fault.code, b"{}", Location="https://127.0.0.1:1/elsewhere")
        else:
            retry = {"Retry_After": str(fault.retry_after)} if fault.code == 429 else {}
            self._send(fault.code, _line(fault.refusal.document), **retry)

    def _cut(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def _line(document: Json) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"
