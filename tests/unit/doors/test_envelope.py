"""The form of a call: ADD and STATUS refuse it, DEL, CHECK and GC of what is recorded go through and say what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.conf import hostsubnet, netconf
from cni_sriov.doors import cni
from cni_sriov.wire import cni as wire
from cni_sriov.words import jsontext
from cni_sriov.words.errors import BadJson, InputOutput
from tests.world import Reply, World

POD = "/run/netns/pod1"
ENV = {"CNI_CONTAINERID": "c1", "CNI_NETNS": POD, "CNI_IFNAME": "net1", "CNI_PATH": "/opt/cni/bin"}


def call(
    world: World, verb: str, stdin: str | dict[str, Any], door: str = "sriov", **variables: str
) -> Reply:
    said: list[str] = []

    def write(fd: int, text: str) -> None:
        if fd == 1:
            said.append(text)

    text = stdin if isinstance(stdin, str) else json.dumps(stdin)
    env = ENV | {"CNI_COMMAND": verb} | variables
    return Reply(cni.main(env, lambda: text, write, world._host, door), "".join(said))  # noqa: SLF001


def conf_of(world: World, door: str, **keys: Any) -> dict[str, Any]:
    if door == "host-subnet":
        keys = {"type": "bridge", "master": None} | keys
    return world.conf(**({"ipam": world.ipam()} | keys))


def warnings(world: World) -> str:
    lines = world.log_file.read_text().splitlines() if world.log_file.exists() else []
    return "\n".join(line for line in lines if "level=warning" in line)


@pytest.fixture
def node(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Where a conf names no directory, it is one of the world's all the same, and not the one that ADD used."""
    monkeypatch.setitem(netconf.SRIOV.defaults, "stateDir", str(world.root / "default-state"))
    monkeypatch.setitem(hostsubnet.PLACE.defaults, "dataDir", str(world.root / "default-data"))
    return world


# a conf that was changed since ADD -----------------------------------------------------------------------------------


