"""The pages say what the code does: keys, codes, JSON, links, make targets; and every command block says where it runs."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from cni_sriov.conf import cluster, hostfile, hostsubnet, netconf
from cni_sriov.decide import subnets
from cni_sriov.words.errors import CODES
from tests.pages import (
    COMMANDS,
    ROOT,
    Block,
    blocks,
    commands,
    fits,
    pages,
    prose,
    table_rows,
    text_of,
    wrong,
)
from tests.world import World

CONFIGURATION = "docs/configuration.md"
PROVISIONING = "docs/provisioning.md"
HOST = "json: host"
CLUSTER = "json: cluster"
RUNS = {
    "runs: here",
    "runs: etcd",
    "runs: lab",
    "runs: lab host",
    "runs: lab containerd",
    "runs: lab containerd 1",
    "runs: lab containerd 1 full",
    "runs: lab containerd 2",
    "runs: lab podman 4",
    "runs: lab podman 5",
    "runs: lab packages",
    "runs: lab packages image",
    "runs: lab kubernetes",
    "runs: lab kubernetes daemonset",
    "runs: lab kubernetes shared",
}
BASE = {"cniVersion": "1.0.0", "name": "net", "type": "sriov", "master": "enp1s0f0"}
LANGUAGES = {*COMMANDS, "json", "yaml", "text"}
SECTIONS = ["Context", "Decision", "Alternatives", "Consequences", "Numbers"]
JSON_BLOCKS = [block for page in pages() for block in blocks(page) if block.language == "json"]
COMMAND_BLOCKS = [block for page in pages() for block in blocks(page) if block.language in COMMANDS]


def by_place(blocks: list[Block]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", blocks, ids=[block.place for block in blocks])


def properties(name: str) -> set[str]:
    """The keys of one object in the schema, which test_schema.py holds against the parser."""
    schema: dict[str, Any] = json.loads((ROOT / "conf" / "netconf.schema.json").read_text())["$defs"]
    return set(schema[name]["properties"])


def known_keys() -> set[str]:
    schema: dict[str, Any] = json.loads((ROOT / "conf" / "netconf.schema.json").read_text())["$defs"]
    ours = schema["sriov"]["properties"]
    keys = set(netconf.SRIOV.keys) | {"cniVersion", "name", "type"}
    keys |= {f"pf.{key}" for key in netconf.PF.keys}
    keys |= {f"hugepages.{key}" for key in ours["hugepages"]["properties"]}
    keys |= {f"{part}.{key}" for part in ("vpp", "dpdk") for key in properties(part)}
    keys |= {f"vpp.tap.{key}" for key in schema["vpp"]["properties"]["tap"]["properties"]}
    keys |= {f"ipam.{key}" for key in properties("hostSubnet")}
    keys |= {f"ipam.dns.{key}" for key in schema["dns"]["properties"]}
    keys |= {f"ipam.pools[].{key}" for key in properties("pool")}
    keys |= {f"ipam.pools[].blocks.{key}" for key in schema["pool"]["properties"]["blocks"]["properties"]}
    keys |= {f"ipam.routes[].{key}" for key in properties("route")}
    keys |= {f"runtimeConfig.{key}" for key in ours["runtimeConfig"]["properties"]}
    keys |= {f"args.cni.{key}" for key in ours["args"]["properties"]["cni"]["properties"]}
    return keys


def documented_keys(page: str, title: str = "key") -> list[str]:
    """Of every table whose first column is called so."""
    found, in_table = [], False
    for line in text_of(page).splitlines():
        if not line.startswith("|"):
            in_table = False
        elif line.startswith(f"| {title} |"):
            in_table = True
        elif in_table and not line.startswith("|---"):
            found += re.findall(r"`([^`]+)`", line.split("|")[1])
    return found


def test_every_key_has_one_line_in_the_configuration_page_and_no_other_has() -> None:
    documented = documented_keys(CONFIGURATION)

    assert set(documented) == known_keys()
    assert len(documented) == len(set(documented))


def test_every_key_of_the_hosts_file_has_one_line_with_its_default() -> None:
    schema = json.loads((ROOT / "conf" / "host.schema.json").read_text())
    known = {"": schema} | {where: schema["$defs"][name] for where, name in HOST_TABLES.items()}
    keys = {where + key: rule for where, part in known.items() for key, rule in part["properties"].items()}
    documented = documented_keys(PROVISIONING)
    defaults = {row[0].strip("`"): row[2].strip("`") for row in table_rows(PROVISIONING) if len(row) == 4}

    assert (sorted(documented), len(documented)) == (sorted(keys), len(set(documented)))
    for where, part in known.items():
        for key in part["properties"]:
            assert (defaults[where + key] == "required") is (key in part.get("required", []))
    told = {key: json.dumps(rule["default"]) for key, rule in keys.items() if "default" in rule}
    assert told.items() <= defaults.items()


def test_every_key_of_a_clusters_file_has_one_line_with_its_default() -> None:
    defs = json.loads((ROOT / "conf" / "cluster.schema.json").read_text())["$defs"]
    keys = defs["etcd"]["properties"] | defs["kubernetes"]["properties"]
    documented = documented_keys(CONFIGURATION, "key of a cluster")
    rows = {row[0].strip("`"): row[2].strip("`") for row in table_rows(CONFIGURATION) if len(row) == 4}

    assert (sorted(documented), len(documented)) == (sorted(keys), len(set(documented)))
    told = {key: json.dumps(rule["default"]) for key, rule in keys.items() if "default" in rule}
    assert told.items() <= rows.items()


HOST_TABLES = {"pfs[].": "entry", "pfs[].pf.": "pf", "pfs[].vfs[].": "vfs"}


def test_the_keys_of_the_readme_are_keys() -> None:
    assert set(documented_keys("README.md")) <= known_keys()


def test_the_defaults_on_the_configuration_page_are_the_parsers() -> None:
    conf = netconf.parse(dict(BASE), {})
    ipam = hostsubnet.parse({"pools": [{"subnet": "10.0.0.0/8", "prefixLength": 24}]})
    defaults = {row[0].strip("`"): row[2].strip("`") for row in table_rows(CONFIGURATION) if len(row) == 4}

    assert {
        "pfUp": str(conf.pf_up).lower(),
        "acceptRA": str(conf.accept_ra).lower(),
        "announceWait": str(conf.announce_wait_ms),
        "verifyTimeout": str(conf.verify_timeout_ms),
        "logLevel": f'"{conf.log_level}"',
        "stateDir": conf.state_dir,
        "ipam.scope": f'"{ipam.lease_dir.scope}"',
        "ipam.dataDir": ipam.lease_dir.data_dir,
        "ipam.onlink": str(ipam.onlink).lower(),
        "ipam.sticky": str(ipam.wants_sticky).lower(),
        "ipam.allowHostOverlap": str(ipam.allow_host_overlap).lower(),
    }.items() <= defaults.items()


@pytest.mark.parametrize("said", range(4))
def test_the_dns_of_the_result_is_the_first_that_says_anything(world: World, said: int) -> None:
    """The order of the configuration page: runtimeConfig.dns, dns, the IPAM's, prevResult's."""
    dns = [{"domain": f"{n}.example"} if n >= said else {} for n in range(4)]
    runtime = {"searches": ["0.example"] if said == 0 else []}
    before = {"cniVersion": "1.0.0", "dns": dns[3]}
    conf = world.conf(
        runtimeConfig={"dns": runtime}, dns=dns[1], ipam=world.ipam(dns=dns[2]), prevResult=before
    )

    found = world.call("ADD", conf).document["dns"]

    assert found == ({"search": ["0.example"]} if said == 0 else dns[said])


def test_every_code_is_on_the_errors_page_with_its_name_and_no_other_is() -> None:
    rows = [(int(row[0]), row[1]) for row in table_rows("docs/errors.md") if row[0].isdigit()]

    assert rows == [(code, name) for code, (name, _) in sorted(CODES.items())]


@pytest.mark.parametrize("page", pages())
def test_every_relative_link_leads_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)]+)\)", prose(page))
    missing = []
    for link in links:
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        path = (ROOT / page).parent / target if target else ROOT / page
        if not path.exists() or (anchor and anchor not in anchors(path.read_text())):
            missing.append(link)
    assert missing == []


def anchors(text: str) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}


@by_place(JSON_BLOCKS)
def test_every_json_block_is_a_configuration_that_the_plugin_takes(block: Block) -> None:
    found = json.loads(block.text)
    if block.tag == HOST:
        assert hostfile.parse(found).pfs
        return
    if block.tag == CLUSTER:
        assert cluster.parse(found).engine
        return
    if block.tag == "json: ipam":
        found = BASE | {"ipam": found}
    plugins = found.get("plugins", [found])
    assert plugins
    for plugin in plugins:
        judge({key: found[key] for key in ("name", "cniVersion")} | plugin)


def judge(plugin: dict[str, Any]) -> None:
    """As ADD would; CniError if it is refused."""
    if plugin["type"] == "sriov":
        conf = netconf.parse(plugin, {})
        if conf.ipam:
            hostsubnet.parse(conf.ipam, conf.requests)
    else:
        subnets.check_main_plugin(hostsubnet.parse(plugin["ipam"]), foreign=True)


@pytest.mark.parametrize("page", pages())
def test_every_make_target_that_is_named_exists(page: str) -> None:
    spans = re.findall(r"`make ([a-z0-9-]+)(?: [A-Z]+=[^`]*)?`", prose(page))
    lines = [line for b in blocks(page) if b.language in COMMANDS for line in b.text.splitlines()]
    spans += [match[1] for line in lines if (match := re.match(r"(?:# )?make ([a-z0-9-]+)", line))]
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(spans) - targets == set()


def test_what_is_too_long_for_ci_is_listed_with_its_last_result() -> None:
    """A row of docs/testing.md for each lab-NAME of the Makefile, but for the one that runs them all: command, what, last run."""
    targets = re.findall(r"^(lab-[a-z0-9]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    rows = {row[0]: row[2] for row in table_rows("docs/testing.md") if row[0].startswith("`make lab-")}

    assert rows.keys() == {f"`make {name}`" for name in targets} - {"`make lab-all`"}
    assert [name for name, last in rows.items() if not re.match(r"20\d\d-\d\d-\d\d[,:]", last)] == []


@by_place(COMMAND_BLOCKS)
def test_every_command_block_says_where_it_runs_or_why_it_does_not(block: Block) -> None:
    elsewhere = r"not run: \S.{10,}|as in: \S+"  # what the latter means: test_readme.py
    assert block.tag in RUNS or re.fullmatch(elsewhere, block.tag), f"{block.place}: {block.tag!r}"
    assert all(command.text.strip() for command in commands(block))


def test_every_block_has_a_language() -> None:
    """Without one it would be seen neither as commands nor as something else; a picture is text."""
    bare = [block.place for page in pages() for block in blocks(page) if block.language not in LANGUAGES]

    assert bare == []


DECISIONS = sorted(path.name for path in (ROOT / "docs" / "design").glob("[0-9]*.md"))


@pytest.mark.parametrize("name", DECISIONS)
def test_every_decision_is_listed_and_has_its_five_parts(name: str) -> None:
    text = text_of(f"docs/design/{name}")

    assert text.startswith(f"# {name[:4]} ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert f"]({name})" in text_of("docs/design/README.md")


def test_what_supersedes_a_decision_is_told_by_both_and_by_the_index() -> None:
    told = {name[:4]: text_of(f"docs/design/{name}").split("## Context")[0] for name in DECISIONS}
    by_new = {(old, new) for new in told for old in re.findall(r"\d{4}", _after("Supersedes", told[new]))}
    by_old = {(old, new) for old in told for new in re.findall(r"\d{4}", _after("Superseded", told[old]))}
    index = re.findall(
        r"^\| \[(\d{4})\].*superseded by (\d{4}) \|$", text_of("docs/design/README.md"), re.MULTILINE
    )

    assert by_new
    assert by_new == by_old == set(index)


def _after(word: str, text: str) -> str:
    """Without the links' targets."""
    return re.sub(r"\([^)]*\)", "", text.partition(word)[2])


