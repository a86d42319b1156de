"""HTTP servers on loopback that answer as a test says, and certificates for them."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cni_sriov.conf.cluster import Endpoint


@dataclass
class Asked:
    """One question as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Said:
    """`body` of anything but bytes is sent as JSON."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Server:
    endpoint: Endpoint
    asked: list[Asked]


@contextmanager
def serving(say: Callable[[Asked], Said], context: ssl.SSLContext | None = None) -> Iterator[Server]:
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length) or b"null")
            asked.append(Asked(self.command, self.path, dict(self.headers.items()), body))
            said = say(asked[-1])
            content = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
            self.send_response(said.status)
            for name, value in {"Content-Length": str(len(content)), **said.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    for method in ("GET", "POST", "PUT", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.answer)

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass

    with Quiet(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
        thread.start()
        try:
            yield Server(Endpoint(context is not None, "127.0.0.1", server.server_address[1]), asked)
        finally:
            server.shutdown()
            thread.join()


class Certificates:
    """By openssl, in a directory: authorities, and what they sign."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def authority(self, name: str) -> None:
        self._run(
            "req", "-x509", *_NEW, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}"
        )

    def sign(self, name: str, by: str, names: str, *more: str) -> None:
        """`names` like IP:127.0.0.1. `more` goes to openssl x509, like -days -1."""
        self._run("req", *_NEW, "-keyout", f"{name}.key", "-out", "csr", "-subj", f"/CN={name}")
        (self.directory / "ext").write_text(f"subjectAltName={names}\n")
        signed = ("-req", "-in", "csr", "-CA", f"{by}.pem", "-CAkey", f"{by}.key", "-CAcreateserial")
        self._run("x509", *signed, "-extfile", "ext", "-out", f"{name}.pem", *more)
        (self.directory / f"{name}.key").chmod(0o600)

    def path(self, name: str) -> str:
        return str(self.directory / name)

    def text(self, name: str) -> str:
        return (self.directory / name).read_text()

    def server(self, name: str, clients_of: str = "") -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.path(f"{name}.pem"), self.path(f"{name}.key"))
        if clients_of:
            made.verify_mode = ssl.CERT_REQUIRED
            made.load_verify_locations(self.path(f"{clients_of}.pem"))
        return made

    def _run(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, cwd=self.directory, capture_output=True)


_NEW = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
