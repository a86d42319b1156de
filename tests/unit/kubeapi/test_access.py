"""Who is known and who may, as the documentation says; each test names its page. For the stand-in and a real server alike."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from tests.certs import Authority
from tests.kubeapi import Admin, Caller, Json, RealApi, StandIn, kubeconfig, manifests

from .rooms import GROUP, JANE, PLURAL, ROBOT, ROOMS, binding, role, room, user

ONE = f"{ROOMS}/one"
CALLS: dict[str, tuple[str, str, Json | None]] = {
    "create": ("POST", ROOMS, room("two")),
    "get": ("GET", ONE, None),
    "list": ("GET", ROOMS, None),
    "update": ("PUT", ONE, room("one")),
    "patch": ("PATCH", ONE, {}),
    "delete": ("DELETE", ONE, None),
    "deletecollection": ("DELETE", ROOMS, None),
}
NAMED = {"get", "update", "patch", "delete"}
MERGE = {"Content-Type": "application/merge-patch+json"}
MESSAGE = 'rooms.{group}{name} is forbidden: User "jane" cannot {verb} resource "rooms" in API group "{group}" at the cluster scope'


def outcome(caller: Caller, verb: str) -> int:
    method, path, body = CALLS[verb]
    return caller.call(method, path, body, MERGE if method == "PATCH" else None).code


@pytest.fixture
def jane(api: Admin) -> Caller:
    return api.as_user(JANE)


@pytest.mark.parametrize("verb", CALLS)
def test_a_verb_that_is_not_granted_is_forbidden_and_named(api: Admin, jane: Caller, verb: str) -> None:
    """By "Authorization Overview", Determine the request verb; "Using RBAC Authorization": permissions are purely additive."""
    others = ",".join(set(CALLS) - {verb})
    api.apply([role((GROUP, PLURAL, others)), binding(user("jane"))])
    method, path, body = CALLS[verb]

    answer = jane.call(method, path, body, MERGE if method == "PATCH" else None)

    name = ' "one"' if verb in NAMED else ""
    assert answer.status == (403, "Forbidden")
    assert answer.document["message"] == MESSAGE.format(group=GROUP, name=name, verb=verb)
    assert answer.document["details"] == ({"name": "one"} if name else {}) | {"group": GROUP, "kind": PLURAL}


@pytest.mark.parametrize("verb", CALLS)
def test_a_verb_that_is_granted_is_done(api: Admin, jane: Caller, verb: str) -> None:
    api.apply([role((GROUP, PLURAL, verb)), binding(user("jane"))])
    api.call("POST", ROOMS, room("one"))

    assert outcome(jane, verb) == {"create": 201, "update": 422}.get(verb, 200)
    assert {other: outcome(jane, other) for other in set(CALLS) - {verb}} == dict.fromkeys(
        set(CALLS) - {verb}, 403
    )


@pytest.mark.parametrize(
    "rule", [("", PLURAL, "get"), (GROUP, "doors", "get"), (GROUP, f"{PLURAL}/status", "get")]
)
def test_a_grant_is_of_a_group_and_a_resource(api: Admin, jane: Caller, rule: tuple[str, str, str]) -> None:
    """By "Using RBAC Authorization", Referring to resources."""
    api.apply([role(rule), binding(user("jane"))])

    assert outcome(jane, "get") == 403


def test_a_grant_of_one_name_is_of_no_collection(api: Admin, jane: Caller) -> None:
    """The same page: a rule with `resourceNames` covers neither create nor list nor deletecollection."""
    api.apply([role((GROUP, PLURAL, "*"), names=("one",)), binding(user("jane"))])
    api.call("POST", ROOMS, room("one"))

    assert [outcome(jane, verb) for verb in ("create", "list", "deletecollection")] == [403] * 3
    assert jane.get(f"{ROOMS}/two").code == 403
    assert outcome(jane, "get") == 200


@pytest.mark.parametrize(
    "subject",
    [
        user("people", "Group"),
        user("system:authenticated", "Group"),
        user("jane"),
    ],
)
def test_a_binding_is_of_a_user_or_a_group(api: Admin, jane: Caller, subject: Json) -> None:
    """The same page, Referring to subjects."""
    api.apply([role((GROUP, PLURAL, "list")), binding(subject)])

    assert outcome(jane, "list") == 200


def test_a_binding_is_of_a_service_account(api: Admin) -> None:
    robot = api.as_user(ROBOT)
    account = {"kind": "ServiceAccount", "name": "robot", "namespace": "kube-system"}
    api.apply([role((GROUP, PLURAL, "list")), binding(account | {"namespace": "default"})])
    assert outcome(robot, "list") == 403

    api.apply([binding(account)])

    assert outcome(robot, "list") == 200
    denied = robot.get("/api/v1/nodes/a").document["message"]
    assert (
        'User "system:serviceaccount:kube-system:robot" cannot get resource "nodes" in API group ""' in denied
    )


def test_what_is_not_served_is_forbidden_before_it_is_not_found(api: Admin, jane: Caller) -> None:
    assert jane.get("/apis/nowhere.example.org/v1/rooms").status == (403, "Forbidden")
    assert jane.get("/nowhere").document["message"] == 'forbidden: User "jane" cannot get path "/nowhere"'
    assert jane.get("/version").code == 200


def test_a_token_that_is_none_is_unauthorized(api: Admin) -> None:
    """By "Authenticating": 401; and without any, the anonymous user."""
    for token in ("nonsense", f"{JANE.token}x"):
        answer = Caller(api.url, api.ca, token).get(ROOMS)
        assert answer.status == (401, "Unauthorized")
        assert answer.document["message"] == "Unauthorized"
    anonymous = Caller(api.url, api.ca).get(ROOMS)
    assert anonymous.status == (403, "Forbidden")
    assert 'User "system:anonymous" cannot list' in anonymous.document["message"]


def test_a_certificate_says_who_it_is(api: Admin) -> None:
    """By "Authenticating", X.509 client certificates: its common name is the user, its organisations are the groups."""
    assert isinstance(api, StandIn | RealApi)
    api.apply([role((GROUP, PLURAL, "list")), binding(user("readers", "Group"))])
    node = api.authority.issue("system:node:a", groups=("readers", "system:nodes"))

    found = Caller(api.url, api.ca, cert=node)

    assert outcome(found, "list") == 200
    assert 'User "system:node:a" cannot get' in found.get(ONE).document["message"]


def test_a_client_trusts_its_own_authority_alone(api: Admin, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        Caller(api.url, Authority(tmp_path).cert, JANE.token).get(ROOMS)
    with pytest.raises(ssl.SSLCertVerificationError):
        Caller(api.url.replace("127.0.0.1", "localhost"), api.ca, JANE.token).get(ROOMS)


def test_a_kubeconfig_reads_back(tmp_path: Path) -> None:
    """By "Organizing Cluster Access Using kubeconfig Files", and "kubeconfig (v1)"."""
    path = kubeconfig(tmp_path / "config", "https://127.0.0.1:6443", tmp_path / "ca.crt", {"token": "x"})

    (found,) = manifests(path)

    (context,) = [one["context"] for one in found["contexts"] if one["name"] == found["current-context"]]
    (cluster,) = [one["cluster"] for one in found["clusters"] if one["name"] == context["cluster"]]
    (who,) = [one["user"] for one in found["users"] if one["name"] == context["user"]]
    assert (cluster["server"], who) == ("https://127.0.0.1:6443", {"token": "x"})
    assert path.stat().st_mode & 0o777 == 0o600
