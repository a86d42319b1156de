"""The door for podman 5: `sriov` as a plugin of netavark. Its verb is an argument, and its answers have netavark's form.

Same Call, verbs, ledger and leases as by CNI (doors/calls.py). What differs is when podman calls: it forgets a container whose
teardown fails, so that never does; and it sends none for one whose process was killed, whose setup failed, or that was there
before a reboot, so a setup first gives back what the container had in another network namespace.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ..state import files
from ..state.ledger import attachment_of
from ..vf.call import Call
from ..wire import netavark
from ..words.domain import Attachment
from ..words.failures import Failures, as_cni_error
from ..words.record import Record
from . import calls, stdio


def is_asked(argv: Sequence[str]) -> bool:
    """Where there is no CNI_COMMAND: by the first argument, of which a runtime of CNI gives none."""
    return len(argv) > 1 and argv[1] in netavark.VERBS


def main(
    arguments: Sequence[str],
    env: Mapping[str, str],
    read_stdin: Callable[[], str],
    write: stdio.Write,
    make_host: calls.MakeHost | None = None,
) -> int:
    """One call: verb and netns are the `arguments`. The exit code, with the one document written to fd 1."""
    verb, netns = arguments[0], arguments[1] if len(arguments) > 1 else ""
    make_host = make_host or calls.real_host
    if verb == "teardown":
        _teardown(netns, env, read_stdin, write, make_host)
        return 0
    done: Call | None = None
    code = 0
    try:
        if verb == "info":
            answer = netavark.info()
        elif verb == "create":
            answer = _create(read_stdin(), make_host)
        else:
            done = calls.make(netavark.parse_setup(netns, read_stdin(), dict(env)), make_host)
            answer = _setup(done)
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # the one gate: all leaves in netavark's form
        answer, code = netavark.render_error(as_cni_error(error)), 1
    if stdio.say(write, 1, answer + "\n"):
        return code
    if done is not None and code == 0:
        _delete(done)  # to podman it has failed, and no teardown will come
    return 1


def _create(stdin: str, make_host: calls.MakeHost) -> str:
    """Judged as an ADD will be; nothing is touched."""
    request = netavark.parse_create(stdin)
    calls.make(request, make_host)
    return netavark.render_network(request)


def _setup(call: Call) -> str:
    _leave_former(call)
    result = calls.run(call)
    assert result is not None  # ADD has one
    return netavark.render_status(result)


def _leave_former(call: Call) -> None:
    """podman sets nothing up twice, and a container is in one network namespace: what it has in another, or by that name, is of
    a former life, and no teardown will come.
    """
    host, ours = call.host, call.request.attachment
    names = files.names(f"{host.ledger.run_dir}/locks")
    failures = Failures(host.log.warning, "what the container had before stays")
    for name in sorted(name for name in names if name.startswith(f"{ours.container_id}@")):
        attachment = attachment_of(name)
        with failures.of(attachment=attachment):
            record = host.ledger.find(attachment)
            if record is not None and record.boot_id == host.ledger.boot_id and _is_former(call, record):
                _delete(call, attachment)
                host.log.info("left what it had before", attachment=attachment, netns=record.netns)


def _is_former(call: Call, record: Record) -> bool:
    """Also the one of that name in the same netns: a reload whose teardown never got here."""
    if record.attachment == call.request.attachment:
        return record.status == "done"
    with call.host.open_netns(call.request.netns) as netns:
        return not netns.is_the_one(record.netns_identity, record.netns_cookie)


def _delete(call: Call, attachment: Attachment | None = None) -> None:
    """By its Record, as a DEL of the same conf."""
    request = replace(call.request, verb="DEL", attachment=attachment or call.request.attachment)
    calls.run(Call(request, call.conf, call.host))


def _teardown(
    netns: str,
    env: Mapping[str, str],
    read_stdin: Callable[[], str],
    write: stdio.Write,
    make_host: calls.MakeHost,
) -> None:
    """Whatever happens: to fail would lose the container. What is not back stays recorded as given up, and the next call that
    needs it takes it back.
    """
    calls.on_stop(signal.SIG_IGN)
    call = None
    try:
        call = calls.make(netavark.parse_teardown(netns, read_stdin(), dict(env)), make_host)
        calls.run(call)
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        stdio.say(
            write, 2, f"cni-sriov: teardown: {as_cni_error(error)}; `sriovctl gc` takes back what is left\n"
        )
        if call is not None:
            _give_up(call)


def _give_up(call: Call) -> None:
    """podman never comes back for it."""
    ledger, attachment = call.host.ledger, call.request.attachment
    with Failures(call.host.log.error, "it stays as it is").of(attachment=attachment):
        lock = ledger.attachment_lock(attachment, "DEL")
        try:
            record = ledger.find(attachment) if lock.try_acquire() else None
            if record is not None and record.status == "done":
                record.status = "released"
                ledger.put(record)
        finally:
            lock.release()