def to(**keys: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda conf: conf.update(keys)


def without(key: str) -> Callable[[dict[str, Any]], Any]:
    return lambda conf: conf.pop(key, None)


def in_ipam(**keys: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda conf: conf["ipam"].update(keys)


NAMES = ("", "../x", "a b", "x" * 300, None, 7, ["fast"])
VERSIONS: tuple[Any, ...] = ("", None, "9.9.9", "1.2.0", "x", 1, ["1.0.0"], {}, "0.2.0")
IPAMS: tuple[Any, ...] = (
    None,
    "x",
    [],
    7,
    {},
    {"type": 7},
    {"type": "host-subnet"},
    {"type": "host-subnet", "dataDir": "x"},
)
CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    **{f"no {key}": without(key) for key in ("name", "cniVersion", "type", "master", "ipam", "stateDir")},
    **{f"name {name!r:.20}": to(name=name) for name in NAMES},
    **{f"cniVersion {version!r}": to(cniVersion=version) for version in VERSIONS},
    **{f"ipam {ipam!r}": to(ipam=ipam) for ipam in IPAMS},
    **{f"{key} of a bad type": to(**{key: [7]}) for key in netconf.SRIOV.keys},
    "another name": to(name="other"),
    "a foreign type": to(type="macvlan"),
    "another master": to(master="gone0"),
    "a bad deviceID": to(deviceID="nonsense"),
    "two devices": to(deviceID="0000:01:10.2", pf={"names": []}),
    "other pools": in_ipam(pools=[{"subnet": "10.99.0.0/16", "prefixLength": 28}]),
    "bad pools": in_ipam(pools=7),
    "another dataDir": lambda conf: conf["ipam"].update(dataDir=conf["ipam"]["dataDir"] + "2"),
    "another scope": in_ipam(scope="other"),
    "a bad scope": in_ipam(scope="../x"),
    "a stateDir that cannot be made": to(stateDir="/proc/nowhere/state"),
    "another stateDir": lambda conf: conf.update(stateDir=conf["stateDir"] + "2"),
    "runtimeConfig of bad types": to(runtimeConfig={"mac": 7, "deviceID": [], "ips": "x"}),
    "args of bad types": to(args={"cni": 7}),
    "prevResult of a later version": to(prevResult={"cniVersion": "9.9.9", "ips": [1]}),
    "prevResult of bad types": to(prevResult={"ips": {"a": 1}, "interfaces": 7, "dns": []}),
    "everything gone": lambda conf: conf.clear(),
}


def changed(conf: dict[str, Any], what: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(conf))
    CHANGES[what](made)
    return made


@pytest.mark.parametrize("door", ["sriov", "host-subnet"])
@pytest.mark.parametrize("what", CHANGES)
def test_delete_gives_back_what_is_recorded_whatever_became_of_the_conf(
    node: World, what: str, door: str
) -> None:
    conf, before = conf_of(node, door), node.snapshot()
    if door == "host-subnet" and what == "no master":
        conf["master"] = "eth0"
    assert call(node, "ADD", conf, door).code == 0
    assert node.snapshot() != before

    deleted = call(node, "DEL", changed(conf, what), door)

    assert (deleted.exit_code, deleted.document) == (0, {}), deleted.text
    assert node.snapshot() == before
    if "cannot be made" not in what:  # then nobody can tell whether there was anything
        assert call(node, "DEL", changed(conf, what), door).exit_code == 0


REFUSED_VERSIONS = {
    "cniVersion ''",
    "cniVersion None",
    "no cniVersion",
    "cniVersion '0.2.0'",
    "everything gone",
}


@pytest.mark.parametrize("what", CHANGES)
def test_check_of_a_living_attachment_does_not_fail_for_the_confs_form(node: World, what: str) -> None:
    """It fails for a version that has no CHECK, and it names a PF or MTU that is not as the conf says, as ever."""
    conf = conf_of(node, "sriov")
    assert call(node, "ADD", conf).code == 0

    checked = call(node, "CHECK", changed(conf, what))

    assert checked.code == (1 if what in REFUSED_VERSIONS else 0), checked.text
    assert call(node, "CHECK", conf).code == 0


@pytest.mark.parametrize("door", ["sriov", "host-subnet"])
@pytest.mark.parametrize("what", ["cniVersion '9.9.9'", "cniVersion 1", "cniVersion {}"])
def test_an_error_can_be_read_whatever_version_was_asked_for(node: World, what: str, door: str) -> None:
    """libcni does not look at an error's cniVersion; ours is then the newest we speak."""
    refused = call(node, "ADD", changed(conf_of(node, door), what), door)
    assert (refused.exit_code, refused.code, refused.document["cniVersion"]) == (1, 1, "1.1.0")


@pytest.mark.parametrize("door", ["sriov", "host-subnet"])
@pytest.mark.parametrize(("version", "spoken"), [("0.3.1", "0.3.1"), ("", "0.1.0"), ("0.4.0", "0.4.0")])
def test_an_error_of_the_form_speaks_the_confs_version_too(
    node: World, version: str, spoken: str, door: str
) -> None:
    conf = conf_of(node, door, cniVersion=version)
    refused = [
        call(node, "ADD", conf | {"name": "a b"}, door),
        call(node, "ADD", conf, door, CNI_ARGS="X=1"),
        call(node, "ADD", conf, door, CNI_IFNAME="a/b"),
        call(node, "ADD", json.dumps(conf) + "}", door),
    ]
    assert [(reply.code, reply.document["cniVersion"]) for reply in refused] == [
        (code, spoken) for code in (7, 4, 4, 6)
    ]


def test_what_was_wrong_is_in_the_log(node: World) -> None:
    conf = conf_of(node, "sriov")
    assert call(node, "ADD", conf).code == 0
    call(node, "DEL", conf | {"name": "a b", "cniVersion": "9.9.9"}, CNI_ARGS="X=1;Y")
    told = warnings(node)
    assert all(part in told for part in ("a b", "9.9.9", "unknown key X", "Y"))


# text that is not quite JSON -----------------------------------------------------------------------------------------

DAMAGED: dict[str, Callable[[str], str]] = {
    "a key twice": lambda text: '{"vlan": 1, ' + text[1:-1] + ', "vlan": 7}',
    "a byte order mark": lambda text: "\ufeff" + text,
    "something behind it": lambda text: text + "}\0\n",
    "a bare control character": lambda text: text[:-1] + ', "x": "a\tb"}',
}
RUINED: dict[str, Callable[[str], str]] = {
    "nothing": lambda _: "",
    "half of it": lambda text: text[:-3],
    "a list": lambda _: "[1]",
    "null": lambda _: "null",
    "noise": lambda _: "\udcff\x00{",
    "NaN": lambda text: text[:-1] + ', "x": NaN}',
    "a number out of range": lambda text: text[:-1] + ', "x": 1e999}',
    "too deep": lambda _: "[" * 5000,
}


@pytest.mark.parametrize("door", ["sriov", "host-subnet"])
@pytest.mark.parametrize("damage", [*DAMAGED, *RUINED])
def test_json_that_is_damaged_fails_add_and_not_the_delete(
    node: World, damage: str, door: str, capfd: pytest.CaptureFixture[str]
) -> None:
    conf, before = conf_of(node, door), node.snapshot()
    text = (DAMAGED | RUINED)[damage](json.dumps(conf))
    refused = call(node, "ADD", text, door)
    assert (refused.exit_code, refused.code, node.snapshot()) == (1, 6, before)
    assert call(node, "ADD", conf, door).code == 0

    checked = call(node, "CHECK", text, door)
    deleted = call(node, "DEL", text, door)

    assert checked.code == (0 if damage in DAMAGED else 6), checked.text
    assert (deleted.exit_code, node.snapshot()) == (0, before), deleted.text
    again = call(node, "DEL", text, door)  # nothing is there, and nobody can tell what was meant
    assert again.code == (0 if damage in DAMAGED else 6), again.text
    assert "parse JSON" in warnings(node) + capfd.readouterr().err  # without a conf there is no log file


def test_of_a_key_that_is_given_twice_the_last_one_counts() -> None:
    """As in Go's encoding/json."""
    assert jsontext.salvage('{"a": 1, "b": {"c": 1, "c": 2}, "a": 3}') == {"a": 3, "b": {"c": 2}}
    with pytest.raises(BadJson):
        jsontext.salvage("[1]")


def test_gc_takes_the_last_list(node: World) -> None:
    conf = conf_of(node, "sriov", cniVersion="1.1.0")
    assert call(node, "ADD", conf).code == 0
    alive = '"cni.dev/valid-attachments": [{"containerID": "c1", "ifname": "net1"}]'
    text = json.dumps(conf)[:-1] + ', "cni.dev/valid-attachments": [], ' + alive + "}"
    assert call(node, "GC", text).code == 0
    assert call(node, "CHECK", conf).code == 0


@pytest.mark.parametrize("name", ["", None, 7, "a b"])
def test_gc_of_no_network_is_refused(node: World, name: Any) -> None:
    conf = conf_of(node, "sriov", cniVersion="1.1.0") | {"cni.dev/valid-attachments": []}
    assert call(node, "ADD", conf).code == 0
    assert call(node, "GC", conf | {"name": name}).code == 7
    assert call(node, "CHECK", conf).code == 0


# environment ---------------------------------------------------------------------------------------------------------

BAD_ARGS = {
    **dict.fromkeys(["A", "X=1", "=x", "IgnoreUnknown=0;X=1", "IgnoreUnknown=1;X=1;IgnoreUnknown=no", ";;A;;"], 4),
    "IP=y": 7,
}  # fmt: skip


@pytest.mark.parametrize("door", ["sriov", "host-subnet"])
@pytest.mark.parametrize(("args", "code"), BAD_ARGS.items())
def test_cni_args_that_add_refuses_stop_nothing_else(node: World, args: str, code: int, door: str) -> None:
    conf, before = conf_of(node, door, cniVersion="1.1.0"), node.snapshot()
    assert call(node, "ADD", conf, door, CNI_ARGS=args).code == code
    assert call(node, "ADD", conf, door).code == 0
    keep = conf | {"cni.dev/valid-attachments": [{"containerID": "c1", "ifname": "net1"}]}
    assert [call(node, verb, keep, door, CNI_ARGS=args).code for verb in ("CHECK", "GC", "DEL")] == [0, 0, 0]
    assert node.snapshot() == before


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ("MAC=a;MAC=b", {"MAC": "b"}),
        ("MAC=a;MAC=", {"MAC": ""}),
        ("K8S_POD_NAME=a=b=c", {"K8S_POD_NAME": "a=b=c"}),
        (";IP=1;;", {"IP": "1"}),
        ("IgnoreUnknown=TRUE;mac=x", {"IgnoreUnknown": "TRUE", "mac": "x"}),
        ("X=1;IgnoreUnknown=0;IgnoreUnknown=1", {"X": "1", "IgnoreUnknown": "1"}),
        ("IgnoreUnknown=1;=x", {"IgnoreUnknown": "1", "": "x"}),
    ],
)
def test_cni_args_are_read_as_load_args_does(text: str, args: dict[str, str]) -> None:
    """containernetworking/cni, pkg/types/args.go, 3f51e88: the last one counts, IgnoreUnknown in any case, names as
    they are. Beyond it: an empty pair is none, and a value may have a "=" in it, as Multus lets it pass.
    """
    assert wire.parse_args(text) == args


