"""Refusals as the API words them: "API Conventions", "Response Status Kind" and "HTTP Status codes"."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

Json = dict[str, Any]
STALE = "the object has been modified; please apply your changes to the latest version and try again"
TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter."
)


class Cause(NamedTuple):
    """What is wrong with one field; `reason` as "Status" of the API reference lists them."""

    field: str
    reason: str
    message: str


class Refused(Exception):
    """Answered by a Status object."""

    def __init__(self, code: int, reason: str, message: str, details: Json | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details = code, reason, message, details

    @property
    def document(self) -> Json:
        found: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        found |= {"message": self.message} | ({"reason": self.reason} if self.reason else {})
        return found | ({} if self.details is None else {"details": self.details}) | {"code": self.code}


class NoSuchPath(Exception):
    """Answered in plain text: no API group has this path."""


def deleted(details: Json) -> Json:
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def bad_request(message: str) -> Refused:
    return Refused(400, "BadRequest", message)


def unauthorized() -> Refused:
    return Refused(401, "Unauthorized", "Unauthorized")


def forbidden(user: str, verb: str, group: str, resource: str, name: str) -> Refused:
    whole = qualified(resource, group)
    subject = f'{whole} "{name}"' if name else whole
    what = (
        f'User {quoted(user)} cannot {verb} resource "{resource}" in API group "{group}" at the cluster scope'
    )
    return Refused(403, "Forbidden", f"{subject} is forbidden: {what}", details(name, group, resource))


def forbidden_path(user: str, verb: str, path: str) -> Refused:
    return Refused(403, "Forbidden", f"forbidden: User {quoted(user)} cannot {verb} path {quoted(path)}", {})


def no_such_resource() -> Refused:
    return Refused(404, "NotFound", "the server could not find the requested resource", {})


def not_found(resource: str, group: str, name: str) -> Refused:
    message = f"{qualified(resource, group)} {quoted(name)} not found"
    return Refused(404, "NotFound", message, details(name, group, resource))


def not_allowed() -> Refused:
    return Refused(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {}
    )


def not_acceptable() -> Refused:
    known = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
    return Refused(406, "NotAcceptable", f"only the following media types are accepted: {known}")


def already_exists(resource: str, group: str, name: str) -> Refused:
    message = f"{qualified(resource, group)} {quoted(name)} already exists"
    return Refused(409, "AlreadyExists", message, details(name, group, resource))


def conflict(resource: str, group: str, name: str, why: str) -> Refused:
    message = f"Operation cannot be fulfilled on {qualified(resource, group)} {quoted(name)}: {why}"
    return Refused(409, "Conflict", message, details(name, group, resource))


def precondition(kind: str, group: str, name: str, title: str, asked: str, has: str) -> Refused:
    """Of a deletion; it names the kind where others name the resource."""
    since = "deleted and then recreated" if title == "UID" else "modified"
    why = f"the {title} in the precondition ({asked}) does not match the {title} in record ({has})"
    return conflict(kind, group, name, f"{why}. The object might have been {since}")


def unnamed(message: str) -> Refused:
    """What the server has no reason for."""
    return Refused(500, "", message)


def expired() -> Refused:
    return Refused(410, "Expired", TOO_OLD)


def too_large() -> Refused:
    return Refused(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728")


def unsupported(known: str) -> Refused:
    message = f"the body of the request was in an unknown format - accepted media types include: {known}"
    return Refused(415, "UnsupportedMediaType", message)


def invalid(kind: str, group: str, name: str, causes: Sequence[Cause]) -> Refused:
    said = [f"{cause.field}: {cause.message}" for cause in causes]
    text = said[0] if len(said) == 1 else f"[{', '.join(said)}]"
    listed = [{"reason": c.reason, "message": c.message, "field": c.field} for c in causes]
    message = f'{qualified(kind, group)} "{name}" is invalid: {text}'
    return Refused(422, "Invalid", message, details(name, group, kind) | {"causes": listed})


def too_many(seconds: int) -> Refused:
    message = "The server has received too many requests and has asked us to try again later"
    return Refused(429, "TooManyRequests", message, {"retryAfterSeconds": seconds})


def internal(what: str) -> Refused:
    return Refused(500, "InternalError", f"Internal error occurred: {what}", {"causes": [{"message": what}]})


def details(name: str, group: str, kind: str) -> Json:
    return {key: value for key, value in (("name", name), ("group", group), ("kind", kind)) if value}


def qualified(resource: str, group: str) -> str:
    return f"{resource}.{group}" if group else resource


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
