"""The stand-in: what it serves and to whom."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.certs import Authority, Certificate

from . import rbac, schema, status
from .client import ADMIN, Admin, User
from .door import Address, Door, Handler, Heard
from .faults import Fault, Faults
from .rbac import ANONYMOUS, Attributes
from .schema import Resource
from .status import Cause
from .store import Store
from .verbs import Asked, Verbs, parsed

Json = dict[str, Any]
DEFINITIONS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition")
BUILT_IN = (
    *(DEFINITIONS, rbac.ROLES, rbac.BINDINGS),
    *(Resource("", "v1", "nodes", "Node"), Resource("", "v1", "namespaces", "Namespace")),
    *(Resource("", "v1", "configmaps", "ConfigMap", True), Resource("", "v1", "secrets", "Secret", True)),
    *(
        Resource("", "v1", "serviceaccounts", "ServiceAccount", True),
        Resource("apps", "v1", "daemonsets", "DaemonSet", True),
    ),
)


class StandIn(Admin):
    """An API server for tests. Users that are known by a token come with it or later; those of `authority`'s
    certificates are known by them. `certificate` of another authority, or an expired one: what a client must refuse.
    """

    def __init__(
        self, directory: Path, *users: User, certificate: Certificate | None = None, port: int = 0
    ) -> None:
        self.authority = Authority(directory / "certs")
        self.users = {user.token: user for user in (ADMIN, *users)}
        self.heard: list[Heard] = []
        self.faults = Faults()
        self.store = Store()
        self.lock = threading.RLock()
        self.served: dict[tuple[str, str, str], Resource] = {
            (r.group, r.version, r.plural): r for r in BUILT_IN
        }
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*(certificate or self.authority.issue("server", "127.0.0.1")))
        self.context.load_verify_locations(self.authority.cert)
        self.context.verify_mode = ssl.CERT_OPTIONAL
        self._server = Door(("127.0.0.1", port), Handler)
        self._server.api = self
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        super().__init__(f"https://127.0.0.1:{self._server.server_port}", self.authority.cert, ADMIN.token)

    def add_user(self, user: User) -> User:
        self.users[user.token] = user
        return user

    def expire(self, user: User) -> None:
        """Its token is no longer one."""
        del self.users[user.token]

    def fault(
        self, what: str | int | Callable[[], object], verb: str = "", resource: str = "", **more: Any
    ) -> Fault:
        return self.faults.add(Fault(what, verb, resource, **more))

    def count(self, verb: str, resource: str = "") -> int:
        return sum(heard.verb == verb and resource in {heard.resource, ""} for heard in list(self.heard))

    def forget_pages(self) -> None:
        """As five minutes do: no list can be continued any more."""
        with self.lock:
            self.store.forget_pages()

    def close(self) -> None:
        self.faults.clear()
        self._server.shutdown()
        self._server.server_close()

    def who(self, authorization: str, subject: Json | None) -> User:
        """By "Authenticating": a client certificate's common name, or a bearer token; neither is the anonymous user."""
        if subject:
            fields = [pair for group in subject["subject"] for pair in group]
            groups = tuple(value for key, value in fields if key == "organizationName")
            return User(next(value for key, value in fields if key == "commonName"), "", groups)
        if not authorization:
            return ANONYMOUS
        scheme, _, token = authorization.partition(" ")
        with self.lock:
            user = self.users.get(token.strip()) if scheme.lower() == "bearer" else None
        if user is None:
            raise status.unauthorized()
        return user

    def answer(self, verb: str, asked: Asked) -> tuple[int, Json]:
        with self.lock:
            if asked.resource is DEFINITIONS and verb == "create":
                _check(parsed(asked.body))
            code, document = getattr(Verbs(self.store), verb)(asked)
            if asked.resource is DEFINITIONS:
                self._serve(verb, asked.name, document)
            return code, document

    def authorize(self, user: User, verb: str, path: Address) -> None:
        resource = f"{path.plural}/{path.subresource}" if path.subresource else path.plural
        asked = Attributes(verb, path.group, resource, path.name)
        with self.lock:
            roles, bindings = self.store.all(rbac.ROLES), self.store.all(rbac.BINDINGS)
        if not rbac.may(user, asked, roles, bindings):
            raise status.forbidden(user.name, verb, path.group, resource, path.name)

    def find(self, path: Address) -> Resource:
        with self.lock:
            found = self.served.get((path.group, path.version, path.plural))
        if found is None and path.group not in {"", "apps"}:
            raise status.NoSuchPath
        if found is None or (path.subresource and not found.has_status):
            raise status.no_such_resource()
        return found

    def _serve(self, verb: str, name: str, document: Json) -> None:
        """A definition that came, or went with its objects."""
        if verb == "create":
            self.served |= {(r.group, r.version, r.plural): r for r in schema.resources(document)}
        elif verb == "delete":
            gone = [key for key in self.served if f"{key[2]}.{key[0]}" == name]
            for key in gone:
                resource = self.served.pop(key)
                for held in self.store.all(resource):
                    self.store.remove(resource, ("", held["metadata"]["name"]), {})


def _check(definition: Json) -> None:
    try:
        list(schema.resources(definition))
    except AssertionError as wrong:
        cause = Cause("spec", "FieldValueInvalid", f"Invalid value: {wrong}")
        raise status.invalid(
            DEFINITIONS.kind, DEFINITIONS.group, definition["metadata"]["name"], [cause]
        ) from None
