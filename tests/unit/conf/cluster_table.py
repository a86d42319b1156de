"""Good and bad files of clusters: one table that conf/cluster.schema.json and the parser must judge alike
(tests/unit/ctl/test_clusterjson.py). As conf_table.py: a row is (name, document, verdict).
"""

from __future__ import annotations

from typing import Any

from tests.unit.conf.conf_table import BAD, GOOD, Json, Row

LOCAL: Json = {"engine": "etcd", "endpoints": ["http://127.0.0.1:2379"]}
TLS: Json = {"engine": "etcd", "endpoints": ["https://10.0.0.1:2379"], "ca": "/etc/etcd/ca.pem"}
KUBERNETES: Json = {"engine": "kubernetes"}
RANGE = "parser: a pattern cannot tell what is a port or an address"


def etcd(**keys: Any) -> Json:
    """A good one with `keys` over it; None leaves a key out."""
    return {key: value for key, value in (TLS | keys).items() if value is not None}


def rows(name: str, good: list[Any], bad: list[Any], base: Json = TLS, **also: Any) -> list[Row]:
    table = [(f"{base['engine']} {name} {value!r}", base | also | {name: value}, GOOD) for value in good]
    return table + [(f"{base['engine']} {name} {value!r}", base | also | {name: value}, BAD) for value in bad]


PATHS = ["/a", "/etc/etcd/ä b.pem"], ["", "a", "/", "/a/", "/a//b", "/a/../b", "/./a", 7, None, []]
NODES = ["n1", "Node_1.rack-2", "n" * 253], ["", "-n", "n 1", "n\n", "ä", "n" * 254, 7, None]
TABLE: list[Row] = [
    ("least of etcd", LOCAL, GOOD),
    ("least with TLS", TLS, GOOD),
    ("least of kubernetes", KUBERNETES, GOOD),
    ("all of etcd", etcd(cert="/c", key="/k", user="u", passwordFile="/p", prefix="/x/y-z_1", node="n"), GOOD),
    ("for editors", etcd() | {"$schema": "cluster.schema.json"}, GOOD),
    ("empty", {}, BAD),
    ("no engine", {"endpoints": ["http://127.0.0.1:2379"]}, BAD),
    ("no endpoints", etcd(endpoints=None), BAD),
    ("https without a ca", etcd(ca=None), BAD),
    ("one of them https without a ca", etcd(ca=None, endpoints=["http://[::1]:1", "https://a:1"]), BAD),
    ("a ca that is not used", LOCAL | {"ca": "/ca"}, GOOD),
    ("an unknown key", etcd(endpoint="x"), BAD),
    ("another case", etcd(Prefix="/x"), BAD),
    ("a key of the other engine", etcd(kubeconfig="/k"), BAD),
    ("a key of etcd", KUBERNETES | {"endpoints": ["https://a:1"]}, BAD),
    ("a prefix of etcd", KUBERNETES | {"prefix": "/x"}, BAD),
    ("a cert without its key", etcd(cert="/c"), BAD),
    ("a key without its cert", etcd(key="/k"), BAD),
    ("a user without a password", etcd(user="u"), BAD),
    ("a password of nobody", etcd(passwordFile="/p"), BAD),
    ("no password in it", etcd(user="u", password="x"), BAD),
    *rows("engine", ["etcd"], ["ETCD", "consul", "", 7, None, ["etcd"], True]),
    *rows("endpoints", [["https://h:1"] * 16], [[], ["https://h:1"] * 17, "https://h:1", {}, None, 7]),
    *rows(
        "endpoints",
        [
            ["https://etcd-1.example:2379", "https://[fd00::1]:2379"],
            ["http://localhost:2379", "http://127.1.2.3:1", "http://[::1]:2379"],
        ],
        [
            *(["https://h"], ["h:2379"], ["https://h:"], ["https://h:2379/"], ["https://h:2379/v3"]),
            *(["https://u:p@h:1"], ["https://h:1?x"], ["ftp://h:1"], ["HTTPS://h:1"], ["https://h:123456"]),
            *(["http://10.0.0.1:2379"], ["http://etcd:2379"], ["http://localhost.example:1"], ["http://127.0.0.1.x:1"]),
            *(["https://-h:1"], ["https://h-:1"], ["https://h_1:1"], ["https://fd00::1:2379"], ["https:// h:1"]),
            *(["https://h:1\n"], [7], [None], [["https://h:1"]], [""]),
        ],
    ),
    ("a port that is none", etcd(endpoints=["https://h:65536"]), RANGE),
    ("port 0", etcd(endpoints=["https://h:0"]), RANGE),
    ("an address that is none", etcd(endpoints=["https://[fd00::1::2]:1"]), RANGE),
    ("a loopback that is a name", etcd(endpoints=["http://127.0.0.999:1"]), RANGE),
    *rows("ca", *PATHS),
    *rows("cert", *PATHS, key="/k"),
    *rows("key", *PATHS, cert="/c"),
    *rows("passwordFile", *PATHS, user="u"),
    *rows("user", ["root", "ä b"], ["", 7, None, []], passwordFile="/p"),
    *rows("prefix", ["/a", "/cni-sriov/rack.1", "/_" * 100], ["", "a", "/", "/a/", "/a//b", "/..", "/.a", "/ä", "/a b", 7, "/_" * 101]),
    *rows("node", *NODES),
    *rows("node", *NODES, base=KUBERNETES),
    *rows("kubeconfig", *PATHS, base=KUBERNETES),
]  # fmt: skip
