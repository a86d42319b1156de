"""Where the Kubernetes API is and who we are there: by a kubeconfig, or as a pod by its service account.

What runs a program (exec, auth-provider), goes by another way (proxy-url) or believes anybody (insecure-skip-tls-verify) is
refused by a sentence: a node's identity is a certificate or a token.
"""

from __future__ import annotations

import os
import re
from base64 import b64decode
from binascii import Error as NoBase64
from dataclasses import dataclass
from typing import Any

from ...conf.cluster import Endpoint, endpoint
from ...words.errors import BadConfig
from ...words.jsontext import words
from .. import operatorfile, yamltext

Json = dict[str, Any]
SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_SERVER = re.compile(r"(https?)://(\[[^\]/]+\]|[^/:?#@\[\]]+)(?::([0-9]+))?(/[^?#]*)?")
_USER_REFUSED = {
    "exec": "no program is run for a password",
    "auth-provider": "no program is run for a password",
    "username": "the API takes no password since 1.19",
    "as": "nobody is impersonated",
}


@dataclass(slots=True)
class Access:
    """`path` is what stands before /api. PEM texts, and where they come from, for errors."""

    endpoint: Endpoint
    path: str
    ca: str
    ca_from: str
    server_name: str = ""
    cert: str = ""
    key: str = ""
    cert_from: str = ""
    token: str = ""


def in_cluster(environment: dict[str, str] | os._Environ[str], directory: str = SERVICE_ACCOUNT) -> Access:
    """As a pod does. Its files are kubelet's: links, and readable for whoever the pod runs as."""
    host = environment.get("KUBERNETES_SERVICE_HOST", "")
    port = environment.get("KUBERNETES_SERVICE_PORT", "")
    if not host or not port:
        raise BadConfig(
            "find the Kubernetes API: this is no pod (KUBERNETES_SERVICE_HOST and _PORT are not set)",
            'give "kubeconfig": on a node, and so for the plugin, /etc/kubernetes/kubelet.conf may do, or'
            " conf/kubernetes/shared-pool/token.kubeconfig",
        )
    host = f"[{host}]" if ":" in host else host
    ca_file = f"{directory}/ca.crt"
    ca, token = (
        operatorfile.text_of(path, is_secret=False, follow=True) for path in (ca_file, f"{directory}/token")
    )
    there = _endpoint("https", host, port, "KUBERNETES_SERVICE_HOST")
    return Access(there, "", ca, ca_file, token=_token(token, f"{directory}/token"))


def read(path: str) -> Access:
    """By its current context."""
    document = _document(path)
    context = _named(document, "contexts", _text(document, "current-context", path), path, "context")
    cluster = _named(document, "clusters", _text(context, "cluster", path), path, "cluster")
    user = _named(document, "users", _text(context, "user", path), path, "user")
    access = _of_cluster(cluster, path)
    _add_user(access, user, path)
    return access


def _document(path: str) -> Json:
    try:
        documents = yamltext.documents(operatorfile.text_of(path))
    except ValueError as error:
        raise BadConfig(f"read {path}: it is no kubeconfig{error}") from error
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise BadConfig(f"read {path}: it is no kubeconfig")
    return documents[0]


def _named(document: Json, key: str, name: str, path: str, what: str) -> Json:
    listed = document.get(key)
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict) and one.get("name") == name:
            found = one.get(what)
            return found if isinstance(found, dict) else {}
    raise BadConfig(f"read {path}: it has no {what} {words(name)}")


def _text(raw: Json, key: str, path: str) -> str:
    found = raw.get(key)
    if not isinstance(found, str) or not found:
        raise BadConfig(f"read {path}: it has no {words(key)}", "`kubectl config view` shows what it has")
    return found


def _of_cluster(cluster: Json, path: str) -> Access:
    if cluster.get("insecure-skip-tls-verify"):
        raise BadConfig(
            f"use {path}: insecure-skip-tls-verify is refused",
            "give certificate-authority: it is always verified",
        )
    if cluster.get("proxy-url"):
        raise BadConfig(f"use {path}: proxy-url is refused", "nodes reach the API server without a proxy")
    server = _text(cluster, "server", path)
    if "@" in server:  # and perhaps a password, which is not to be told
        raise BadConfig(f"use {path}: server has a user in it", "give a certificate, a token or a tokenFile")
    found = _SERVER.fullmatch(server)
    if not found:
        raise BadConfig(f"use {path}: server {words(server)} is no URL")
    scheme, host, port, before = found.groups()
    there = _endpoint(scheme, host, port or ("443" if scheme == "https" else "80"), path)
    ca, ca_from = _data_or_file(cluster, "certificate-authority", path, is_secret=False)
    if there.is_tls and not ca:
        raise BadConfig(
            f"use {path}: it has no certificate-authority", "the server's certificate is always verified"
        )
    return Access(there, (before or "").rstrip("/"), ca, ca_from, str(cluster.get("tls-server-name") or ""))


def _endpoint(scheme: str, host: str, port: str, path: str) -> Endpoint:
    try:
        return endpoint(f"{scheme}://{host}:{port}")
    except ValueError as error:
        raise BadConfig(f"use {path}: server {scheme}://{host}:{port} {error}") from error


def _add_user(access: Access, user: Json, path: str) -> None:
    for key, why in _USER_REFUSED.items():
        if user.get(key):
            raise BadConfig(
                f"use {path}: {key} is refused: {why}", "give a certificate, a token or a tokenFile"
            )
    access.cert, access.cert_from = _data_or_file(user, "client-certificate", path, is_secret=False)
    access.key, _ = _data_or_file(user, "client-key", path, is_secret=True)
    if bool(access.cert) != bool(access.key):
        raise BadConfig(f"use {path}: client-certificate and client-key go together")
    file, token = user.get("tokenFile"), user.get("token")
    if isinstance(file, str) and file:  # which client-go prefers, for it is renewed
        file = _beside(path, file)
        access.token = _token(operatorfile.text_of(file, follow=True), file)
    elif isinstance(token, str) and token:
        access.token = _token(token, path)


def _data_or_file(raw: Json, key: str, path: str, is_secret: bool) -> tuple[str, str]:
    """(text, where it is from); the text in the file itself goes before, as in client-go. ("", "") = not given.

    A file may be a link: kubelet's certificate is one, to the newest.
    """
    data, file = raw.get(f"{key}-data"), raw.get(key)
    if isinstance(data, str) and data:
        try:
            return b64decode(data, validate=True).decode(), f"{key}-data of {path}"
        except (NoBase64, UnicodeDecodeError) as error:
            raise BadConfig(f"use {path}: {key}-data is no PEM in base64") from error
    if isinstance(file, str) and file:
        file = _beside(path, file)
        return operatorfile.text_of(file, is_secret=is_secret, follow=True), file
    return "", ""


def _beside(path: str, file: str) -> str:
    return os.path.join(os.path.dirname(path), file)


def _token(text: str, path: str) -> str:
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise BadConfig(f"use {path}: its token is none")
    return token
