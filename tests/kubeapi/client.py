"""How tests speak to an API server, the stand-in or a real one: plain HTTPS, and what an administrator's kubectl would do."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import yaml

from tests.certs import Certificate

Json = dict[str, Any]
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
# where an administrator's objects live, by their kind; `{}` is the namespace
COLLECTIONS = {
    "ClusterRole": f"{RBAC}/clusterroles",
    "ClusterRoleBinding": f"{RBAC}/clusterrolebindings",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "CustomResourceDefinition": CRDS,
    "DaemonSet": "/apis/apps/v1/namespaces/{}/daemonsets",
    "Namespace": "/api/v1/namespaces",
    "Node": "/api/v1/nodes",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
}


class User(NamedTuple):
    """Whom a bearer token stands for."""

    name: str
    token: str
    groups: tuple[str, ...] = ()


def service_account(namespace: str, name: str, token: str) -> User:
    """Its user name and groups as "Managing Service Accounts" and "Using RBAC Authorization" say."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    return User(f"system:serviceaccount:{namespace}:{name}", token, groups)


ADMIN = User("admin", "of-the-administrator", ("system:masters",))


class Answer(NamedTuple):
    code: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def document(self) -> Json:
        found: Json = json.loads(self.text)
        return found

    @property
    def status(self) -> tuple[int, str]:
        """Of a refusal: code and reason, which are a Status object's own."""
        said = self.document
        assert (said["kind"], said["apiVersion"], said["status"]) == ("Status", "v1", "Failure"), said
        assert said["code"] == self.code, said
        return self.code, said.get("reason", "")


class Caller:
    """One who calls, by a bearer token or a client's certificate."""

    def __init__(self, url: str, ca: Path | None, token: str = "", cert: Certificate | None = None) -> None:
        self.url, self.ca, self.token = url, ca, token
        self._context = ssl.create_default_context(cafile=None if ca is None else str(ca))
        if cert is not None:
            self._context.load_cert_chain(cert.cert, cert.key)

    def call(
        self,
        method: str,
        path: str,
        body: Json | str | None = None,
        headers: dict[str, str] | None = None,
        timeout: float = 30,
    ) -> Answer:
        said = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        said |= {"Content-Type": "application/json"} if body is not None else {}
        text = body if body is None or isinstance(body, str) else json.dumps(body)
        address = urlsplit(self.url)
        connection = http.client.HTTPSConnection(
            address.hostname or "", address.port, timeout=timeout, context=self._context
        )
        try:
            connection.request(method, path, text, said | (headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read().decode())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, None, headers)


class Admin(Caller):
    """With all rights."""

    def is_ready(self) -> bool:
        try:
            return self.get("/readyz").code == 200
        except OSError:
            return False

    def as_user(self, user: User) -> Caller:
        return Caller(self.url, self.ca, user.token)

    def apply(self, documents: Iterable[Json]) -> None:
        """As `kubectl replace --force` would, and wait until a definition is served."""
        for document in documents:
            path = COLLECTIONS[document["kind"]].format(document["metadata"].get("namespace"))
            self.remove(f"{path}/{document['metadata']['name']}")
            answer = self.call("POST", path, document)
            assert answer.code == 201, answer.text
            if path == CRDS:
                spec = document["spec"]
                self._served(
                    *(
                        f"/apis/{spec['group']}/{v['name']}/{spec['names']['plural']}"
                        for v in spec["versions"]
                    )
                )

    def remove(self, path: str) -> None:
        """Until it is gone: a definition's objects go first."""
        until = time.monotonic() + 30
        while self.call("DELETE", path).code != 404:
            assert time.monotonic() < until, f"{path}: does not go"
            time.sleep(0.02)

    def _served(self, *paths: str) -> None:
        until = time.monotonic() + 30
        while any(self.get(path).code != 200 for path in paths):
            assert time.monotonic() < until, f"{paths}: not served"
            time.sleep(0.1)

    def add_node(self, name: str) -> str:
        """A Node object, as a kubelet registers it. Its UID."""
        answer = self.call(
            "POST", COLLECTIONS["Node"], {"kind": "Node", "apiVersion": "v1", "metadata": {"name": name}}
        )
        assert answer.code == 201, answer.text
        return str(answer.document["metadata"]["uid"])

    def remove_node(self, name: str) -> None:
        answer = self.call("DELETE", f"{COLLECTIONS['Node']}/{name}")
        assert answer.code == 200, answer.text

    def close(self) -> None:
        """Nothing runs any more."""
        raise NotImplementedError


def manifests(path: Path) -> list[Json]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def kubeconfig(path: Path, url: str, ca: Path, user: Json) -> Path:
    """As "Organizing Cluster Access Using kubeconfig Files" has it; `user`: its AuthInfo."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tests", "cluster": {"server": url, "certificate-authority": str(ca)}}],
        "users": [{"name": "node", "user": user}],
        "contexts": [{"name": "here", "context": {"cluster": "tests", "user": "node"}}],
        "current-context": "here",
    }
    path.write_text(yaml.safe_dump(document))
    path.chmod(0o600)
    return path
