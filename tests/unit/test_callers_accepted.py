"""What real callers send is taken: issue 7, items 1-4, 12, 13, 15 (the doors) and its closing wishes.

Written from the issue's text and from the callers' sources, without a look at the code that answers. Cited as
repository file (version). What a caller sends is data here; none of its code is.
"""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cni_sriov import plugin
from tests.unit.ctl.tool import sriovctl
from tests.unit.test_delegation import HostLocal
from tests.world import Reply

if TYPE_CHECKING:
    from tests.fakes import FakeLink
    from tests.world import World

POD = "/run/netns/pod1"
VF = "0000:01:10.0"
MAC, MAC2 = "02:00:00:00:aa:01", "02:00:00:00:aa:02"
# each a whole CNI_ARGS as its caller builds it
MULTUS = (  # multus-cni pkg/types/conf.go newCNIRuntimeConf (v4.3.0): its own, then all of the runtime's
    "IgnoreUnknown=true;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=p;K8S_POD_INFRA_CONTAINER_ID=c1;K8S_POD_UID=u;"
    "IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=p;K8S_POD_INFRA_CONTAINER_ID=c1;K8S_POD_UID=u"
)
OCICNI = (  # ocicni pkg/ocicni/ocicni.go buildCNIRuntimeConf (HEAD, v0.5): its own, those in its environment, IP, MAC
    "IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=p;K8S_POD_INFRA_CONTAINER_ID=c1;K8S_POD_UID=u;"
    "IgnoreUnknown=1;FOO=a;FOO=b"
)
DOUBLED = {
    "the issue's": "IgnoreUnknown=true;K8S_POD_NAME=p;IgnoreUnknown=1;K8S_POD_NAME=p",
    "multus": MULTUS,
    "ocicni": OCICNI,
    "a value with =": "IgnoreUnknown=1;BLAH=foo=bar",  # multus splits at the first one and passes it on
    "said last that unknown ones are fine": "FOO=a;IgnoreUnknown=0;IgnoreUnknown=True",
}


def foreign(world: World, verb: str, container: str = "c1", cni_args: str = "", **keys: Any) -> Reply:
    """The door host-subnet under a bridge."""
    env = {"CNI_COMMAND": verb, "CNI_CONTAINERID": container, "CNI_IFNAME": "net1", "CNI_PATH": "/x"}
    env |= {"CNI_NETNS": POD, "CNI_ARGS": cni_args}
    conf = {"cniVersion": "1.0.0", "name": "br", "type": "bridge", "ipam": world.ipam()} | keys
    given = {key: value for key, value in conf.items() if value is not None}
    out = io.StringIO()

    def write(fd: int, text: str) -> None:
        if fd == 1:
            out.write(text)

    code = plugin.main(env, lambda: json.dumps(given), write, world._host, "host-subnet")  # noqa: SLF001
    return Reply(code, out.getvalue())


def link_of(world: World) -> FakeLink:
    found = world.kernel.pods[POD].find("net1")
    assert found is not None
    return found[1]


def state(world: World, key: str, index: int = 0) -> Any:
    """One setting of a VF, as its PF has it."""
    return world.kernel.pfs[0].vfs[index].snapshot()[key]


def added(world: World, **keys: Any) -> dict[str, Any]:
    reply = world.call("ADD", world.conf(**keys))
    assert reply.code == 0, reply.text
    return reply.document


# 1: CNI_ARGS ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("args", DOUBLED.values(), ids=DOUBLED)
def test_doubled_args_are_taken_by_every_verb(world: World, args: str) -> None:
    before, conf = world.snapshot(), world.conf(ipam=world.ipam())

    codes = [world.call(verb, conf, args=args).code for verb in ("ADD", "CHECK", "DEL")]

    assert (codes, world.snapshot()) == ([0, 0, 0], before)


@pytest.mark.parametrize("args", DOUBLED.values(), ids=DOUBLED)
def test_doubled_args_are_taken_by_host_subnet(world: World, args: str) -> None:
    assert [foreign(world, verb, cni_args=args).code for verb in ("ADD", "CHECK", "DEL")] == [0, 0, 0]


