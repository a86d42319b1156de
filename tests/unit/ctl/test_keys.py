"""What a key's documentation says: by the schemas, each key of the parser once, with words and no JSON Schema."""

from __future__ import annotations

import pytest

from cni_sriov.conf import netconf
from cni_sriov.conf.keycase import Known
from cni_sriov.ctl import keys, schema

FOUND = {key.name: key for key in keys.keys(schema.SCHEMA, "sriov")}
HOST = {key.name: key for key in keys.keys(schema.HOST)}


@pytest.mark.parametrize(
    ("name", "value", "default"),
    [
        ("vlan", "0-4094", ""),
        ("vlanProto", "one of 802.1q, 802.1ad", '"802.1q"'),
        ("spoofchk", '"on", "off"', ""),
        ("type", '"sriov"', ""),
        ("pfUp", "true or false", "true"),
        ("pf", "an object", ""),
        ("pf.names", "list, each an interface's name or altname (at most 127 bytes, no '/' or blank)", ""),
        ("hugepages.2Mi", "1-1073741824", ""),
        ("verifyTimeout", "0-60000", "2000"),
        ("ipam.pools[].gateway", '"first", "last", "none" or an address', ""),
        ("ipam.routes[].gw", "an IP address", ""),
        ("ipam.routes[].priority", "0-4294967295", "0"),
        ("ipam.dns.domain", "a string", ""),
        ("runtimeConfig.infinibandGUID", "nothing", ""),
        ("cniVersion", '"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"', ""),
    ],
)
def test_what_may_stand_there_and_what_else(name: str, value: str, default: str) -> None:
    """As in docs/configuration.md."""
    assert (FOUND[name].value, FOUND[name].default) == (value, default)


def test_what_the_parser_knows_is_documented() -> None:
    def names(known: Known, above: str = "") -> set[str]:
        found = set()
        for name, below in known.keys.items():
            inner = below({"type": "host-subnet"}) if callable(below) else below
            found |= {above + name} | (names(inner, f"{above}{name}.") if inner else set())
        return found

    parsed = names(netconf.known("sriov"))
    assert {"vlan", "pf.vfs", "args.cni.mac", "ipam.pools.subnet"} <= parsed
    assert parsed - {name.replace("[]", "") for name in FOUND} == set()


def test_every_key_has_a_sentence() -> None:
    found = [*FOUND.values(), *HOST.values()]

    assert [key.name for key in found if not (key.about.endswith(".") and key.value)] == []


def test_the_hosts_file_is_documented_too() -> None:
    assert HOST["pfs[].numvfs"].value == 'an integer in 0-65535 or "max"'
    assert HOST["pfs[].vfs[].range"].value == "VF indices like 0-3,6"
    assert "$schema" not in HOST