def test_of_two_values_the_last_one_acts_through_both_doors(node: World) -> None:
    asked = "IP=10.10.7.5;MAC=02:00:00:00:aa:01;MAC=02:00:00:00:aa:02;IP=10.10.8.5"
    added = call(node, "ADD", conf_of(node, "sriov"), CNI_ARGS=asked).document
    assert added["ips"][0]["address"] == "10.10.8.5/24"
    assert added["interfaces"][0]["mac"] == "02:00:00:00:aa:02"
    under = conf_of(node, "host-subnet")
    added = call(
        node, "ADD", under, "host-subnet", CNI_CONTAINERID="c2", CNI_ARGS="IP=10.10.7.5;IP=10.10.9.5"
    ).document
    assert added["ips"][0]["address"] == "10.10.9.5/24"


@pytest.mark.parametrize(
    "names", [{"CNI_CONTAINERID": "x" * 201}, {"CNI_IFNAME": "eth%d"}, {"CNI_IFNAME": "a\x01b"}]
)
def test_delete_after_an_add_that_only_we_refuse_is_success(node: World, names: dict[str, str]) -> None:
    """skel lets these names pass (pkg/utils/utils.go), so that a runtime would repeat its DEL for ever."""
    for door in ("sriov", "host-subnet"):
        conf = conf_of(node, door)
        assert [call(node, verb, conf, door, **names).code for verb in ("ADD", "CHECK", "DEL")] == [4, 4, 0]


