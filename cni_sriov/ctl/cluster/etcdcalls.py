"""Calls of etcd's JSON gateway: who we are, and what its errors mean. Their numbers are gRPC's, their words those of
api/v3rpc/rpctypes/error.go (etcd 3.4).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from . import etcdanswers
from .asking import Asking
from .engine import EngineRefused
from .http import Answer, Fault, Kind, printable

Json = dict[str, Any]
T = TypeVar("T")
# a member without a leader says so at once, in place of waiting for one (metadata "hasleader", api/v3rpc/interceptor.go)
_HEADERS = {"Grpc-Metadata-hasleader": "true"}
_UNAUTHENTICATED, _PERMISSION_DENIED = 16, 7
_STALE = ("invalid auth token", "revision of auth store is old")
_NOT_ENABLED = "authentication is not enabled"
_PASSING = {
    "no leader": "has no leader: has the cluster lost its quorum?",
    "leader changed": "has just lost its leader",
    "request timed out": "heard nothing from the others: has the cluster lost its quorum?",
    "too many requests": "has too many requests",
    "server stopped": "is being stopped",
}
_AWAY = {
    "rpc not supported for learner": "is a learner: it answers when it is promoted",
    "connection error": "is up, and its own gateway does not reach it",
}
_REFUSED = {
    "authentication failed, invalid user ID or password": (
        "it does not take this user and password",
        'are "user" and the first line of "passwordFile" right?',
    ),
    "user name is empty": (
        "it wants a user",
        'give "user" and "passwordFile": authentication is enabled there, and a certificate does not stand for a user',
    ),
    "permission denied": (
        "the user must not do that",
        "`etcdctl role grant-permission ROLE --prefix=true readwrite PREFIX/`, and grant the user that role",
    ),
    "database space exceeded": (
        "it takes no more writes (NOSPACE)",
        "`etcdctl alarm list`; compact and defragment, then `etcdctl alarm disarm`",
    ),
    "corrupt cluster": ("its data are corrupt (CORRUPT)", "`etcdctl alarm list`; restore it from a backup"),
}


class _Stale(Exception):
    """The token is not known there any more."""


class Calls:
    """`user` "" = etcd is not told who asks."""

    def __init__(self, asking: Asking, user: str = "", password: str = "") -> None:
        self.what = asking.what
        self._asking = asking
        self._user = user
        self._password = password
        self._token: str | None = None

    def call(self, path: str, body: Json, read: Callable[[Json], T]) -> T:
        """EngineAway or EngineRefused. A token that has expired is asked for anew. `read` gives what an answer says, and
        ValueError where etcd would not answer so.
        """
        for _ in range(2):
            try:
                return self._ask(path, body, self._logged_in(), read)
            except _Stale:
                self._token = None
        raise self._refused(
            "it gives a token and then does not know it",
            "are its members' clocks right, and is auth-token alike on all?",
        )

    def _logged_in(self) -> str:
        """The token, "" where none is wanted: etcd without authentication gives none, and asks for none."""
        if not self._user:
            return ""
        if self._token is None:
            asked = {"name": self._user, "password": self._password}
            self._token = self._ask("/v3/auth/authenticate", asked, "", etcdanswers.token)
        return self._token

    def _ask(self, path: str, body: Json, token: str, read: Callable[[Json], T]) -> T:
        headers = _HEADERS | ({"Authorization": token} if token else {})
        heard: list[T] = []

        def judge(answer: Answer) -> None:
            self._judge(answer)
            try:
                heard[:] = [read(answer.document)]
            except ValueError as error:
                raise _other(str(error)) from error

        self._asking.ask("POST", path, body, headers, judge)
        return heard[0]

    def _judge(self, answer: Answer) -> None:
        if (
            answer.status == 200
            and isinstance(answer.document, dict)
            and answer.part("header", dict) is not None
        ):
            return
        message, code = answer.part("message", str) or answer.part("error", str), answer.part("code", int)
        if message is None:
            raise _no_etcd(answer)
        if code == 9 and _NOT_ENABLED in message:
            answer.document = {"header": {}, "token": ""}
            return
        if any(one in message for one in _STALE):
            raise _Stale
        self._judge_error(answer, message)

    def _judge_error(self, answer: Answer, message: str) -> None:
        for part, told in _PASSING.items():
            if part in message:
                raise Fault(told, Kind.PASSING)
        for part, told in _AWAY.items():
            if part in message:
                raise Fault(told, Kind.AWAY)
        for part, (told, remedy) in _REFUSED.items():
            if part in message:
                raise self._refused(told, remedy)
        if answer.status >= 500 or answer.status == 429:
            raise Fault(f"says {printable(message)}", Kind.PASSING)
        raise self._refused(f"it says {printable(message)}", "")

    def _refused(self, told: str, remedy: str) -> EngineRefused:
        return EngineRefused(f"{self.what}: {told}", remedy)


def _no_etcd(answer: Answer) -> Fault:
    if answer.status == 400 and "HTTPS server" in answer.text:
        return Fault("speaks TLS, and was asked without", Kind.WRONG, "name it with https, and give its ca")
    if answer.status in {502, 503, 504}:
        return Fault(f"is up, and what is behind it is not (status {answer.status})", Kind.PASSING)
    if 300 <= answer.status < 400:
        return Fault(
            f"sends us elsewhere (status {answer.status})",
            Kind.WRONG,
            "name the members themselves: no redirect is followed",
        )
    shown = answer.text or "JSON of another kind"
    return _other(f"status {answer.status}, {shown}")


def _other(why: str) -> Fault:
    remedy = "is its port right (2379, not 2380), and is it etcd 3.4 or later?"
    return Fault(f"does not answer as etcd does: {why}", Kind.WRONG, remedy)