def test_of_two_values_the_last_one_wins(world: World) -> None:
    """As types.LoadArgs sets the field again: cni pkg/types/args.go (v1.3.0)."""
    args = f"IP=10.10.7.5;MAC={MAC};MAC={MAC2};IP=10.10.8.5"
    reply = world.call("ADD", world.conf(ipam=world.ipam()), args=args)
    assert reply.code == 0, reply.text
    assert reply.document["ips"][0]["address"] == "10.10.8.5/24"
    assert link_of(world).mac == MAC2
    under = foreign(world, "ADD", "c2", cni_args="IP=10.10.7.5;IP=10.10.9.5")
    assert under.document["ips"][0]["address"] == "10.10.9.5/24"


@pytest.mark.parametrize("args", ["FOO", "=x", "FOO=bar", "IgnoreUnknown=maybe;FOO=1", "MAC=x;IP=y", ";;"])
def test_no_form_of_args_keeps_a_living_attachment(world: World, args: str) -> None:
    before, conf = world.snapshot(), world.conf(ipam=world.ipam(), cniVersion="1.1.0")
    assert world.call("ADD", conf).code == 0
    valid = {"cni.dev/valid-attachments": [{"containerID": "c1", "ifname": "net1"}]}

    codes = [world.call(verb, conf | valid, args=args).code for verb in ("CHECK", "GC", "DEL")]

    assert (codes, world.snapshot()) == ([0, 0, 0], before)
    assert foreign(world, "ADD").code == 0
    assert [foreign(world, verb, cni_args=args).code for verb in ("CHECK", "DEL")] == [0, 0]


@pytest.mark.parametrize("key", ["args", "runtimeConfig", "prevResult", "capabilities"])
def test_null_is_none_for_what_runtimes_fill_in(world: World, key: str) -> None:
    """encoding/json leaves a field alone at null; skel and libcni read with it (cni pkg/skel/skel.go, v1.3.0)."""
    conf = world.conf(ipam=world.ipam()) | {key: None}
    assert [world.call(verb, conf).code for verb in ("ADD", "CHECK", "DEL")] == [0, 0, 0]


# 2: "cniVersion": "" -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("door", ["sriov", "host-subnet"])
def test_an_empty_version_is_the_first_one(world: World, door: str) -> None:
    """What libcni sends for a conf without the key: buildOneConfig in cni libcni/api.go (v1.3.0)."""
    if door == "sriov":
        reply = world.call("ADD", world.conf(cniVersion="", ipam=world.ipam()))
    else:
        reply = foreign(world, "ADD", cniVersion="")
    assert reply.code == 0, reply.text
    assert (reply.document["cniVersion"], reply.document["ip4"]["ip"]) == ("0.1.0", "10.10.0.2/24")


def test_delete_with_an_empty_version_gives_back(world: World) -> None:
    before = world.snapshot()
    added(world)
    assert world.call("DEL", world.conf(cniVersion="")).code == 0
    assert world.snapshot() == before
    assert foreign(world, "ADD").code == 0
    assert foreign(world, "DEL", cniVersion="").code == 0
    assert [name for name in world.files() if "/leases/" in name] == []


# 3: a foreign IPAM has the whole conf --------------------------------------------------------------------------------

SECRET = "s3cr3t-of-the-cluster"
CALICO: dict[str, Any] = {  # the shape of calico's reference, "Configure the Calico CNI plugins"
    "datastore_type": "kubernetes",
    "kubernetes": {"kubeconfig": "/etc/cni/net.d/calico-kubeconfig", "k8s_auth_token": SECRET},
    "nodename_file_optional": False,
    "log_level": "info",
}


class Calico(HostLocal):
    """Reads keys beside `ipam` at each verb, or fails."""

    def __call__(self, executable: str, env: dict[str, str], stdin: str) -> tuple[int, str]:
        status, answer = super().__call__(executable, env, stdin)
        missing = [key for key in CALICO if json.loads(stdin).get(key) != CALICO[key]]
        if missing:
            text = json.dumps({"code": 7, "msg": f"{env['CNI_COMMAND']} without {missing}"})
            return 1, text
        return status, answer


@pytest.fixture
def calico(world: World, tmp_path: Path) -> Calico:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/calico-ipam").touch(mode=0o755)
    world.cni_path = str(tmp_path / "bin")
    return Calico(world)


