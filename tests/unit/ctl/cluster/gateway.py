"""What etcd's JSON gateway does, as far as we ask it: in memory, by etcd's own documentation of 3.4.
The tests of tests/integration ask a real one.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

from tests.unit.ctl.cluster.server import Asked, Said

Json = dict[str, Any]


class Gateway:
    """`users` by name, with passwords; {} = authentication is not enabled. `refuse`: what is said in place of an answer."""

    def __init__(self, users: dict[str, str] | None = None) -> None:
        self.kept: dict[bytes, tuple[bytes, int, int]] = {}  # value, mod_revision, version
        self.revision = 1
        self.users = users or {}
        self.tokens: set[str] = set()
        self.refuse: list[Said] = []

    def __call__(self, asked: Asked) -> Said:
        if self.refuse:
            return self.refuse.pop(0)
        if asked.path == "/v3/auth/authenticate":
            return self._log_in(asked.body)
        if self.users and asked.headers.get("Authorization", "") not in self.tokens:
            is_none = "Authorization" not in asked.headers
            return error(400, 3, "user name is empty") if is_none else error(401, 16, "invalid auth token")
        act = {"range": self._range, "txn": self._transaction, "deleterange": self._delete}
        answer = act[asked.path.removeprefix("/v3/kv/")](asked.body)
        return Said({"header": {"revision": str(self.revision)}} | answer)

    def put(self, key: str, value: str) -> None:
        self._put({"key": key.encode(), "value": value.encode()})

    def value(self, key: str) -> str:
        return self.kept[key.encode()][0].decode()

    def _log_in(self, body: Json) -> Said:
        if not self.users:
            return error(412, 9, "authentication is not enabled")
        if self.users.get(body["name"]) != body["password"]:
            return error(400, 3, "authentication failed, invalid user ID or password")
        self.tokens.add(f"token.{len(self.tokens)}")
        return Said({"header": {"revision": "1"}, "token": f"token.{len(self.tokens) - 1}"})

    def _range(self, body: Json) -> Json:
        first, end = b64decode(body["key"]), b64decode(body.get("range_end", ""))
        keys = sorted(key for key in self.kept if key == first or first <= key < end)
        limit = int(body.get("limit", 0)) or len(keys)
        kvs = [self._kv(key, bool(body.get("keys_only"))) for key in keys[:limit]]
        found: Json = {"kvs": kvs, "count": str(len(keys))} if keys else {}
        return found | ({"more": True} if len(keys) > limit else {})

    def _kv(self, key: bytes, keys_only: bool) -> Json:
        value, revision, version = self.kept[key]
        told = {"key": key, "mod_revision": revision, "create_revision": revision, "version": version}
        shown = {
            name: b64encode(one).decode() if isinstance(one, bytes) else str(one)
            for name, one in told.items()
        }
        return shown if keys_only else shown | {"value": b64encode(value).decode()}

    def _transaction(self, body: Json) -> Json:
        holds = all(self._compare(one) for one in body.get("compare", []))
        answers = [self._operation(one) for one in body.get("success" if holds else "failure", [])]
        found: Json = {"responses": answers} if answers else {}
        return found | ({"succeeded": True} if holds else {})

    def _compare(self, one: Json) -> bool:
        _, revision, version = self.kept.get(b64decode(one["key"]), (b"", 0, 0))
        assert one["result"] == "EQUAL"
        if one["target"] == "MOD":
            return int(one["mod_revision"]) == revision
        assert one["target"] == "VERSION"
        return int(one["version"]) == version

    def _operation(self, one: Json) -> Json:
        ((name, body),) = one.items()
        if name == "requestRange":
            return {"response_range": {"header": {}} | self._range(body)}
        if name == "requestPut":
            self._put({key: b64decode(value) for key, value in body.items()})
            return {"response_put": {"header": {}}}
        return {"response_delete_range": {"header": {}} | self._delete(body)}

    def _put(self, body: dict[str, bytes]) -> None:
        self.revision += 1
        version = self.kept.get(body["key"], (b"", 0, 0))[2]
        self.kept[body["key"]] = body["value"], self.revision, version + 1

    def _delete(self, body: Json) -> Json:
        self.revision += 1
        found = self.kept.pop(b64decode(body["key"]), None)
        return {"deleted": "1"} if found else {}


def error(status: int, code: int, message: str) -> Said:
    told = f"etcdserver: {message}"
    return Said({"error": told, "message": told, "code": code}, status)
