"""What libcni's loader refuses, `validate` refuses. The rows are of containernetworking/cni v1.3.0: libcni/conf.go,
libcni/conf_test.go, pkg/types/types.go, and of what Go's encoding/json does with a type.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.ctl import libcni, validate
from cni_sriov.words.errors import InputOutput

Json = dict[str, Any]
PLUGIN = {"type": "sriov", "master": "x"}
LIST: Json = {"cniVersion": "1.0.0", "name": "n", "plugins": [PLUGIN]}
ALONE: Json = {"cniVersion": "1.0.0", "name": "n", **PLUGIN}


def without(raw: Json, *keys: str) -> Json:
    return {key: value for key, value in raw.items() if key not in keys}


def inside(**keys: Any) -> Json:
    return LIST | {"plugins": [PLUGIN | keys]}


FLAGS = ("disableCheck", "disableGC", "loadOnlyInlinedPlugins")
NO_FLAGS: list[Any] = ["adsf", "", "yes", "1", 1, None, []]
# (what, document, the path that is named; None = libcni takes it)
LISTS: list[tuple[str, Any, str | None]] = [
    ("good", LIST, None),
    ("no name", without(LIST, "name"), ""),
    ("Name", without(LIST, "name") | {"Name": "n"}, ""),
    ("name 5", LIST | {"name": 5}, "name"),
    ("name null", LIST | {"name": None}, "name"),
    ("no cniVersion", without(LIST, "cniVersion"), None),
    ("cniVersion empty", LIST | {"cniVersion": ""}, None),
    ("cniVersion 1", LIST | {"cniVersion": 1}, "cniVersion"),
    ("cniVersion null", LIST | {"cniVersion": None}, "cniVersion"),
    ("cniVersions", LIST | {"cniVersions": ["0.4.0", "1.0.0"]}, None),
    ("cniVersions empty", LIST | {"cniVersions": []}, None),
    ("cniVersions newer than any", LIST | {"cniVersions": ["1.0.0", "99.0.0"]}, None),
    ("cniVersions short", LIST | {"cniVersions": ["1", "1.0", ""]}, None),
    ("cniVersions no list", LIST | {"cniVersions": "1.0.0"}, "cniVersions"),
    ("cniVersions null", LIST | {"cniVersions": None}, "cniVersions"),
    ("cniVersions of numbers", LIST | {"cniVersions": [1]}, "cniVersions[0]"),
    ("cniVersions no version", LIST | {"cniVersions": ["1.0.0", "1.1.a"]}, "cniVersions[1]"),
    ("cniVersions too many parts", LIST | {"cniVersions": ["1.0.0.0"]}, "cniVersions[0]"),
    ("cniVersion abc beside good ones", LIST | {"cniVersion": "abc", "cniVersions": ["1.0.0"]}, "cniVersion"),
    ("cniVersions v1.0.0", LIST | {"cniVersions": ["v1.0.0"]}, "cniVersions[0]"),
    *[(f"{key} {v!r}", LIST | {key: v}, None) for key in FLAGS for v in (True, False, "true", "FALSE", "True")],
    *[(f"{key} {v!r}", LIST | {key: v}, key) for key in FLAGS for v in NO_FLAGS],
    ("no plugins", without(LIST, "plugins"), ""),
    ("no plugins, inlined ones only", without(LIST, "plugins") | {"loadOnlyInlinedPlugins": True}, ""),
    ("plugins empty", LIST | {"plugins": []}, "plugins"),
    ("plugins null", LIST | {"plugins": None}, "plugins"),
    ("plugins an object", LIST | {"plugins": PLUGIN}, "plugins"),
    ("a plugin null", LIST | {"plugins": [PLUGIN, None]}, "plugins[1]"),
    ("a plugin without type", LIST | {"plugins": [{"master": "x"}]}, "plugins[0]"),
    ("a plugin with an empty type", inside(type=""), "plugins[0]"),
    ("Type", LIST | {"plugins": [{"Type": "sriov", "master": "x"}]}, None),
    ("type 5", inside(type=5), "plugins[0].type"),
    ("a plugin of words", LIST | {"plugins": [PLUGIN, "tuning"]}, "plugins[1]"),
    ("nameservers", inside(dns={"nameservers": "10.0.0.1"}), "plugins[0].dns.nameservers"),
    ("NameServers", inside(DNS={"NameServers": "10.0.0.1"}), "plugins[0].dns.nameservers"),
    ("a search domain 5", inside(dns={"search": ["a", 5]}), "plugins[0].dns.search[1]"),
    ("a domain list", inside(dns={"domain": ["a"]}), "plugins[0].dns.domain"),
    ("dns null", inside(dns=None), None),
    ("dns with nulls", inside(dns={"nameservers": None, "domain": None}), None),
    ("dns a list", inside(dns=[]), "plugins[0].dns"),
    ("capabilities", inside(capabilities={"mac": True, "ips": False, "x": None}), None),
    ("a capability of words", inside(capabilities={"mac": "yes"}), "plugins[0].capabilities.mac"),
    ("capabilities a list", inside(capabilities=["mac"]), "plugins[0].capabilities"),
    ("ipam a word", inside(ipam="host-subnet"), "plugins[0].ipam"),
    ("ipam.type 5", inside(ipam={"type": 5}), "plugins[0].ipam.type"),
    ("prevResult a list", inside(prevResult=[]), "plugins[0].prevResult"),
    ("the same of a plugin that is not ours", LIST | {"plugins": [PLUGIN, {"type": "tuning", "capabilities": {"mac": 1}}]},
     "plugins[1].capabilities.mac"),
    ("an ipam that is not ours", LIST | {"plugins": [PLUGIN, {"type": "bridge", "ipam": []}]}, "plugins[1].ipam"),
]  # fmt: skip
ALONES: list[tuple[str, Any, str | None]] = [
    ("good", ALONE, None),
    ("cniVersion null", ALONE | {"cniVersion": None}, None),
    ("cniVersion empty", ALONE | {"cniVersion": ""}, None),
    ("no type", without(ALONE, "type"), ""),
    ("type null", ALONE | {"type": None}, ""),
    ("nameservers", ALONE | {"dns": {"nameservers": "10.0.0.1"}}, "dns.nameservers"),
    ("a list in it", LIST, ""),
]


def judge(tmp_path: Path, name: str, document: Any) -> list[tuple[str, str]]:
    (tmp_path / name).write_text(json.dumps(document))
    return [(f.path, f.rule) for f in validate.run(str(tmp_path / name)) if f.severity == "error"]


@pytest.mark.parametrize(("document", "path"), [row[1:] for row in LISTS], ids=[row[0] for row in LISTS])
def test_a_list_is_refused_where_libcni_refuses_it(tmp_path: Path, document: Any, path: str | None) -> None:
    found = judge(tmp_path, "x.conflist", document)

    assert (path is None) == (found == []), found
    assert path is None or path in {where for where, _ in found}


@pytest.mark.parametrize(("document", "path"), [row[1:] for row in LISTS], ids=[row[0] for row in LISTS])
def test_libcnis_own_rules_need_no_schema(document: Any, path: str | None) -> None:
    """The schema knows them too, for editors, but only in our spelling and of our plugins."""
    found = [f.path for f in libcni.refusals(document, as_list=True)]

    if document.get("plugins") == [] or "plugins" not in document:
        assert found == []  # judge() says so, when it has looked for files beside the list's
    else:
        assert (path is None) == (found == [])
        assert path is None or [where.lower() for where in found] == [path.lower()]


@pytest.mark.parametrize(("document", "path"), [row[1:] for row in ALONES], ids=[row[0] for row in ALONES])
@pytest.mark.parametrize("suffix", ["conf", "json"])
def test_a_single_plugin_too(tmp_path: Path, document: Any, path: str | None, suffix: str) -> None:
    found = judge(tmp_path, f"x.{suffix}", document)

    assert (path is None) == (found == []), found
    assert path is None or path in {where for where, _ in found}


def test_the_ending_decides_what_it_is(tmp_path: Path) -> None:
    assert 'wants a file that ends in ".conf"' in judge(tmp_path, "x.conflist", ALONE)[0][1]
    assert 'wants a file that ends in ".conflist"' in judge(tmp_path, "x.conf", LIST)[0][1]
    assert judge(tmp_path, "x.txt", ALONE) == judge(tmp_path, "x.txt", LIST) == []


@pytest.mark.parametrize(("versions", "version"), [
    # conf_test.go: "merges cniVersions and cniVersion", "handles an empty cniVersions array", "picks the highest", ...
    ({"cniVersion": "1.0.0", "cniVersions": ["0.1.0", "0.4.0"]}, "1.0.0"), ({"cniVersions": ["0.1.0", "1.0.0", "0.4.0"]}, "1.0.0"),
    ({"cniVersions": []}, ""), ({"cniVersions": ["0.3.1", "99.0.0"]}, "0.3.1"), ({"cniVersions": ["0.10.0", "0.9.0"]}, "0.10.0"),
    ({"cniVersion": "0.4.0"}, "0.4.0"), ({"cniVersion": "0.4.0", "cniVersions": ["1.1.0"]}, "1.1.0"), ({}, ""),
])  # fmt: skip
def test_the_plugins_get_the_newest_version_that_libcni_knows(versions: Json, version: str) -> None:
    conf = LIST | {"cniVersion": None} | versions

    assert libcni.version_of({key: value for key, value in conf.items() if value is not None}) == version
    (plugin,) = validate.plugins({key: value for key, value in conf.items() if value is not None})
    assert plugin.conf.get("cniVersion", "") == version


def test_plugins_beside_the_list_are_its_own(tmp_path: Path) -> None:
    """NetworkPluginConfsFromFiles: a directory with the network's name."""
    (tmp_path / "n").mkdir()
    (tmp_path / "n" / "10.conf").write_text(json.dumps({"type": "sriov", "master": "x", "vlan": 5000}))
    (tmp_path / "n" / "20.conflist").write_text("no plugin")

    for document in (LIST, without(LIST, "plugins")):
        assert [path for path, _ in judge(tmp_path, "x.conflist", document)] == [
            "n/10.conf.vlan",
            "n/10.conf",
        ]
    assert judge(tmp_path, "x.conflist", LIST | {"loadOnlyInlinedPlugins": "true"}) == []