def calico_conf(world: World, **keys: Any) -> dict[str, Any]:
    return world.conf(cniVersion="1.1.0", ipam={"type": "calico-ipam"}, **(CALICO | keys))


def test_each_verb_passes_the_conf_on_as_it_came(world: World, calico: Calico) -> None:
    before, conf = world.snapshot(), calico_conf(world)
    gc = conf | {"cni.dev/valid-attachments": [{"containerID": "c1", "ifname": "net1"}]}
    sent = {"ADD": conf, "CHECK": conf, "GC": gc, "DEL": conf}

    codes = [world.call(verb, given).code for verb, given in sent.items()]

    assert codes == [0, 0, 0, 0]
    assert {call["env"]["CNI_COMMAND"]: call["conf"] for call in calico.calls} == sent
    assert world.snapshot() == before


def test_keys_in_another_case_are_passed_on_in_theirs(world: World, calico: Calico) -> None:
    conf = calico_conf(world, logLevel=None, LogLevel="info", logFile=None, LogFile=str(world.log_file))
    conf["Vlan"] = 100
    for verb in ("ADD", "DEL"):
        assert world.call(verb, conf).code == 0
    assert [call["conf"] for call in calico.calls] == [conf, conf]


def fail_in_ipam(world: World, calico: Calico) -> None:
    calico.fails["ADD"] = json.dumps({"code": 11, "msg": "no addresses left"})


def fail_after_ipam(world: World, calico: Calico) -> None:
    calico.said = json.dumps({"cniVersion": "1.1.0", "ips": [{"address": "nonsense"}]})


@pytest.mark.parametrize("harm", [fail_in_ipam, fail_after_ipam])
def test_the_undo_of_an_add_passes_it_on_too(world: World, calico: Calico, harm: Any) -> None:
    before, conf = world.snapshot(), calico_conf(world)
    harm(world, calico)

    assert world.call("ADD", conf).code != 0

    assert [(call["env"]["CNI_COMMAND"], call["conf"]) for call in calico.calls] == [
        ("ADD", conf),
        ("DEL", conf),
    ]
    assert (calico.held, world.snapshot()) == (set(), before)


@pytest.mark.parametrize("way", ["add", "gc"])
def test_reclaim_has_what_that_ipam_needs(world: World, calico: Calico, way: str) -> None:
    """The conf that comes then is another one, or none: it is in the Record."""
    assert world.call("ADD", calico_conf(world, name="old")).code == 0
    world.kernel.kill_netns(POD)
    world.kernel.add_pod("/run/netns/pod2")
    if way == "add":
        assert world.call("ADD", world.conf(deviceID=VF), "c2", "/run/netns/pod2").code == 0
    else:
        empty: dict[str, Any] = {"cni.dev/valid-attachments": []}
        assert world.call("GC", calico_conf(world, name="old") | empty, "", "", "").code == 0

    assert calico.held == set(), [call["env"]["CNI_COMMAND"] for call in calico.calls]
    given = next(call["conf"] for call in calico.calls if call["env"]["CNI_COMMAND"] == "DEL")
    assert {key: given.get(key) for key in CALICO} == CALICO


def test_secrets_of_that_conf_are_in_no_log_and_no_file_of_others(world: World, calico: Calico) -> None:
    conf = calico_conf(world)
    calico.fails["CHECK"] = json.dumps({"code": 5, "msg": "sorry"})
    said = [world.call(verb, conf).text for verb in ("ADD", "ADD", "CHECK")]
    shown = [sriovctl(world, *words).out for words in (("status", "--json"), ("leases", "--json"))]
    kept = {
        stat.S_IMODE(path.stat().st_mode)
        for path in world.root.rglob("*")
        if path.is_file() and SECRET in path.read_text(errors="replace")
    }
    world.kernel.kill_netns(POD)
    said += [sriovctl(world, "gc", "--json").out, world.call("DEL", conf).text]

    assert SECRET not in "".join([*said, *shown, world.log_file.read_text()])
    assert kept == {0o600}
    assert calico.held == set()