@pytest.mark.parametrize(
    "names", [{"CNI_CONTAINERID": "../x"}, {"CNI_IFNAME": "a/b"}, {"CNI_IFNAME": "x" * 16}]
)
def test_delete_of_what_nobody_could_add_is_code_4(node: World, names: dict[str, str]) -> None:
    assert call(node, "DEL", conf_of(node, "sriov"), **names).code == 4


@pytest.mark.parametrize(("length", "code"), [(200, 0), (201, 7)])
def test_a_network_name_may_have_200_characters_and_the_error_says_so(
    node: World, length: int, code: int
) -> None:
    reply = call(node, "ADD", conf_of(node, "sriov", name="x" * length))
    assert reply.code == code
    assert not code or ("201 characters" in reply.text and "200" in reply.text)


# prevResult ----------------------------------------------------------------------------------------------------------

OLD = {
    "cniVersion": "0.2.0",
    "ip4": {"ip": "192.0.2.9/24", "gateway": "192.0.2.1", "routes": [{"dst": "192.0.3.0/24"}]},
    "ip6": {"ip": "2001:db8::9/64", "routes": [{"dst": "2001:db8:1::/64", "gw": "2001:db8::1"}]},
    "dns": {"domain": "prev"},
}
NEW = {
    "cniVersion": "1.1.0",
    "interfaces": [{"name": "eth0", "mac": "02:00:00:00:00:99", "sandbox": POD, "mtu": 1400, "pciID": "0000:05:00.0"}],
    "ips": [{"address": "192.0.2.9/24", "gateway": "192.0.2.1", "interface": 0}],
    "routes": [{"dst": "192.0.3.0/24", "scope": 253}],
    "dns": {"domain": "prev"},
}  # fmt: skip


