"""What a careless runtime does to the process itself: its descriptors, limits, mask, pipes and standard input."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import bundle
from tests.integration.rig import BUNDLE, Call, Rig, call, conf

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.root, pytest.mark.bundle]
POD = "/run/netns/pod"


class Answer:
    def __init__(self, code: int, out: bytes, err: bytes) -> None:
        self.code, self.out, self.err = code, out.decode(), err.decode()
        self.document: dict[str, Any] = json.loads(self.out) if self.out else {}


def run(
    rig: Rig, asked: Call, before: Callable[[], object] = lambda: None, stdout: int = subprocess.PIPE
) -> Answer:
    """`before` runs in the child, just before it becomes the plugin."""

    def act() -> Answer:
        process = subprocess.Popen(
            asked.argv,
            env=asked.env,
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=subprocess.PIPE,
            preexec_fn=before,  # noqa: PLW1509 # the child does nothing but this
        )
        out, err = process.communicate(asked.stdin, timeout=20)
        return Answer(process.returncode, out or b"", err)

    return rig.inside(act)


def add(**keys: Any) -> Call:
    return call("ADD", "hostile", POD, conf(**keys))


def delete(**keys: Any) -> Call:
    return call("DEL", "hostile", POD, conf(**keys))


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (1, 2), (0, 1, 2)])
def test_closed_descriptors_give_no_traceback_and_no_state_file_takes_their_place(
    rig: Rig, closed: tuple[int, ...]
) -> None:
    before = rig.links()

    added = run(rig, add(logLevel="debug"), lambda: close_all(closed))
    state = {path: rig.inside(read, path) for path in rig.leftovers()}
    deleted = run(rig, delete())

    assert "Traceback" not in added.err
    assert added.code == (1 if {0, 1} & set(closed) else 0)
    assert [path for path, text in state.items() if "level=" in text or "interfaces" in text] == []
    assert (deleted.code, deleted.out, rig.links(), rig.leftovers()) == (0, "", before, [])


def close_all(descriptors: tuple[int, ...]) -> None:
    for fd in descriptors:
        os.close(fd)


def read(path: str) -> str:
    with open(path) as file:
        return file.read()


def hung_up_terminal() -> int:
    ours, theirs = os.openpty()
    os.close(ours)
    return theirs


# how it is opened, and the code; read(2) of such a terminal says "end of file"
INPUTS: dict[str, tuple[Callable[[], int], int]] = {
    "a directory": (lambda: os.open("/", os.O_RDONLY), 5),
    "for writing only": (lambda: os.open("/dev/null", os.O_WRONLY), 5),
    "closed": (lambda: -1, 5),
    "a terminal that hung up": (hung_up_terminal, 6),
}


@pytest.mark.parametrize("door", ["sriov", "host-subnet"])
@pytest.mark.parametrize("what", INPUTS)
def test_standard_input_that_cannot_be_read_is_one_error_document(rig: Rig, what: str, door: str) -> None:
    """Without a snapshot CPython ends itself over a directory, before any code of ours: as in a checkout."""
    if what == "a directory" and not bundle.is_snapshot():
        pytest.skip("built with SNAPSHOT=no")
    source, code = INPUTS[what]
    told = {verb: with_input(rig, verb, source, door) for verb in ("ADD", "DEL", "VERSION")}

    for verb in ("ADD", "DEL"):
        assert (told[verb].code, told[verb].document["code"]) == (1, code), told[verb].out
        assert "Traceback" not in told[verb].err
    assert (told["VERSION"].code, told["VERSION"].document["cniVersion"]) == (0, "1.1.0"), told["VERSION"].err
    assert rig.leftovers() == []


def with_input(rig: Rig, verb: str, source: Callable[[], int], door: str) -> Answer:
    def act() -> Answer:
        fd = source()
        before = None if fd >= 0 else lambda: os.close(0)
        asked = call(verb, "hostile", POD, conf())
        done = subprocess.run(
            [door],
            executable=BUNDLE,
            env=asked.env,
            stdin=fd if fd >= 0 else None,
            capture_output=True,
            preexec_fn=before,
            timeout=20,
        )
        if fd >= 0:
            os.close(fd)
        return Answer(done.returncode, done.stdout, done.stderr)

    return rig.inside(act)


def test_who_asks_for_the_version_at_a_terminal_need_not_end_its_input(rig: Rig) -> None:
    ours, theirs = os.openpty()
    done = subprocess.run(
        [BUNDLE], env={"CNI_COMMAND": "VERSION"}, stdin=theirs, capture_output=True, timeout=20
    )
    os.close(ours)
    os.close(theirs)
    assert (done.returncode, "1.1.0" in json.loads(done.stdout)["supportedVersions"]) == (0, True)


@pytest.mark.parametrize("where", ["broken pipe", "full disk"])
def test_an_answer_that_nobody_takes_is_a_failure_in_one_line(rig: Rig, where: str) -> None:
    if where == "broken pipe":
        reader, stdout = os.pipe()
        os.close(reader)
    else:
        stdout = os.open("/dev/full", os.O_WRONLY)
    before = rig.links()

    added = run(rig, add(logLevel="error"), stdout=stdout)
    os.close(stdout)

    assert (added.code, len(added.err.splitlines())) == (1, 1), added.err
    assert added.err.startswith("cni-sriov: write the answer: ")
    assert (run(rig, delete()).code, rig.links(), rig.leftovers()) == (0, before, [])


@pytest.mark.parametrize("limit", [0, 10, 300, 700, 4000])
def test_a_file_size_limit_is_one_error_and_delete_goes_through_under_it(rig: Rig, limit: int) -> None:
    """As a full disk: SIGXFSZ would kill, if Python did not ignore it."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    before = rig.links()

    added = run(rig, add(), limited)

    assert (added.code, added.document["code"]) == (1, 5)
    assert rig.links() == before
    assert (run(rig, delete(), limited).code, rig.leftovers()) == (0, [])