def test_a_big_conf_is_no_reason_to_keep_an_address(world: World, calico: Calico) -> None:
    before, conf = world.snapshot(), calico_conf(world, certificate="x" * 100_000)
    assert [world.call(verb, conf).code for verb in ("ADD", "DEL")] == [0, 0]
    assert (calico.held, world.snapshot()) == (set(), before)


# 4: keys in another case, null lists ---------------------------------------------------------------------------------


def test_containerds_bandwidth_has_no_json_tags(world: World) -> None:
    """containerd go-cni types.go BandWidth (v1.1.13)."""
    given = {"IngressRate": 0, "IngressBurst": 0, "EgressRate": 10_000_000, "EgressBurst": 0}
    added(world, runtimeConfig={"bandwidth": given})
    assert state(world, "max_tx_rate") == 10


@pytest.mark.parametrize("place", ["conf", "ipam"])
@pytest.mark.parametrize(
    ("given", "server"),
    [
        ({"Servers": ["192.0.2.53"], "Searches": None, "Options": None}, "192.0.2.53"),
        ({"Servers": None, "Searches": None, "Options": None}, "192.0.2.1"),
        ({"servers": None, "searches": None, "options": None}, "192.0.2.1"),
    ],
)
def test_containerds_dns_has_no_json_tags(world: World, given: Any, server: str, place: str) -> None:
    """containerd go-cni types.go DNS (v1.1.13): a nil slice is null, and asks for nothing."""
    dns = {"dns": {"nameservers": ["192.0.2.1"]}}
    conf = {"ipam": world.ipam()} | dns if place == "conf" else {"ipam": world.ipam(**dns)}
    assert added(world, runtimeConfig={"dns": given}, **conf)["dns"] == {"nameservers": [server]}


def test_requests_in_another_case_are_the_requests(world: World) -> None:
    given = {"Mac": MAC, "IPs": ["10.10.7.5"], "deviceId": "0000:01:10.4"}
    document = added(world, ipam=world.ipam(), runtimeConfig=given)
    assert (document["ips"][0]["address"], link_of(world).mac) == ("10.10.7.5/24", MAC)
    assert link_of(world).pci_address == "0000:01:10.4"


def been_up(world: World) -> None:
    """The PF shows what a VF last called itself; before its first `up` it shows nothing (lab.md 6.3)."""
    for vf in world.kernel.pfs[0].vfs:
        vf.state.mac = vf.link.mac if vf.link else ""


@pytest.mark.parametrize(
    ("given", "key", "expected"),
    [
        ({"Vlan": 100}, "vlan", 100),
        ({"spoofChk": "off"}, "spoofchk", False),
        ({"Trust": "on"}, "trust", True),
        ({"MAC": MAC}, "mac", MAC),
        ({"Max_Tx_Rate": 100}, "max_tx_rate", 100),
        ({"vlan": 100, "Vlan": 100}, "vlan", 100),
    ],
)
def test_a_known_key_in_another_case_counts_as_that_key(
    world: World, given: dict[str, Any], key: str, expected: Any
) -> None:
    been_up(world)
    before = world.snapshot()
    added(world, **given)
    assert state(world, key) == expected
    assert world.call("DEL", world.conf(**given)).code == 0
    assert world.snapshot() == before


def test_loglevel_in_another_case_is_the_level(world: World) -> None:
    """That a PF is brought up is told at "info"."""
    netlink = world.kernel.netlink
    netlink.set_down(netlink.ifindex("enp1s0f0"))
    added(world, logLevel=None, LogLevel="none")
    assert not world.log_file.exists() or world.log_file.read_text() == ""


@pytest.mark.parametrize("door", ["sriov", "host-subnet"])
def test_keys_of_ipam_are_known_in_any_case(world: World, door: str) -> None:
    pools = [{"Subnet": "10.10.0.0/16", "prefixlength": 28, "Gateway": "last"}]
    ipam = {
        "type": "host-subnet",
        "datadir": str(world.data_dir),
        "Pools": pools,
        "Routes": [{"Dst": "10.9.0.0/16"}],
    }
    document = added(world, ipam=ipam) if door == "sriov" else foreign(world, "ADD", ipam=ipam).document
    assert [(ip["address"], ip["gateway"]) for ip in document["ips"]] == [("10.10.0.1/28", "10.10.0.14")]
    assert document["routes"] == [{"dst": "10.9.0.0/16", "gw": "10.10.0.14"}]


