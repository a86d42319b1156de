"""Calls of the Kubernetes API: what its answers mean ("Kubernetes API Concepts" and "API Conventions")."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from .asking import Asking
from .engine import EngineRefused
from .http import Answer, Fault, Kind, printable

Json = dict[str, Any]
OK, ABSENT, CONFLICT, EXPIRED = 200, 404, 409, 410
_OURS = "conf/kubernetes/shared-pool"


@dataclass(slots=True)
class Reply:
    """`status`: OK for all that is good, or one of those above."""

    status: int
    document: Json


def _any(_: Json) -> None:
    """Whatever is of any kind."""


class Calls:
    """`path` is what stands before /api."""

    def __init__(self, asking: Asking, path: str = "", token: str = "") -> None:
        self.what = asking.what
        self._asking = asking
        self._path = path
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        accept: str = "",
        others: Collection[int] = (),
        check: Callable[[Json], None] = _any,
    ) -> Reply:
        """EngineAway or EngineRefused where it is no answer at all. `others`: which of the answers that are not OK may be one
        to this; `check` raises ValueError where the API would not answer so.
        """
        headers = self._headers | ({"Accept": accept} if accept else {})

        def judge(answer: Answer) -> None:
            if self._is_good(answer, others):
                try:
                    check(answer.document)
                except ValueError as error:
                    raise _other(str(error)) from error

        answer = self._asking.ask(method, self._path + path, body, headers, judge)
        return Reply(OK if answer.status < 300 else answer.status, answer.document)

    def _is_good(self, answer: Answer, others: Collection[int]) -> bool:
        """False = one of the others. Fault or EngineRefused for all else."""
        kind = answer.part("kind", str)
        if 200 <= answer.status < 300 and kind:
            return True
        if answer.status in others and (_is_object(answer) if answer.status == ABSENT else kind == "Status"):
            return False
        if answer.status in {429, 500, 502, 503, 504}:
            raise Fault(f"says {answer.status}: {_told(answer)}", Kind.PASSING, pause=answer.pause)
        raise self._refusal(answer, kind == "Status")

    def _refusal(self, answer: Answer, is_status: bool) -> EngineRefused | Fault:
        if answer.status == ABSENT and (is_status or "404 page not found" in answer.text):
            return self._refused("it does not know cni-sriov.io/v1alpha1", f"`kubectl apply -k {_OURS}`")
        if not is_status:
            return _no_api(answer)
        if answer.status == 401:
            return self._refused(
                "it does not know who we are (401)", "has the token or certificate of the kubeconfig expired?"
            )
        if answer.status == 403:
            told = f"it forbids that: {_told(answer)}"
            return self._refused(
                told, f"{_OURS}/rbac.yaml has the rights: bind them to that user or its group"
            )
        told = f"it says {answer.status}: {_told(answer)}"
        return self._refused(
            told, f"is {_OURS}/crd.yaml there as this version has it?" if answer.status == 422 else ""
        )

    def _refused(self, told: str, remedy: str) -> EngineRefused:
        return EngineRefused(f"{self.what}: {told}", remedy)


def _is_object(answer: Answer) -> bool:
    """It knows the kind, and has none of that name: its details say which. Of an unknown kind it says nothing of the sort."""
    details = answer.part("details", dict) if answer.part("kind", str) == "Status" else None
    return bool(details and details.get("name"))


def _told(answer: Answer) -> str:
    message = answer.part("message", str)
    return printable(message if message is not None else answer.text or "no reason")


def _no_api(answer: Answer) -> Fault:
    if answer.status == 400 and "HTTPS server" in answer.text:
        return Fault("speaks TLS, and was asked without", Kind.WRONG, "name it with https")
    if 300 <= answer.status < 400:
        return Fault(
            f"sends us elsewhere (status {answer.status})",
            Kind.WRONG,
            "no redirect is followed: name it itself",
        )
    shown = answer.text or "JSON of another kind"
    return _other(f"status {answer.status}, {shown}")


def _other(why: str) -> Fault:
    return Fault(f"does not answer as the Kubernetes API does: {why}", Kind.WRONG, "is its port right?")
