"""One question: what comes back, and within what."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from cni_sriov.conf.cluster import Endpoint
from cni_sriov.ctl.cluster import http
from cni_sriov.ctl.cluster.http import Client, Fault, Kind
from tests.unit.ctl.cluster.server import Said, Server, serving


def ask(server: Server, seconds: float = 10.0, method: str = "POST", body: object = None) -> http.Answer:
    return Client(None).ask(server.endpoint, method, "/v3/x", body, {"X-Own": "1"}, seconds)


def test_json_goes_out_and_comes_back() -> None:
    with serving(lambda asked: Said({"got": asked.body})) as server:
        found = ask(server, body={"ä": 1})

    assert (found.status, found.document, found.text) == (200, {"got": {"ä": 1}}, "")
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.headers["X-Own"]) == ("POST", "/v3/x", "1")
    assert asked.headers["Content-Type"] == "application/json"
    assert asked.headers["User-Agent"].startswith("cni-sriov/")


def test_what_is_no_json_is_told_by_its_beginning() -> None:
    with serving(lambda _: Said(b"<html>\x1b[31m" + b"x" * 500, 404)) as server:
        found = ask(server)

    assert (found.status, found.document) == (404, None)
    assert found.text.startswith('"<html>\\u001b[31mxxx')
    assert len(found.text) < 200


def test_a_connection_is_kept() -> None:
    with serving(lambda _: Said({})) as server:
        client = Client(None)
        began = {client.ask(server.endpoint, "GET", "/", None, {}, 10).status for _ in range(3)}
        (pool,) = client._pools.values()  # noqa: SLF001 # urllib3's own count

        assert (began, pool.num_connections, pool.num_requests) == ({200}, 1, 3)


def test_no_redirect_is_followed() -> None:
    with serving(lambda _: Said({"here": True})) as there:
        away = {"Location": f"{there.endpoint}/v3/x"}
        with serving(lambda _: Said(b"", 302, away)) as server:
            assert ask(server).status == 302

    assert there.asked == []


def test_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda _: Said({"proxy": True})) as proxy, serving(lambda _: Said({"here": True})) as server:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, str(proxy.endpoint))

        assert ask(server).document == {"here": True}

    assert proxy.asked == []


def test_an_answer_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MOST", 1 << 20)
    with serving(lambda _: Said(b" " * ((1 << 20) + 1))) as server, pytest.raises(Fault) as refused:
        ask(server)
    with serving(lambda _: Said(json.dumps("x" * ((1 << 20) - 2)).encode())) as server:
        assert len(ask(server).document) == (1 << 20) - 2

    assert (refused.value.told, refused.value.kind) == ("answers with more than 1048576 bytes", Kind.WRONG)


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def endpoint_of(listening: socket.socket) -> Endpoint:
    return Endpoint(False, "127.0.0.1", listening.getsockname()[1])


def test_who_says_nothing_is_left_after_its_time(silent: socket.socket) -> None:
    began = time.monotonic()
    with pytest.raises(Fault) as refused:
        Client(None).ask(endpoint_of(silent), "GET", "/", None, {}, 0.3)

    assert 0.25 < time.monotonic() - began < 2
    assert (refused.value.told, refused.value.kind) == (
        *("took the question, and said nothing within 0.3 s", Kind.PASSING),
    )


def test_who_never_ends_is_cut_before_its_time(
    silent: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MOST", 1 << 20)

    def flood() -> None:
        connection, _ = silent.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                connection.sendall(b" " * 65536)

    threading.Thread(target=flood, daemon=True).start()
    with pytest.raises(Fault, match="answers with more than 1048576 bytes"):
        Client(None).ask(endpoint_of(silent), "GET", "/", None, {}, 5)


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_who_says_a_byte_at_a_time_is_left_as_well(silent: socket.socket, head: bytes) -> None:
    """No timeout of a socket ends that."""
    over = threading.Event()

    def drip() -> None:
        connection, _ = silent.accept()
        with connection:
            connection.sendall(head)
            while not over.wait(0.05):
                try:
                    connection.sendall(b"a")
                except OSError:
                    return

    dripping = threading.Thread(target=drip, daemon=True)
    dripping.start()
    began = time.monotonic()
    with pytest.raises(Fault) as refused:
        Client(None).ask(endpoint_of(silent), "GET", "/", None, {}, 0.4)
    took = time.monotonic() - began
    over.set()
    dripping.join()

    assert took < 2
    assert refused.value.told


def test_a_name_server_that_is_silent_is_no_reason_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def silent(*_: object, **__: object) -> None:
        over.wait(20)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    began = time.monotonic()
    with pytest.raises(Fault, match=r"did not answer within 0.2 s"):
        Client(None).ask(Endpoint(False, "etcd.example", 1), "GET", "/", None, {}, 0.2)
    over.set()

    assert time.monotonic() - began < 2


def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Fault, match="is not known by that name: Name or service not known"):
        Client(None).ask(Endpoint(False, "etcd.example", 1), "GET", "/", None, {}, 5)


def test_where_nobody_listens(silent: socket.socket) -> None:
    there = endpoint_of(silent)
    silent.close()
    with pytest.raises(Fault) as refused:
        Client(None).ask(there, "GET", "/", None, {}, 5)

    assert (refused.value.told, refused.value.kind) == ("took no connection: Connection refused", Kind.AWAY)


def test_who_breaks_off_is_told_and_asked_on_a_new_connection(silent: socket.socket) -> None:
    def hang_up() -> None:
        for _ in range(2):
            silent.accept()[0].close()

    threading.Thread(target=hang_up, daemon=True).start()
    client = Client(None)
    for _ in range(2):
        with pytest.raises(Fault, match="broke off, or does not speak HTTP"):
            client.ask(endpoint_of(silent), "GET", "/", None, {}, 5)


def test_a_bug_of_ours_is_none_of_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda _: Said({})) as server:
        monkeypatch.setattr(http, "_document", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ask(server)