@pytest.mark.parametrize(
    "given",
    [
        {"vlan": 5, "Vlan": 6},
        {"spoofchk": "on", "spoofChk": "off"},
        {"runtimeConfig": {"mac": MAC, "Mac": MAC2}},
        {"runtimeConfig": {"bandwidth": {"egressRate": 1_000_000, "EgressRate": 2_000_000}}},
    ],
)
def test_both_spellings_with_different_values_are_code_7_at_add_alone(
    world: World, given: dict[str, Any]
) -> None:
    before = world.snapshot()
    assert (world.call("ADD", world.conf(**given)).code, world.snapshot()) == (7, before)
    added(world)
    assert world.call("DEL", world.conf(**given)).code == 0
    assert world.snapshot() == before


# whole calls, as they come --------------------------------------------------------------------------------------------

K8S = "IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=p;K8S_POD_INFRA_CONTAINER_ID=c1;K8S_POD_UID=u"
CALLERS: dict[str, tuple[str, dict[str, Any]]] = {
    # go-cni types.go and namespace_opts.go (v1.1.13): structures without tags, nil slices
    "containerd": (
        K8S,
        {
            "portMappings": [{"HostPort": 8080, "ContainerPort": 80, "Protocol": "tcp", "HostIP": ""}],
            "ipRanges": None,
            "bandwidth": {"IngressRate": 0, "IngressBurst": 0, "EgressRate": 0, "EgressBurst": 0},
            "dns": {"Servers": ["192.0.2.53"], "Searches": None, "Options": None},
            "cgroupPath": "/kubepods/pod1",
            "io.kubernetes.cri.pod-annotations": {"a": "b"},
        },
    ),
    # ocicni pkg/ocicni/ocicni.go buildCNIRuntimeConf (HEAD, v0.5)
    "CRI-O": (
        OCICNI,
        {
            "portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp", "hostIP": ""}],
            "bandwidth": {"ingressRate": 0, "ingressBurst": 0, "egressRate": 0, "egressBurst": 0},
            "aliases": ["web"],
            "cgroupPath": "",
            "io.kubernetes.cri.pod-annotations": None,
        },
    ),
    # multus-cni pkg/types/conf.go newCNIRuntimeConf, delegateAddDeviceID (v4.3.0)
    "multus": (MULTUS, {"mac": MAC, "ips": ["10.10.7.5/24"], "deviceID": VF}),
    # multus-cni pkg/multus/multus.go (v4.3.0): what an annotation asks for comes as an argument too
    "multus, asked": (
        MULTUS + f";MAC={MAC};IP=10.10.7.5/24",
        {"mac": MAC, "ips": ["10.10.7.5/24"], "deviceID": VF},
    ),
}


@pytest.mark.parametrize(("args", "runtime_config"), CALLERS.values(), ids=CALLERS)
def test_whole_calls_of_real_callers_are_served(
    world: World, args: str, runtime_config: dict[str, Any]
) -> None:
    been_up(world)
    before = world.snapshot()
    conf = world.conf(ipam=world.ipam(), runtimeConfig=runtime_config, cniVersion="1.1.0")
    if "deviceID" in runtime_config:
        conf |= {"deviceID": VF, "pciBusID": VF}
        del conf["master"]

    result = world.call("ADD", conf, args=args)
    assert result.code == 0, result.text
    kept = {"prevResult": result.document}
    valid = [{"containerID": "c1", "ifname": "net1"}]
    gc = conf | {
        "cni.dev/valid-attachments": valid,
        "cni.dev/attachments": valid,
    }  # libcni api.go GCNetworkList
    codes = [
        world.call("CHECK", conf | kept, args=args).code,
        world.call("GC", gc, "", "", "").code,
        world.call("DEL", conf | kept, netns="", args=args).code,
    ]

    assert (codes, world.snapshot()) == ([0, 0, 0], before)
    under: dict[str, Any] = {"runtimeConfig": runtime_config, "cniVersion": "1.1.0"}
    assert [foreign(world, verb, cni_args=args, **under).code for verb in ("ADD", "CHECK", "DEL")] == [
        0,
        0,
        0,
    ]


