"""Whom we believe, and what is said where we do not."""

from __future__ import annotations

import ssl
import subprocess

import pytest

from cni_sriov.ctl.cluster import tls
from cni_sriov.ctl.cluster.http import Answer, Client, Fault, Kind
from cni_sriov.words.errors import BadConfig
from tests.unit.ctl.cluster.server import Asked, Certificates, Said, serving


def good(_: Asked) -> Said:
    return Said({"good": True})


def ask(
    certificates: Certificates,
    server: str,
    ca: str = "ca",
    client: str = "",
    clients_of: str = "",
    name: str = "",
) -> Answer:
    cert, key = (certificates.text(f"{client}.{end}") for end in ("pem", "key")) if client else ("", "")
    context = tls.context(certificates.text(f"{ca}.pem"), "ca", cert, key)
    with serving(good, certificates.server(server, clients_of)) as serves:
        return Client(context, name).ask(serves.endpoint, "POST", "/", {}, {}, 10)


def fault(certificates: Certificates, server: str, **how: str) -> Fault:
    with pytest.raises(Fault) as refused:
        ask(certificates, server, **how)
    return refused.value


def test_a_certificate_of_that_authority_for_that_address_is_believed(certificates: Certificates) -> None:
    assert ask(certificates, "server").document == {"good": True}


def test_a_certificate_may_be_for_another_name_that_is_given(certificates: Certificates) -> None:
    assert ask(certificates, "elsewhere", name="etcd.example").status == 200
    assert "is another host's" in fault(certificates, "server", name="other.example").told


@pytest.mark.parametrize(("server", "ca", "told", "remedy"), [
    ("server", "other", "its certificate is signed by none of the authorities in ca", "give the ca"),
    ("expired", "ca", "its certificate, or the one that signed it, has expired", "renew it"),
    ("elsewhere", "ca", "its certificate is another host's:", "name it as its certificate does"),
])  # fmt: skip
def test_any_other_is_wrong_and_said_so(
    certificates: Certificates, server: str, ca: str, told: str, remedy: str
) -> None:
    found = fault(certificates, server, ca=ca)

    assert (found.kind, found.told[: len(told)], found.remedy[: len(remedy)]) == (Kind.WRONG, told, remedy)


def test_who_wants_our_certificate_gets_it(certificates: Certificates) -> None:
    assert ask(certificates, "server", client="client", clients_of="ca").status == 200


@pytest.mark.parametrize("client", ["", "stranger"])
def test_who_does_not_take_ours_is_told(certificates: Certificates, client: str) -> None:
    """It may break off before its alert is read."""
    found = fault(certificates, "server", client=client, clients_of="ca")

    assert "take this node's certificate" in found.told or "broke off" in found.told


def test_a_server_without_tls_is_none(certificates: Certificates) -> None:
    context = tls.context(certificates.text("ca.pem"), "ca")
    with serving(good) as serves:
        there = type(serves.endpoint)(True, serves.endpoint.host, serves.endpoint.port)
        with pytest.raises(Fault) as refused:
            Client(context).ask(there, "POST", "/", {}, {}, 10)

    assert "speak TLS" in refused.value.told or "speak that" in refused.value.told


def test_what_is_no_pem_is_named(certificates: Certificates) -> None:
    with pytest.raises(BadConfig, match=r"use /x/ca.pem as ca: it has no certificates in PEM"):
        tls.context("nothing", "/x/ca.pem")
    with pytest.raises(BadConfig, match=r"use /x/ca.pem as ca: it has no certificates in PEM"):
        tls.context("", "/x/ca.pem")
    pair = certificates.text("client.pem"), certificates.text("stranger.key")
    with pytest.raises(BadConfig, match=r"use x as certificate: no certificate and key of one another"):
        tls.context(certificates.text("ca.pem"), "ca", *pair, "x")


def test_a_key_with_a_passphrase_asks_nobody(certificates: Certificates) -> None:
    locked = subprocess.run(
        ["openssl", "pkey", "-aes256", "-passout", "pass:x", "-in", certificates.path("client.key")],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    with pytest.raises(BadConfig, match="the key wants a passphrase"):
        tls.context(certificates.text("ca.pem"), "ca", certificates.text("client.pem"), locked, "x")


def test_nothing_is_laxer_than_it_must_be(certificates: Certificates) -> None:
    made = tls.context(certificates.text("ca.pem"), "ca")

    assert (made.verify_mode, made.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert made.minimum_version == ssl.TLSVersion.TLSv1_2
    assert len(made.get_ca_certs()) == 1
