"""One question to one endpoint, over urllib3: within a time and a size, without redirects, and without a proxy.

Each is asked in a thread of its own: a name server that is silent, or a server that sends a byte a second, is beyond any
timeout of a socket.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

import urllib3
from urllib3 import exceptions

from ... import __version__
from ...conf.cluster import Endpoint
from ...words.jsontext import words
from .. import waited
from . import tls

T = TypeVar("T")
MOST = 32 << 20  # bytes of an answer; a page of 1000 SubnetBlocks has less than one MiB
_PIECE = 1 << 16
_GRACE = 0.1  # s; a socket's own timeout says more than the thread's
_SHOWN = 120


class Kind(Enum):
    """Of a fault: it may be over in a moment; it is worth one more try; nobody is there; or it stays until somebody changes
    something.
    """

    PASSING = 0
    BROKEN = 1
    AWAY = 2
    WRONG = 3


class Fault(Exception):
    """What one endpoint said instead of an answer, or that it said nothing. It may have done what was asked. `pause`: seconds
    that it wants to be left alone.
    """

    def __init__(self, told: str, kind: Kind = Kind.AWAY, remedy: str = "", pause: float = 0) -> None:
        super().__init__(told)
        self.told = told
        self.kind = kind
        self.remedy = remedy
        self.pause = pause


@dataclass(slots=True)
class Answer:
    """`document` is what the body says in JSON, None where it is none: then `text` is how it begins, for a sentence."""

    status: int
    document: Any
    text: str
    retry_after: str = ""

    @property
    def pause(self) -> float:
        """What Retry-After asks for; as a date, which no engine sends, it is not heard."""
        text = self.retry_after
        return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0

    def part(self, name: str, kind: type[Any]) -> Any:
        """A field of an object, if it is of that kind."""
        found = self.document.get(name) if isinstance(self.document, dict) else None
        return found if isinstance(found, kind) else None


def printable(text: str, most: int = 300) -> str:
    """What a server says, for a sentence on a terminal."""
    return text[:most] if text.isprintable() else words(text, most)


class Client:
    """`context` is for https alone. Connections are kept between questions."""

    def __init__(self, context: ssl.SSLContext | None, server_name: str = "") -> None:
        """`server_name`: what the certificate is to be for, "" = the endpoint's host."""
        self._context = context
        self._server_name = server_name
        self._pools: dict[Endpoint, urllib3.HTTPConnectionPool] = {}

    def ask(
        self, endpoint: Endpoint, method: str, path: str, body: Any, headers: dict[str, str], seconds: float
    ) -> Answer:
        """Fault where no answer came in time."""
        pool = self._pools.setdefault(endpoint, self._pool(endpoint))
        began = time.monotonic()
        sent = None if body is None else json.dumps(body).encode()
        headers = {"User-Agent": f"cni-sriov/{__version__}", "Accept": "application/json"} | headers
        if sent is not None:
            headers = {"Content-Type": "application/json"} | headers

        def act() -> Answer:
            timeout = urllib3.Timeout(total=seconds)
            response = pool.urlopen(
                *(method, path, sent, headers, False, False),
                timeout=timeout,
                preload_content=False,
                decode_content=False,
            )
            return _answer(response, began + seconds)

        try:
            return _asked(seconds, act)
        except Fault:
            self._pools.pop(endpoint, None)  # what comes late on that connection is nobody's
            raise

    def _pool(self, endpoint: Endpoint) -> urllib3.HTTPConnectionPool:
        if not endpoint.is_tls:
            return urllib3.HTTPConnectionPool(endpoint.host, endpoint.port, maxsize=1)
        return urllib3.HTTPSConnectionPool(
            endpoint.host,
            endpoint.port,
            maxsize=1,
            ssl_context=self._context,
            server_hostname=self._server_name or None,
        )


def _answer(response: urllib3.BaseHTTPResponse, deadline: float) -> Answer:
    pieces, size = [], 0
    while size <= MOST and (piece := response.read(_PIECE)):
        pieces.append(piece)
        size += len(piece)
        if time.monotonic() > deadline:
            raise Fault("did not end its answer in time", Kind.PASSING)
    if size > MOST:
        response.close()
        raise Fault(f"answers with more than {MOST} bytes", Kind.WRONG, "is that the engine at all?")
    response.release_conn()
    content = b"".join(pieces)
    document = _document(content)
    text = "" if document is not None else words(content[:_SHOWN].decode("utf-8", "replace").strip())
    return Answer(response.status, document, text, response.headers.get("Retry-After", ""))


def _document(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _asked(seconds: float, act: Callable[[], Answer]) -> Answer:
    try:
        return waited.within(seconds + _GRACE, act)
    except waited.Late as late:
        raise Fault(f"did not answer within {seconds:.1f} s", Kind.PASSING) from late
    except (exceptions.HTTPError, OSError) as error:  # told as the endpoint's word
        raise _fault(error, seconds) from error


def _fault(error: exceptions.HTTPError | OSError, seconds: float) -> Fault:
    if isinstance(error, exceptions.SSLError | ssl.SSLError):
        inner = error if isinstance(error, ssl.SSLError) else _inner(error, ssl.SSLError)
        return Fault(*tls.judged(inner, error, Kind.WRONG, Kind.AWAY))
    if isinstance(error, exceptions.NameResolutionError):
        return Fault(f"is not known by that name: {_reason(error)}")
    if isinstance(error, exceptions.NewConnectionError):  # which is a ConnectTimeoutError as well
        return Fault(f"took no connection: {_reason(error)}")
    if isinstance(error, exceptions.ConnectTimeoutError):
        return Fault(f"took no connection within {seconds:.1f} s", Kind.PASSING)
    if isinstance(error, exceptions.ReadTimeoutError | TimeoutError):
        return Fault(f"took the question, and said nothing within {seconds:.1f} s", Kind.PASSING)
    if isinstance(error, exceptions.ProtocolError | OSError):
        return Fault(f"broke off, or does not speak HTTP: {_reason(error)}", Kind.BROKEN)
    return Fault(f"could not be asked: {type(error).__name__}")


def _inner(error: BaseException, kind: type[T]) -> T | None:
    """What it was made of: its cause, or among its arguments."""
    for one in (error.__cause__, error.__context__, *error.args):
        if isinstance(one, kind):
            return one
    return None


def _reason(error: BaseException) -> str:
    inner = _inner(error, OSError)
    if inner is not None:
        return inner.strerror or str(inner)
    return str(error.args[-1]) if error.args else type(error).__name__