def test_delete_of_a_finished_layer_2_attachment_needs_no_room(rig: Rig) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    before = rig.links()
    assert run(rig, add(ipam={})).code == 0

    deleted = run(rig, delete(ipam={}), limited)

    assert (deleted.code, rig.links(), rig.leftovers()) == (0, before, []), deleted.out


@pytest.mark.parametrize("mask", [0, 0o777])
def test_the_runtimes_umask_does_not_open_or_lock_our_directories(rig: Rig, mask: int) -> None:
    keys = {"stateDir": f"/var/lib/umask{mask}/sriov"}

    added = run(rig, add(**keys), lambda: os.umask(mask))
    modes = rig.run(
        "find", f"/var/lib/umask{mask}", "/run/cni-sriov", "-not", "-type", "l", "-printf", "%m %p\n"
    )
    deleted = run(rig, delete(**keys))

    assert (added.code, deleted.code) == (0, 0), added.out
    assert {line.split()[0] for line in modes.splitlines()} == {"700", "600"}, modes


def test_a_log_file_that_is_a_fifo_nobody_reads_does_not_hang(rig: Rig) -> None:
    rig.run("mkfifo", "/run/fifo")

    added = run(rig, add(logFile="/run/fifo"))

    assert (added.code, "log file not writable" in added.err) == (0, True)
    assert run(rig, delete(logFile="/run/fifo")).code == 0