# 12: texts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {"vlan": [None, True]},
        {"spoofchk": [None, True]},
        {"deviceID": [None, True]},
        {"pf": {"names": [None, True]}},
        {"cniVersion": [None, True]},
        {"runtimeConfig": {"mac": [None, True]}},
        {"runtimeConfig": {"bandwidth": {"egressRate": [None, True]}}},
        {"runtimeConfig": {"infinibandGUID": [None, True]}},
        {"args": {"cni": {"subnets": [None, True]}}},
        {"ipam": {"type": "host-subnet", "pools": [{"subnet": "10.0.0.0/8", "prefixLength": [None, True]}]}},
        {
            "ipam": {
                "type": "host-subnet",
                "pools": [{"subnet": "10.0.0.0/8", "prefixLength": 24, "gateway": [None, True]}],
            }
        },
        {
            "ipam": {
                "type": "host-subnet",
                "pools": [{"subnet": "10.0.0.0/8", "prefixLength": 24}],
                "sticky": [None, True],
            }
        },
    ],
    ids=lambda given: json.dumps(given)[:48],
)
def test_messages_print_json_words(world: World, given: dict[str, Any]) -> None:
    refused = world.call("ADD", world.conf(**({"ipam": world.ipam()} | given)))
    assert refused.code != 0
    assert [word for word in ("None", "True", "False") if word in refused.text] == [], refused.text


def test_a_name_of_more_than_200_characters_is_told_its_length(world: World) -> None:
    refused = world.call("ADD", world.conf(name="n" * 201))
    assert (refused.code, "200" in refused.text) == (7, True), refused.text


V6 = {"subnet": "fd00:1::/48", "prefixLength": 64}


@pytest.mark.parametrize("text", ["FD00:1::2/64", "fd00:0001:0000::2/64", "fd00:1:0:0:0:0:0:2/64"])
def test_check_compares_addresses_as_addresses(world: World, text: str) -> None:
    ipam = world.ipam(pools=[V6], routes=[{"dst": "fd09::/64"}])
    prev = added(world, ipam=ipam)
    assert prev["ips"][0]["address"] == "fd00:1::2/64"
    told = prev | {
        "ips": [prev["ips"][0] | {"address": text, "gateway": "FD00:1:0::1"}],
        "routes": [{"dst": "FD09:0::/64", "gw": "fd00:0001::1"}],
    }

    checked = world.call("CHECK", world.conf(ipam=ipam, prevResult=told))

    assert checked.code == 0, checked.text


# 13: a conf that was changed since -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "a/b"},
        {"name": ""},
        {"name": None},
        {"name": 7},
        {"name": "n" * 201},
        {"cniVersion": "9.9.9"},
        {"cniVersion": 7},
        {"cniVersion": None},
        {"vlan": 5000},
        {"master": "gone0"},
        {"ipam": {"type": "host-subnet", "pools": "none"}},
        {"ipam": 7},
        {"runtimeConfig": 7},
        {"prevResult": 7},
    ],
    ids=lambda changed: json.dumps(changed)[:40],
)
def test_delete_gives_back_whatever_the_conf_has_become(world: World, changed: dict[str, Any]) -> None:
    before = world.snapshot()
    added(world, vlan=100, ipam=world.ipam())

    deleted = world.call("DEL", world.conf(**({"ipam": world.ipam()} | changed)))

    assert deleted.code == 0, deleted.text
    assert world.snapshot() == before


@pytest.mark.parametrize("changed", [{"name": "a/b"}, {"cniVersion": "9.9.9"}])
def test_delete_warns_of_a_conf_that_no_add_would_take(world: World, changed: dict[str, Any]) -> None:
    added(world)
    world.log_file.unlink()
    assert world.call("DEL", world.conf(**changed)).code == 0
    assert "level=warning" in world.log_file.read_text()


@pytest.mark.parametrize("changed", [{"name": "a/b"}, {"cniVersion": "9.9.9"}])
def test_host_subnet_gives_back_as_well(world: World, changed: dict[str, Any]) -> None:
    assert foreign(world, "ADD").code == 0
    assert foreign(world, "DEL", **changed).code == 0
    assert [name for name in world.files() if "/leases/" in name] == []


