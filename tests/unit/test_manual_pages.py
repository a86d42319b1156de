"""sriov(8), host-subnet(8) and cni-sriov.conf(5) (build/manuals): nothing that doors, codes and schemas have is missing."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.words.errors import CODES
from tests.pages import ROOT
from tests.unit.test_docs import CONFIGURATION, documented_keys
from tests.unit.test_manuals import page_of

sys.path.insert(0, str(ROOT / "build" / "manuals"))
import make

CONF, PLUGINS = "man5/cni-sriov.conf.5", ["man8/sriov.8", "man8/host-subnet.8"]


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("share")
    make.make(made)
    return made


def properties(node: Any, found: set[str]) -> set[str]:
    """Names of keys in a schema, wherever they stand."""
    if isinstance(node, dict):
        for name, inner in node.items():
            found |= set(inner) if name == "properties" else set()
            properties(inner, found)
    elif isinstance(node, list):
        for inner in node:
            properties(inner, found)
    return found


def test_every_key_of_the_configuration_page_is_in_the_manual_with_its_default(share: Path) -> None:
    """That page is written by hand, and held against the parser: test_docs.py."""
    page, documented = page_of(share, CONF), documented_keys(CONFIGURATION)

    assert len(documented) > 100
    assert [key for key in documented if f".TP {key} " not in page] == []
    assert ".TP vlan VLAN tag that the PF puts on" in page
    assert ".br Value: 0-4094." in page.split(".TP vlan ")[1].split(".TP")[0]
    assert "Error 100: the PF's driver refuses it" in page.split(".TP vlan ")[1].split(".TP")[0]
    assert "Error" not in page.split(".TP pf.drivers ")[1].split(".TP")[0]
    assert ".br Value: 0-60000; by default 2000." in page.split(".TP verifyTimeout ")[1].split(".TP")[0]


@pytest.mark.parametrize("name", ["netconf", "host"])
def test_no_key_of_a_schema_is_missing(share: Path, name: str) -> None:
    schema = json.loads((ROOT / "conf" / f"{name}.schema.json").read_text())
    tags = set(re.findall(r"^\.TP (\S+) ", page_of(share, CONF), re.MULTILINE))
    last = {tag.rpartition(".")[2].removesuffix("[]") for tag in tags}

    assert properties(schema, set()) - last - {"$schema"} == set()


@pytest.mark.parametrize("name", ["10-sriov.conflist", "40-sriov-dual-stack.conflist", "host.json"])
def test_a_sample_of_the_page_is_that_of_conf(share: Path, name: str) -> None:
    page = (share / "man" / CONF).read_text().replace("\\-", "-")

    assert f"\n.nf\n{(ROOT / 'conf' / name).read_text()}.fi\n" in page


@pytest.mark.parametrize("page", PLUGINS)
def test_every_code_is_in_the_page_with_what_to_do(share: Path, page: str) -> None:
    text = page_of(share, page)

    for code, (name, _) in CODES.items():
        assert f".TP {code}, {name} " in text
    assert "for InfiniBand there is ib-sriov" in text
    assert "](" not in text
    assert ".md" not in text.replace("docs/drivers.md", "")


def test_a_page_of_errors_with_other_codes_ends_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "errors.md"
    other.write_text("| 1 | incompatible version | never | nothing |\n")
    monkeypatch.setattr(make.plugin_pages, "ERRORS", other)

    with pytest.raises(ValueError, match="has other codes"):
        make.plugin_pages.sriov()


@pytest.mark.parametrize("page", PLUGINS)
def test_verbs_and_what_they_need_are_in_the_page(share: Path, page: str) -> None:
    """SPEC 1.1.0, "Parameters" and "CNI operations"."""
    text = page_of(share, page)

    for verb, since in (
        ("ADD", "0.1.0"),
        ("DEL", "0.1.0"),
        ("CHECK", "0.4.0"),
        ("GC", "1.1.0"),
        ("STATUS", "1.1.0"),
    ):
        assert f"Since CNI {since}." in text.split(f".TP {verb} ")[1].split(".TP")[0]
    assert "Needed for ADD, CHECK, DEL" in text.split(".TP CNI_CONTAINERID ")[1].split(".TP")[0]
    assert text.split(".TP CNI_NETNS ")[1].split(".TP")[0].rstrip().endswith("Needed for ADD, CHECK")
    assert "K8S_POD_NAMESPACE" in text.split(".TP CNI_ARGS ")[1].split(".TP")[0]


def test_podmans_own_call_is_sriovs_alone(share: Path) -> None:
    assert "sriov info|create|setup|teardown" in page_of(share, PLUGINS[0])
    assert "teardown" not in page_of(share, PLUGINS[1])


def test_each_page_names_the_others(share: Path) -> None:
    names = {"sriovctl": 8, "sriov": 8, "host-subnet": 8, "cni-sriov.conf": 5}
    for name, section in names.items():
        also = page_of(share, f"man{section}/{name}.{section}").split(".SH SEE ALSO ")[1]
        assert [f"{other}({n})" for other, n in names.items() if other != name] == re.findall(
            r"(?<![\w-])(?:sriovctl|sriov|host-subnet|cni-sriov\.conf)\(\d\)", also
        )