def test_a_person_who_tries_it_out_is_told_what_it_is_and_does_not_wait(rig: Rig) -> None:
    asked = add()
    del asked.env["CNI_COMMAND"]

    def act() -> tuple[int, str, str]:
        with subprocess.Popen(
            asked.argv, env=asked.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout
            assert process.stderr
            code = process.wait(20)  # standard input stays open, as a terminal does
            return code, process.stdout.read().decode(), process.stderr.read().decode()

    code, out, err = rig.inside(act)

    assert (code, json.loads(out)["code"], "CNI plugin" in err) == (1, 4, True)


@pytest.mark.parametrize("depth", range(300, 1100, 10))
def test_deep_json_is_code_6_or_7_at_any_depth(rig: Rig, depth: int) -> None:
    """Between "the scanner takes it" and "repr() can say what it is" there are depths of their own."""
    asked = add()._replace(stdin=json.dumps(conf(mac=1))[:-2].encode() + b"[" * depth + b"]" * depth + b"}")

    answer = run(rig, asked)

    assert (answer.code, answer.document["code"] in {6, 7}) == (1, True), answer.out[:300]


@pytest.mark.parametrize("verb", ["ADD", "DEL"])
def test_root_of_another_user_namespace_is_105_in_one_sentence(rig: Rig, verb: str) -> None:
    asked = call(verb, "hostile", POD, conf(), ("unshare", "-Ur", str(BUNDLE)))

    answer = run(rig, asked)

    assert (answer.code, answer.document["code"], answer.err) == (1, 105, ""), answer.out


def test_parallel_calls_killed_at_random_leave_nothing() -> None:
    """Six attachments of two networks with a stateDir each, four VFs; the last DEL of each has to clean up."""
    confs = [conf(), conf(name="two", stateDir="/var/lib/cni/sriov2")]
    unclear: list[str] = []

    def storm(rig: Rig, mine: int) -> None:
        dice = random.Random(mine)
        for _ in range(25):
            who = dice.randrange(6) if dice.random() < 0.3 else mine
            asked = call(
                dice.choice(["ADD", "ADD", "DEL", "CHECK"]), f"c{who}", f"/run/netns/p{who}", confs[who % 2]
            )
            with rig.start(asked) as process:
                if dice.random() < 0.4:
                    time.sleep(dice.random() * 0.12)
                    process.send_signal(dice.choice([signal.SIGKILL, signal.SIGTERM]))
                out = process.communicate()[0].decode()
            if out and json.loads(out).get("code") in {5, 999}:
                unclear.append(out)

    with Rig(vfs=4) as rig:
        for index in range(6):
            rig.add_pod(f"p{index}")
        before = rig.links()

        with ThreadPoolExecutor(6) as threads:
            list(threads.map(storm, [rig] * 6, range(6)))
        last = [rig.answer(call("DEL", f"c{n}", f"/run/netns/p{n}", confs[n % 2])) for n in range(6)]

        assert (unclear, last) == ([], [(0, None)] * 6)
        assert (rig.links(), rig.leftovers(), rig.run("ls", "-A", "/var/lib/cni/sriov2")) == (before, [], "")


# the bundle itself ---------------------------------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(BUNDLE.parent, tmp_path / "bundle", symlinks=True)
    return tmp_path / "bundle"


@pytest.mark.parametrize("left", [0, 2, 300_000])
@pytest.mark.parametrize("verb", ["VERSION", "ADD"])
def test_a_bundle_that_was_cut_off_says_so_or_does_not_start(copy: Path, verb: str, left: int) -> None:
    """A snapshot's end is looked at in test_snapshot.py. PyInstaller's bootloader speaks for itself, on standard error."""
    os.truncate(copy / "sriov", left)
    try:
        done = subprocess.run([copy / "sriov"], env={"CNI_COMMAND": verb}, input=b"{}", capture_output=True)
    except OSError:
        return  # no program

    assert done.returncode != 0
    if bundle.is_snapshot():
        json.loads(done.stdout or b"null")
        assert done.stderr == b""
    else:
        assert (done.stdout, done.stderr != b"") == (b"", True)


@pytest.mark.parametrize("door", ["sriov", "host-subnet"])
def test_a_call_goes_on_while_its_bundle_is_taken_away(copy: Path, door: str) -> None:
    """`make install` and `make uninstall` remove what a call may still wait in."""
    env = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "c1", "CNI_NETNS": "/nowhere", "CNI_IFNAME": "net1"}
    process = subprocess.Popen([copy / door], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 20
    while "pipe_read" not in Path(f"/proc/{process.pid}/wchan").read_text():  # it waits for standard input
        assert time.monotonic() < deadline
        time.sleep(0.01)
    shutil.rmtree(copy)

    said, _ = process.communicate(json.dumps(conf(ipam={"type": "host-local"})).encode(), timeout=20)

    assert (process.returncode, json.loads(said)["code"]) == (1, 8 if door == "sriov" else 7), said


def test_the_callers_locale_is_of_no_consequence(rig: Rig) -> None:
    """A path is bytes: as UTF-8, whatever the locale says; the bundle has no other encodings."""
    asked = call("ADD", "hostile", "/run/netns/日本", conf())

    answer = run(rig, asked._replace(env=asked.env | {"LC_ALL": "POSIX", "PYTHONUTF8": "0"}))

    assert (answer.code, answer.document["code"], answer.err) == (1, 8, ""), answer.out
    assert "日本" in answer.document["msg"]