# 15: "not asked", and what plugins before us made --------------------------------------------------------------------

CAPABILITIES = [
    *("mac", "ips", "deviceID", "bandwidth", "dns", "ipRanges", "infinibandGUID", "CNIDeviceInfoFile"),
    *("portMappings", "aliases", "cgroupPath"),
]


@pytest.mark.parametrize("nothing", [None, ""], ids=["null", "empty"])
@pytest.mark.parametrize("key", CAPABILITIES)
def test_null_and_the_empty_string_ask_for_nothing(world: World, key: str, nothing: str | None) -> None:
    conf = world.conf(ipam=world.ipam(), runtimeConfig={key: nothing})
    codes = [world.call(verb, conf).code for verb in ("ADD", "CHECK", "DEL")]
    assert codes == [0, 0, 0]
    assert foreign(world, "ADD", runtimeConfig={key: nothing}).code == 0


def test_a_deviceid_that_is_not_asked_leaves_the_confs(world: World) -> None:
    added(world, deviceID="0000:01:10.4", runtimeConfig={"deviceID": None, "mac": ""}, mac=MAC)
    assert (link_of(world).pci_address, link_of(world).mac) == ("0000:01:10.4", MAC)


@pytest.mark.parametrize(
    ("version", "prev"),
    [
        ("1.0.0", {"cniVersion": "0.2.0", "ip4": {"ip": "192.0.2.1/24"}}),
        ("1.1.0", {"cniVersion": "0.1.0", "ip6": {"ip": "2001:db8::1/64"}}),
        ("0.4.0", {"ip4": {"ip": "192.0.2.1/24"}}),
        ("0.2.0", {"cniVersion": "1.0.0", "ips": [{"address": "192.0.2.1/24"}]}),
        ("0.1.0", {"cniVersion": "0.1.0", "ip4": {"ip": "192.0.2.1/24"}}),
    ],
)
def test_what_was_before_us_is_never_dropped_in_silence(
    world: World, version: str, prev: dict[str, Any]
) -> None:
    """Converted, or refused before anything changes; DEL takes it as it is."""
    before, conf = world.snapshot(), world.conf(cniVersion=version, prevResult=prev)

    reply = world.call("ADD", conf)

    address = "2001:db8::1/64" if "ip6" in prev else "192.0.2.1/24"
    if reply.code:
        assert world.snapshot() == before
    else:
        assert address in json.dumps(reply.document)
    assert world.call("DEL", conf).code == 0
    assert world.snapshot() == before


# what users wish for -------------------------------------------------------------------------------------------------


def test_a_vlan_that_a_pod_asks_for_acts_only_where_it_is_allowed(world: World) -> None:
    asking: dict[str, Any] = {"args": {"cni": {"vlan": 7}}}
    if world.call("ADD", world.conf(vlan=5, **asking)).code == 0:
        assert state(world, "vlan") == 5
        assert world.call("DEL", world.conf()).code == 0

    added(world, vlan=5, allowRequests=["vlan"], **asking)

    assert state(world, "vlan") == 7


def test_a_vlan_that_no_card_has_is_refused_there_too(world: World) -> None:
    before = world.snapshot()
    refused = world.call("ADD", world.conf(allowRequests=["vlan"], args={"cni": {"vlan": 5000}}))
    assert (refused.code, world.snapshot()) == (7, before)


@pytest.mark.parametrize(
    "bad",
    [{"txqueuelen": -1}, {"txqueuelen": "x"}, {"allmulti": "yes"}, {"promisc": 1}, {"allowRequests": "vlan"}],
)
def test_new_keys_have_types(world: World, bad: dict[str, Any]) -> None:
    assert world.call("ADD", world.conf(**bad)).code == 7


def test_the_docs_send_a_whole_pf_to_host_device() -> None:
    pages = [path.read_text() for path in Path(__file__).parents[2].joinpath("docs").glob("*.md")]
    paragraphs = [text for page in pages for text in page.split("\n\n") if "host-device" in text]
    assert any("whole PF" in text for text in paragraphs)
