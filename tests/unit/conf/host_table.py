"""Good and bad host files: one table that conf/host.schema.json and the parser must judge alike (tests/unit/ctl/test_hostjson.py).

As conf_table.py: a row is (name, document, verdict).
"""

from __future__ import annotations

from typing import Any

from tests.unit.conf.conf_table import BAD, BYTES, COMPARE, FLOAT, GOOD, Json, Row

NAMES: Json = {"names": ["enp1s0f0"]}


def host(**keys: Any) -> Json:
    """A good one with `keys` over its only entry; None leaves a key out."""
    entry = {"pf": NAMES, "numvfs": 7} | keys
    return {"pfs": [{key: value for key, value in entry.items() if value is not None}]}


def vfs(*ranges: Json, **keys: Any) -> Json:
    return host(vfs=list(ranges), **keys)


def one(**keys: Any) -> Json:
    return vfs({"range": "0-3"} | keys)


def rows(key: str, good: list[Any], bad: list[Any]) -> list[Row]:
    table = [(f"{key} {value!r}", host(**{key: value}), GOOD) for value in good]
    return table + [(f"{key} {value!r}", host(**{key: value}), BAD) for value in bad]


def range_rows(key: str, good: list[Any], bad: list[Any]) -> list[Row]:
    table = [(f"vfs.{key} {value!r}", one(**{key: value}), GOOD) for value in good]
    return table + [(f"vfs.{key} {value!r}", one(**{key: value}), BAD) for value in bad]


WHOLE: list[Row] = [
    ("nothing wanted", {"pfs": []}, GOOD),
    ("for editors", {"$schema": "host.schema.json", "pfs": []}, GOOD),
    ("empty", {}, BAD),
    ("pfs is no list", {"pfs": {}}, BAD),
    ("an entry is no object", {"pfs": ["enp1s0f0"]}, BAD),
    ("an unknown key", {"pfs": [], "pf": []}, BAD),
    ("an unknown key of an entry", host(numvf=3), BAD),
    ("another case", host(NumVFs=3), BAD),
    ("an unknown key of a selector", host(pf=NAMES | {"vfs": "0-3"}), BAD),
    ("an unknown key of a range", one(turst="on"), BAD),
    ("null", {"pfs": [{"pf": NAMES, "mtu": None}]}, BAD),
    ("two entries", {"pfs": [{"pf": NAMES}, {"pf": {"vendors": ["8086"]}}]}, GOOD),
    ("no pf", {"pfs": [{"numvfs": 3}]}, BAD),
]
ENTRY: list[Row] = [
    *rows("numvfs", [0, 1, 7, 65535, "max", None], [-1, 65536, "7", "all", True, "", [7]]),
    ("numvfs 1.0", host(numvfs=1.0), FLOAT),
    *rows("mtu", [68, 1500, 9000, 65535], [67, 65536, "1500", True]),
    ("mtu 1500.0", host(mtu=1500.0), FLOAT),
    *rows("up", [True, False], ["on", 1]),
    *rows("optional", [True, False], ["no", 0]),
    *rows("vfs", [[]], [{}, "0-3", [7]]),
    *rows(
        "pf",
        [
            NAMES,
            {"pciAddresses": ["0000:01:00.0", "01:00.1"]},
            {"vendors": ["8086", "0x15b3"], "devices": ["1521"]},
            {"drivers": ["igb"], "names": []},
        ],
        [
            *(
                {},
                {"names": []},
                {"names": "enp1s0f0"},
                {"names": ["a/b"]},
                {"names": [""]},
                {"names": ["."]},
            ),
            *(
                {"pciAddresses": ["1:0.0"]},
                {"vendors": ["intel"]},
                {"vendors": ["12345"]},
                {"drivers": [""]},
                [],
            ),
        ],
    ),
    ("a name of 128 bytes", host(pf={"names": ["ä" * 64]}), BYTES),
]
RANGES: list[Row] = [
    ("ranges", vfs({"range": "0-3"}, {"range": "4,6"}, {"range": "5"}), GOOD),
    ("no range", vfs({"trust": "on"}), BAD),
    *range_rows("range", ["0", "0-3,6", "1, 3 - 4"], ["", "a", "0-", "-1", "0;1", "123456", 3, ["0"]]),
    *range_rows("trust", ["on", "off"], [True, "auto", "ON", 1]),
    *range_rows("spoofchk", ["on", "off"], [False, ""]),
    *range_rows("mtu", [68, 9000], [67, "9000"]),
    *range_rows(
        "driver",
        ["kernel", "auto", "vfio-pci", "uio_pci_generic", "igb_uio"],
        ["", "igbvf", "VFIO-PCI", None, ["auto"]],
    ),
    ("the wrong way round", vfs({"range": "3-0"}), COMPARE),
    ("in two ranges", vfs({"range": "0-3"}, {"range": "5,3"}), COMPARE),
    ("twice in one range", vfs({"range": "0-3,2"}), COMPARE),
    ("the same twice", vfs({"range": "6"}, {"range": "6"}), COMPARE),
    ("the last of numvfs", vfs({"range": "0-6"}), GOOD),
    ("beyond numvfs", vfs({"range": "0-7"}), COMPARE),
    ("beyond numvfs 0", vfs({"range": "0"}, numvfs=0), COMPARE),
    ("beyond what nobody knows", vfs({"range": "0-255"}, numvfs="max"), GOOD),
    ("beyond what is there today", vfs({"range": "0-255"}, numvfs=None), GOOD),
    ("an mtu for who has no netdev", one(mtu=9000, driver="vfio-pci"), COMPARE),
    ("an mtu for who may have one", one(mtu=9000, driver="auto"), GOOD),
]
TABLE: list[Row] = WHOLE + ENTRY + RANGES