def test_the_picture_of_the_house_has_every_folder_once() -> None:
    """CONTRIBUTING.md, "Where things live": the picture, and the table below it."""
    page = "CONTRIBUTING.md"
    picture = next(block for block in blocks(page) if block.language == "text")
    rows = [row[0] for row in table_rows(page) if row[0] != "folder"]
    folders = sorted(path.parent.name for path in (ROOT / "cni_sriov").glob("*/__init__.py"))

    assert sorted(re.findall(r"\b(\w+)/", picture.text)) == folders
    assert sorted(name for row in rows for name in row.split(", ")) == folders


class TestReader:
    """The reader of command blocks itself: it must see what is wrong."""

    BLOCK = Block("page", 1, "console", "", "# one\n10.10.0.2/24 ... end\n# two\n> more\n")

    def test_commands_go_on_and_have_what_they_print(self) -> None:
        assert commands(self.BLOCK) == [("one", "10.10.0.2/24 ... end\n"), ("two\nmore", "")]

    @pytest.mark.parametrize(
        ("printed", "good"),
        [
            ("10.10.0.2/24  any\n thing end", True),
            ("10.10.0.2/24 end", True),
            ("10.10.0.2/24 end more", False),
            ("10x10.0.2/24 end", False),
        ],
    )
    def test_only_dots_stand_for_anything(self, printed: str, good: bool) -> None:
        assert fits("10.10.0.2/24 ...\nend\n", printed) is good

    @pytest.mark.parametrize(
        ("printed", "words"),
        [
            ("10.10.0.2/24 end\n@@@ 0\nx\n@@@ 0\n", None),
            ("10.10.0.3/24 end\n@@@ 0\nx\n@@@ 0\n", "`one` printed"),
            ("10.10.0.2/24 end\n@@@ 0\nx\n@@@ 3\n", "failed: x"),
            ("10.10.0.2/24 end\n@@@ 0\n", "failed"),
            ("", "`one` failed"),
        ],
    )
    def test_a_failure_and_another_output_are_seen(self, printed: str, words: str | None) -> None:
        found = wrong(self.BLOCK, printed)

        assert (found == []) if words is None else words in found[0]