@pytest.mark.parametrize(("document", "words"), [
    (LIST | {"disableCheck": "true"}, ["disableCheck: is a string: libcni before 1.2 refuses it"]),
    (LIST | {"disableCheck": True}, []),
    (LIST | {"cniVersions": ["1.1.0"]}, ["cniVersions: libcni before 1.2 does not know it and takes cniVersion, not 1.1.0"]),
    (LIST | {"cniVersions": ["0.4.0"]}, []),
])  # fmt: skip
def test_what_an_older_libcni_reads_otherwise_is_a_warning(document: Json, words: list[str]) -> None:
    """git tags v1.1.2, v1.2.0 and v1.3.0 of libcni/conf.go."""
    found = [f for f in validate.judge(document) if f.severity != "note"]

    assert [f"{f.path}: {f.rule}" for f in found] == words
    assert {f.severity for f in found} <= {"warning"}


def of_standard_input(path: str) -> str:
    with open(path, encoding="utf-8") as stream:
        return libcni.text_in(stream, path)


@pytest.mark.parametrize("read", [libcni.text_of, libcni.text_of_entry, of_standard_input])
def test_what_has_no_end_is_not_read_to_it(tmp_path: Path, read: Callable[[str], str]) -> None:
    """/dev/zero, or an image with a configuration's suffix: it would take all of the machine's memory."""
    path = tmp_path / "big.conf"
    path.touch()
    os.truncate(path, (8 << 20) + 1)
    with pytest.raises(InputOutput, match=r"big\.conf: longer than 8388608 bytes"):
        read(str(path))

    os.truncate(path, 8 << 20)
    assert len(read(str(path))) == 8 << 20
