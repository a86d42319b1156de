"""The wire, against the words of the CNI spec."""

import json

import pytest

from cni_sriov.wire import cni as wire
from cni_sriov.words import versions
from cni_sriov.words.errors import CniError
from tests.world import World

ENV = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "c1", "CNI_NETNS": "/run/netns/a", "CNI_IFNAME": "net1"}
CONF = '{"cniVersion": "1.0.0", "name": "fast", "type": "sriov"}'


SUPPORTED = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]


def code_of(env: dict[str, str], stdin: str = CONF) -> int:
    with pytest.raises(CniError) as caught:
        wire.parse_request(env, stdin)
    return caught.value.code


def test_a_full_request_is_read() -> None:
    request = wire.parse_request(ENV | {"CNI_PATH": "/a:/b", "CNI_ARGS": "IgnoreUnknown=1;X=2"}, CONF)

    assert (request.verb, str(request.attachment), request.netns) == ("ADD", "c1/net1", "/run/netns/a")
    assert (request.path, request.args["X"]) == (["/a", "/b"], "2")


@pytest.mark.parametrize("missing", ["CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"])
def test_a_missing_variable_is_code_4_and_named(missing: str) -> None:
    env = {key: value for key, value in ENV.items() if key != missing}
    with pytest.raises(CniError) as caught:
        wire.parse_request(env, CONF)
    assert caught.value.code == 4
    assert missing in caught.value.msg


def test_del_needs_no_netns() -> None:
    assert wire.parse_request(ENV | {"CNI_COMMAND": "DEL", "CNI_NETNS": ""}, CONF).netns == ""


@pytest.mark.parametrize("verb", ["", "add", "UPDATE", "ADD ", "../ADD"])
def test_an_unknown_or_unbuilt_verb_is_code_4(verb: str) -> None:
    assert code_of(ENV | {"CNI_COMMAND": verb}) == 4


@pytest.mark.parametrize("bad", ["../x", "a/b", "-a", ".a", "a b", "ä", "a\n", "x" * 201, "a;b", "a@b"])
def test_a_container_id_cannot_escape(bad: str) -> None:
    assert code_of(ENV | {"CNI_CONTAINERID": bad}) == 4


@pytest.mark.parametrize(
    "bad",
    [
        ".",
        "..",
        "a/b",
        "a:b",
        "a b",
        "x" * 16,
        "é" * 8,
        "a\x00",
        "a\n",
        "\udc80",
        "eth%d",
        "é",
        "all",
        "default",
    ],
)
def test_an_ifname_the_kernel_refuses_is_code_4(bad: str) -> None:
    assert code_of(ENV | {"CNI_IFNAME": bad}) == 4


@pytest.mark.parametrize("name", ["é", "all", "default"])
def test_what_an_earlier_version_took_can_be_deleted(name: str) -> None:
    deleted = wire.parse_request(ENV | {"CNI_COMMAND": "DEL", "CNI_IFNAME": name}, CONF)
    assert (deleted.attachment.ifname, deleted.is_void) == (name, False)


@pytest.mark.parametrize("name", ["à", "eth%d"])
def test_of_what_no_version_took_there_is_nothing_to_delete(name: str) -> None:
    assert wire.parse_request(ENV | {"CNI_COMMAND": "DEL", "CNI_IFNAME": name}, CONF).is_void


@pytest.mark.parametrize("good", ["e", "x" * 15, "net1", "a.100", "a@b", "..."])
def test_an_ifname_the_kernel_takes_is_taken(good: str) -> None:
    assert wire.parse_request(ENV | {"CNI_IFNAME": good}, CONF).attachment.ifname == good


@pytest.mark.parametrize("bad", ["=", "A", "A=1;A=2", "UNKNOWN=1", "=x"])
def test_bad_cni_args_are_code_4(bad: str) -> None:
    assert code_of(ENV | {"CNI_ARGS": bad}) == 4


@pytest.mark.parametrize(
    ("stdin", "code"),
    [
        ("", 6),
        ("[]", 6),
        ("{", 6),
        ('{"name": "a", "name": "b"}', 6),
        ('{"cniVersion": "9.9.9", "name": "fast"}', 1),
        ('{"cniVersion": "1.2.0", "name": "fast"}', 1),
        ('{"cniVersion": 1, "name": "fast"}', 1),
        ('{"cniVersion": ["1.0.0"], "name": "fast"}', 1),
        ('{"cniVersion": "1.0.0"}', 7),
        ('{"cniVersion": "1.0.0", "name": "../x"}', 7),
        ('{"cniVersion": "1.0.0", "name": 7}', 7),
    ],
)
def test_a_bad_document_has_its_code(stdin: str, code: int) -> None:
    assert code_of(ENV, stdin) == code


def test_check_exists_since_0_4_0() -> None:
    assert code_of(ENV | {"CNI_COMMAND": "CHECK"}, '{"cniVersion": "0.3.1", "name": "fast"}') == 1


@pytest.mark.parametrize("stdin", ["", "{}", '{"cniVersion": "0.4.0"}', "garbage", "[]", '{"cniVersion": 3}'])
def test_version_answers_whatever_it_is_asked(stdin: str) -> None:
    answer = json.loads(versions.render(stdin))
    assert answer["supportedVersions"] == SUPPORTED
    assert answer["cniVersion"] == ("0.4.0" if "0.4.0" in stdin else "1.1.0")


def test_only_a_verb_that_goes_by_the_record_overlooks_form() -> None:
    """A call of bad form is refused, noted, or about what is recorded; none of both."""
    assert {name for name, verb in wire.VERBS.items() if verb.is_strict} == {"ADD", "STATUS"}
    assert {name for name, verb in wire.VERBS.items() if verb.is_by_record} == {"DEL", "GC"}


def test_dummies_do_not_keep_version_from_answering(world: World) -> None:
    """podman 4 asks VERSION before each verb with CNI_* = dummy."""
    reply = world.call("VERSION", json.dumps({"cniVersion": "0.4.0"}), "dummy", "dummy", "dummy")
    assert reply.document["cniVersion"] == "0.4.0"
    assert reply.document["supportedVersions"][-1] == "1.1.0"