@pytest.mark.parametrize("version", ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
@pytest.mark.parametrize("told", ["0.1.0", "0.2.0", None, "mislabelled"])
def test_an_old_result_is_passed_on_in_the_form_of_the_conf(
    node: World, version: str, told: str | None
) -> None:
    prev = OLD | {"cniVersion": version if told == "mislabelled" else told}
    added = call(node, "ADD", conf_of(node, "sriov", cniVersion=version, prevResult=prev)).document

    first, second, ours = added["ips"]
    kinds = [] if version >= "1.0.0" else ["4", "6", "4"]
    assert [ip["version"] for ip in added["ips"] if "version" in ip] == kinds
    assert (first["address"], first["gateway"], second["address"]) == (
        "192.0.2.9/24",
        "192.0.2.1",
        "2001:db8::9/64",
    )
    assert (ours["address"], ours["interface"]) == ("10.10.0.2/24", 0)
    assert added["routes"] == OLD["ip4"]["routes"] + OLD["ip6"]["routes"]  # type: ignore[index]
    assert added["dns"] == {"domain": "prev"}


@pytest.mark.parametrize("version", ["0.3.1", "0.4.0", "1.0.0", "1.1.0"])
def test_a_newer_result_is_passed_on_in_the_form_of_the_conf(node: World, version: str) -> None:
    """types/100 convertTo04x: no mtu, pciID and socketPath, and each address tells its version."""
    added = call(node, "ADD", conf_of(node, "sriov", cniVersion=version, prevResult=NEW)).document
    new = version >= "1.0.0"
    assert set(added["interfaces"][0]) == {"name", "mac", "sandbox"} | ({"mtu", "pciID"} if new else set())
    assert [ip.get("version") for ip in added["ips"]] == [None if new else "4"] * 2
    assert [ip["interface"] for ip in added["ips"]] == [0, 1]


def test_below_0_3_0_one_address_of_each_family_is_passed_on(node: World) -> None:
    """types/040 convertTo02x. Two of a family have no room there: refused, where the library drops one."""
    keys = {"cniVersion": "0.2.0", "prevResult": OLD}
    before = node.snapshot()
    assert call(node, "ADD", conf_of(node, "sriov", **keys)).code == 1
    two = NEW | {"ips": [{"address": "192.0.2.9/24"}, {"address": "192.0.2.10/24"}]}
    conf = node.conf(**(keys | {"prevResult": two}))
    assert call(node, "ADD", conf).code == 1
    assert node.snapshot() == before

    added = call(node, "ADD", node.conf(**keys)).document
    assert (added["ip4"], added["ip6"], added["dns"]) == (OLD["ip4"], OLD["ip6"], OLD["dns"])
    call(node, "DEL", conf)
    added = call(node, "ADD", node.conf(**(keys | {"prevResult": NEW}))).document
    assert added["ip4"] == {"ip": "192.0.2.9/24", "gateway": "192.0.2.1", "routes": NEW["routes"]}


@pytest.mark.parametrize("version", ["0.4.0", "1.1.0"])
@pytest.mark.parametrize("none", [None, "", {}])
def test_no_result_is_none(node: World, none: Any, version: str) -> None:
    conf = conf_of(node, "sriov", cniVersion=version) | {"prevResult": none}
    assert [call(node, verb, conf).code for verb in ("ADD", "CHECK", "DEL")] == [0, 0, 0]


@pytest.mark.parametrize(
    ("prev", "code"),
    [
        ([], 7), ("x", 7), (7, 7), ({"ips": "x"}, 7), ({"ips": [1]}, 7), ({"ips": [{"address": 7}]}, 7), ({"routes": {"a": 1}}, 7),
        ({"interfaces": [None]}, 7), ({"dns": "x"}, 7), ({"ip4": [1]}, 7), ({"ip4": {"ip": 7}}, 7), ({"ip6": {"ip": "::1/64", "routes": 7}}, 7),
        *(({key: none}, 7) for key in ("ips", "interfaces", "routes", "dns", "ip4") for none in (False, 0, "")),
        ({"cniVersion": "9.9.9", "ips": []}, 1), ({"cniVersion": 7, "ips": []}, 1), ({"cniVersion": ["1.0.0"]}, 1),
    ],
)  # fmt: skip
def test_a_result_that_cannot_be_passed_on_is_refused_and_stops_neither_check_nor_delete(
    node: World, prev: Any, code: int
) -> None:
    conf, before = conf_of(node, "sriov"), node.snapshot()
    spoiled = conf | {"prevResult": prev}
    assert (call(node, "ADD", spoiled).code, node.snapshot()) == (code, before)
    assert call(node, "ADD", conf).code == 0
    assert [call(node, verb, spoiled).code for verb in ("CHECK", "DEL")] == [0, 0]
    assert node.snapshot() == before


def test_a_result_is_read_in_any_case_as_the_conf_is(node: World) -> None:
    told = {
        "CNIVersion": "0.2.0",
        "IP4": {"IP": "10.1.0.5/24", "Gateway": None, "Routes": [{"Dst": "10.2.0.0/16"}]},
    }
    added = call(node, "ADD", node.conf(prevResult=told))
    assert added.document["ips"] == [{"address": "10.1.0.5/24"}], added.text
    assert added.document["routes"] == [{"dst": "10.2.0.0/16"}]
    assert call(node, "DEL", node.conf()).code == 0

    twice = {"ips": [{"address": "10.1.0.5/24"}], "IPs": [{"address": "10.1.0.6/24"}]}
    assert call(node, "ADD", node.conf(prevResult=twice)).code == 7


def test_check_compares_an_old_result_too(node: World) -> None:
    conf = conf_of(node, "sriov", cniVersion="0.4.0")
    added = call(node, "ADD", conf).document
    ours = {"cniVersion": "0.2.0", "ip4": {"ip": added["ips"][0]["address"], "routes": []}}
    assert call(node, "CHECK", conf | {"prevResult": ours}).code == 0
    lost = {"cniVersion": "0.2.0", "ip4": ours["ip4"] | {"routes": [{"dst": "198.51.100.0/24"}]}}  # type: ignore[operator]
    assert call(node, "CHECK", conf | {"prevResult": lost}).code == 107


# a conf made to hurt -------------------------------------------------------------------------------------------------


def test_a_key_given_twice_among_many_is_named() -> None:
    keys = ", ".join(f'"k{n}": 0' for n in range(1000))
    with pytest.raises(BadJson, match="k999"):
        jsontext.parse("{" + keys + ', "k999": 0}')


@pytest.mark.parametrize("kind", ["list", "object", "two spellings"])
def test_a_deep_conf_stops_no_delete_whatever_ipam_it_has(node: World, tmp_path: Path, kind: str) -> None:
    """Near Python's own limit it could be read, and then neither compared nor written again."""
    made, before = another_ipam(node, tmp_path), node.snapshot()
    conf = conf_of(node, "sriov", ipam={"type": "other-ipam"}, logLevel="none")
    for levels in (199, 200, 201, 500, *range(860, 1000, 4)):
        value = "[" * levels + "]" * levels
        deep = {
            "list": f'"x": {value}',
            "object": '"x": ' + '{"a":' * levels + "1" + "}" * levels,
            "two spellings": f'"Dns": {value}, "DNS": {value}',
        }
        assert call(node, "ADD", conf, CNI_PATH=node.cni_path).code == 0

        deleted = call(node, "DEL", json.dumps(conf)[:-1] + f", {deep[kind]}}}", CNI_PATH=node.cni_path)

        assert (deleted.text, made[-1], node.snapshot()) == (" | ", "DEL", before), levels


def another_ipam(node: World, tmp_path: Path) -> list[str]:
    made: list[str] = []

    def run(_: str, env: dict[str, str], stdin: str) -> tuple[int, str]:
        made.append(env["CNI_COMMAND"])
        assert json.loads(stdin)["ipam"]["type"] == "other-ipam"
        return 0, '{"cniVersion": "1.0.0", "ips": [{"address": "10.1.0.5/24"}]}' if made[-1] == "ADD" else ""

    (tmp_path / "other-ipam").touch(0o755)
    node.plugins, node.cni_path = run, str(tmp_path)
    return made


@pytest.mark.parametrize("kind", [7, [], {}, ["x"], ""])
def test_gc_is_not_stopped_by_an_ipam_that_is_none(node: World, kind: Any) -> None:
    conf = conf_of(node, "sriov", cniVersion="1.1.0")
    before = node.snapshot()
    assert call(node, "ADD", conf).code == 0

    gone = conf | {"ipam": {"type": kind}, "cni.dev/valid-attachments": []}

    assert call(node, "GC", gone, CNI_CONTAINERID="", CNI_IFNAME="").code == 0
    assert node.snapshot() == before


def test_check_after_a_move_to_a_host_subnet_that_is_spoiled(node: World, tmp_path: Path) -> None:
    another_ipam(node, tmp_path)
    conf = conf_of(node, "sriov", ipam={"type": "other-ipam"})
    assert call(node, "ADD", conf, CNI_PATH=node.cni_path).code == 0

    spoiled = conf | {"ipam": {"type": "host-subnet", "scope": 5}}

    assert call(node, "CHECK", spoiled, CNI_PATH=node.cni_path).text == " | "
    assert "scope 5" in warnings(node)


@pytest.mark.parametrize("door", ["sriov", "host-subnet"])
def test_a_delete_whose_standard_input_cannot_be_read_goes_by_what_is_recorded(
    node: World, door: str
) -> None:
    before = node.snapshot()
    assert call(node, "ADD", conf_of(node, door), door).code == 0

    def unreadable() -> str:
        raise InputOutput("read standard input: longer than 8388608 bytes")

    said: list[str] = []

    def delete() -> int:
        env = ENV | {"CNI_COMMAND": "DEL"}
        return cni.main(env, unreadable, lambda _, text: said.append(text), node._host, door)  # noqa: SLF001

    assert (delete(), node.snapshot()) == (0, before), said
    assert delete() == 1  # nothing is recorded any more, and nobody can tell what was meant
    assert json.loads(said[-1])["code"] == 5


def test_infinity_in_disguise_is_code_6_and_not_a_bug_after_all_is_done(one_vf: World) -> None:
    prev = '{"interfaces": [{"name": "br0", "x": 1e999}]}'
    text = json.dumps(one_vf.conf())[:-1] + f', "prevResult": {prev}}}'

    reply = one_vf.call("ADD", text)

    assert (reply.code, one_vf.files()) == (6, []), reply.text
