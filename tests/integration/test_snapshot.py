"""The startup snapshot (build/snapshot): what is in the file, and that a call is a process of its own.

What a call cannot be asked from outside is asked of a snapshot that the same program makes with another door
(tests/snapshot/probe.py).
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from tests import bundle
from tests.integration.rig import Call, Rig, call, conf, vf_pci
from tests.pages import ROOT
from tests.snapshot import probe as probes

sys.path.insert(0, str(ROOT / "build" / "snapshot"))
import elf

pytestmark = [
    pytest.mark.bundle,
    pytest.mark.skipif(not bundle.is_snapshot(), reason="built with SNAPSHOT=no"),
]
READ, WRITE, EXECUTE = 4, 2, 1  # PF_*, elf.h
LOAD, DYNAMIC, INTERP, STACK, RELRO = 1, 2, 3, 0x6474E551, 0x6474E552  # PT_*
MB = 1 << 20
RT_SIGACTION = {"x86_64": 13, "aarch64": 134}[platform.machine()]  # asm/unistd.h


def sriov(verb: str = "VERSION", stdin: bytes = b"", **how: Any) -> subprocess.CompletedProcess[bytes]:
    env = {"CNI_COMMAND": verb} | how.pop("env", {})
    return subprocess.run([bundle.sriov()], env=env, input=stdin, capture_output=True, timeout=60, **how)


def answer(done: subprocess.CompletedProcess[bytes]) -> Any:
    assert done.stderr == b""
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return probes.build(tmp_path_factory.mktemp("probe"))


# the file ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def image() -> bytes:
    return bundle.sriov().read_bytes()


def test_no_segment_is_writable_and_executable_and_the_tables_of_the_linker_are_read_only(
    image: bytes,
) -> None:
    found = elf.segments(image)
    flags = {segment.type: segment.flags for segment in found if segment.type in {STACK, RELRO}}

    assert [segment for segment in found if segment.flags & WRITE and segment.flags & EXECUTE] == []
    assert flags == {STACK: READ | WRITE, RELRO: READ}
    assert sum(segment.type == LOAD and bool(segment.flags & EXECUTE) for segment in found) == 1


def test_it_needs_no_loader_and_no_library(image: bytes) -> None:
    assert {DYNAMIC, INTERP} & {segment.type for segment in elf.segments(image)} == set()


def test_the_file_ends_with_its_last_segment_in_a_byte_that_is_not_0(image: bytes) -> None:
    """Whatever is cut off is missed: by the kernel, or by `check_file`."""
    assert max(segment.offset + segment.filesz for segment in elf.segments(image)) == len(image)
    assert image[-1] != 0


def test_nothing_of_this_machine_is_in_it(image: bytes) -> None:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    words = [str(ROOT), str(bundle.OUT), str(Path.home() / ".cache"), boot, str(Path(sys.prefix))]
    words += [host for host in (socket.gethostname(), os.uname().nodename) if len(host) > 4]
    words += [value for value in os.environ.values() if len(value) > 12 and value != "xterm-256color"]

    assert [word for word in words if word.encode() in image] == []


def test_pythons_compiler_is_left_out(image: bytes) -> None:
    """What is at its place in memory is a crash; who would call it is gone, too (preload.py)."""
    linked = bundle.raw().read_bytes()
    told = subprocess.run(["readelf", "-SW", bundle.raw()], capture_output=True, text=True, check=True).stdout
    ((address, size),) = re.findall(r"\] pybuild +PROGBITS +([0-9a-f]+) [0-9a-f]+ ([0-9a-f]+) ", told)
    start, end = elf.section(linked, "pybuild")
    (code,) = (one for one in elf.segments(image) if one.type == LOAD and one.flags & EXECUTE)

    assert (start, end) == (int(address, 16), int(address, 16) + int(size, 16))
    assert code.vaddr + code.memsz == start
    assert end - start > 400_000
    said = b"invalid syntax. Perhaps you forgot a comma?"
    assert (said in linked, said in image) == (True, False)
    with pytest.raises(ValueError, match="no section pysomething"):
        elf.section(linked, "pysomething")


def test_a_person_is_told_what_it_carries() -> None:
    """A fix of these is a reason to build it anew (RELEASING.md)."""
    done = subprocess.run([bundle.sriov()], env={}, input=b"", capture_output=True)

    python = f"Python {'.'.join(map(str, sys.version_info[:3]))}"
    owner = subprocess.run(
        [
            "dpkg-query",
            "-W",
            "-f=${Package} ${Version}",
            f"libpython{sys.version_info[0]}.{sys.version_info[1]}-dev",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f"{python}, {os.confstr('CS_GNU_LIBC_VERSION')}" in done.stderr.decode()
    assert owner in done.stderr.decode()


# what is where -------------------------------------------------------------------------------------------------------

# Faults of a whole ADD (getrusage's minflt): 880 without hot.c, 760 where free places were strewn, 540 to 570 now, by how the
# file lies in the page cache. A VERSION has 180.
MOST_FAULTS = 640


def test_each_block_that_calls_touch_is_where_it_was_to_be() -> None:
    """The runs of the build ask for the same memory in the same order (hot.c), or its numbers mean nothing."""
    touched = (bundle.OUT / "snapshot" / "hot").stat().st_size // 12

    assert touched > 2000
    assert f", {touched} blocks together" in (bundle.OUT / "snapshot.told").read_text()


@pytest.mark.root
def test_an_add_copies_few_pages() -> None:
    with Rig(vfs=2) as rig:
        pod = rig.add_pod("pages")
        mine = conf(deviceID=vf_pci(0))
        rig.answer(call("ADD", "first", pod, mine))
        rig.answer(call("DEL", "first", pod, mine))

        faults = rig.inside(faults_of, call("ADD", "pages", pod, mine))

        rig.answer(call("DEL", "pages", pod, mine))
    assert 300 < faults < MOST_FAULTS


def faults_of(one: Call) -> int:
    stdin, feed = os.pipe()
    os.write(feed, one.stdin)
    os.close(feed)
    files = [(os.POSIX_SPAWN_DUP2, stdin, 0), (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    pid = os.posix_spawn(one.argv[0], one.argv, one.env, file_actions=files)
    os.close(stdin)
    _, status, usage = os.wait4(pid, 0)
    assert status == 0
    return usage.ru_minflt


# a file that is not whole --------------------------------------------------------------------------------------------


def damaged(tmp_path: Path, image: bytes) -> Path:
    path = tmp_path / "sriov"
    path.write_bytes(image)
    path.chmod(0o755)
    return path


def outcome(path: Path) -> tuple[int, list[Any], bytes]:
    """Exit status (no program = 126), the documents, standard error. One that writes without an end has told none."""
    env = {"CNI_COMMAND": "VERSION"}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            done = subprocess.run(
                [path],
                env=env,
                input=b"{}",
                stdout=out,
                stderr=err,
                preexec_fn=limit_what_a_flipped_bit_may_do,
            )
        except OSError:
            return 126, [], b""
        told = [os.pread(file.fileno(), MB, 0) for file in (out, err)]
    lines = told[0].splitlines() if len(told[0]) < MB else []
    return done.returncode, [json.loads(line) for line in lines], told[1]


def limit_what_a_flipped_bit_may_do() -> None:
    """A length of 22 GB was written, and kept in memory here."""
    no_core()
    for what, most in (
        (resource.RLIMIT_FSIZE, MB),
        (resource.RLIMIT_CPU, 20),
        (resource.RLIMIT_AS, 256 * MB),
    ):
        resource.setrlimit(what, (most, most))


def no_core() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@pytest.mark.parametrize("missing", [1, 100, 3000, 4096, 5000, MB, 6 * MB, -4096, -64, 0])
@pytest.mark.parametrize("fill", [False, True], ids=["cut off", "zeros to its length"])
def test_a_file_that_was_copied_half_is_refused_or_says_so(
    tmp_path: Path, image: bytes, missing: int, fill: bool
) -> None:
    """A negative number: only that much is there. The kernel cannot map the rest, or the last byte is not there."""
    left = image[: len(image) - missing if missing > 0 else -missing]

    status, documents, err = outcome(damaged(tmp_path, left.ljust(len(image), b"\0") if fill else left))

    assert status != 0
    assert [document["code"] for document in documents] in ([], [999])
    assert err == b""


def test_a_flipped_bit_changes_nothing_or_is_one_error(tmp_path: Path, image: bytes) -> None:
    """Most bits a VERSION does not read. What it answers with status 0 is right, or a letter of it is another one."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    right = outcome(bundle.sriov())
    for _ in range(60):
        flipped = bytearray(image)
        where = dice.randrange(len(image) * 8)
        flipped[where // 8] ^= 1 << where % 8

        status, documents, _ = outcome(damaged(tmp_path, bytes(flipped)))

        if (status, documents) != right[:2]:
            assert [document.get("code") for document in documents] in ([], [999]), where
            assert status != 0


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE])
def test_a_crash_is_one_error_and_the_signal_takes_its_course(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [bundle.sriov()],
        env={"CNI_COMMAND": "VERSION"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=no_core,  # noqa: PLW1509 # the child does nothing but this
    )
    wait_for_input(process)
    process.send_signal(number)
    out, _ = process.communicate(b"")

    assert (process.returncode, json.loads(out)["code"]) == (-number, 999)


def wait_for_input(process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while "pipe_read" not in Path(f"/proc/{process.pid}/wchan").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# a process of its own ------------------------------------------------------------------------------------------------


def test_process_and_thread_ids_are_its_own(probe: Path) -> None:
    code = """
import _thread, os, sys, threading
main = threading.main_thread()
is_same = [main.ident, *sys._current_frames()] == [_thread.get_ident()] * 2
answer = os.getpid(), _thread.get_native_id(), main.native_id, is_same
"""
    running = probes.start(probe, code)
    out, err = running.communicate()

    assert json.loads(out or b"null") == [running.pid] * 3 + [True], err


def test_a_second_thread_runs(probe: Path) -> None:
    """Nothing of ours starts one; the GIL, its lock and its condition are those of a living interpreter."""
    code = """
import threading
answer = []
threads = [threading.Thread(target=lambda n=n: [answer.append(n) for _ in range(1000)]) for n in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
answer = len(answer)
"""
    assert probes.ask(probe, code) == 4000


def test_environment_and_arguments_are_the_callers(probe: Path) -> None:
    code = "import os, posix, sys; answer = sorted(os.environ.items()), len(posix.environ), sys.argv[2:], sys.orig_argv[2:]"
    env = {"A": "1", "EMPTY": "", "WIDE": "ä\udcff", "EQUALS": "a=b"}

    found = probes.ask(probe, code, "one", "zwö", env=env)

    assert found == [[list(pair) for pair in sorted(env.items())], 4, ["one", "zwö"], ["one", "zwö"]]


def test_of_two_variables_with_one_name_the_first_counts(probe: Path) -> None:
    """As in any Python; execve takes what it is given, so it is given by hand."""
    code = "import os; answer = dict(os.environ)"
    run = f"""
import ctypes
argv = (ctypes.c_char_p * 3)({str(probe)!r}.encode(), {code!r}.encode(), None)
env = (ctypes.c_char_p * 4)(b"A=1", b"A=2", b"no equals sign", None)
ctypes.CDLL(None).execve(argv[0], argv, env)
"""
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, check=True)

    assert json.loads(done.stdout) == {"A": "1"}


@pytest.mark.parametrize("mask", [0, 0o27, 0o777])
def test_the_umask_is_inherited(probe: Path, mask: int) -> None:
    assert probes.ask(probe, "import os; answer = os.umask(0)", preexec_fn=lambda: os.umask(mask)) == mask


def test_signal_dispositions_are_those_that_a_python_has(probe: Path) -> None:
    """Ignored, as a runtime may leave them, and not: the kernel's word, and the interpreter's own table. What else this
    process ignores (32 and 33 are libc's own: no program of ours can give those back) is inherited by both.
    """
    code = """
import _signal
fields = dict(line.split(":", 1) for line in open("/proc/self/status"))
table = {n: repr(_signal.getsignal(n)) for n in _signal.valid_signals() if _signal.getsignal(n) != _signal.SIG_DFL}
answer = int(fields["SigIgn"], 16), int(fields["SigBlk"], 16), table
"""
    ignored = {signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD, signal.SIGRTMIN + 3}

    def inherit() -> None:
        ignore_a_signal_of_libc()
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})

    ordinary = [sys.executable, "-I", "-S", "-c", code + "import json; print(json.dumps(answer))"]
    for asked, inherited in ((inherit, ignored), (None, set())):
        python = subprocess.run(ordinary, stdout=subprocess.PIPE, check=True, preexec_fn=asked)
        kernel, blocked, table = probes.ask(probe, code, preexec_fn=asked)

        assert [kernel, blocked, table] == json.loads(python.stdout)
        always = {signal.SIGPIPE, signal.SIGXFSZ}
        assert {int(n) for n, handler in table.items() if handler == "1"} >= {*map(int, always | inherited)}
        assert table["2"] == "<built-in function default_int_handler>"


def ignore_a_signal_of_libc() -> None:
    """As CI's starter left it once (2026-11-25): by the kernel's own call, for glibc's refuses the number."""
    action = (ctypes.c_ulong * 4)(1)  # SIG_IGN, no flags, no restorer, no mask
    assert ctypes.CDLL(None, use_errno=True).syscall(RT_SIGACTION, 32, action, None, 8) == 0


def test_an_interrupt_raises_and_an_ignored_one_does_not(probe: Path) -> None:
    code = """
import os
try:
    os.kill(os.getpid(), 2)
    answer = "nothing"
except KeyboardInterrupt:
    answer = "raised"
"""
    assert probes.ask(probe, code) == "raised"
    assert (
        probes.ask(probe, code, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) == "nothing"
    )


def test_the_door_lets_children_be_waited_for_and_alarms_arrive() -> None:
    """Of the real one: before it reads its input it has set SIGCHLD and SIGALRM right. A VERSION needs neither."""

    def inherit() -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM, signal.SIGUSR1})

    process = subprocess.Popen(
        [bundle.sriov()],
        env={"CNI_COMMAND": "ADD"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=inherit,  # noqa: PLW1509 # the child does nothing but this
    )
    wait_for_input(process)
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
    process.communicate(b"")

    assert int(fields["SigIgn"], 16) & 1 << signal.SIGCHLD - 1 == 0
    assert int(fields["SigBlk"], 16) == 1 << signal.SIGUSR1 - 1


def test_it_has_descriptors_0_to_2_alone_and_writes_by_them(probe: Path, tmp_path: Path) -> None:
    code = """
import os, sys
answer = [fd for fd in sorted(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd/" + fd)]
print("told", file=sys.stderr, flush=True)
answer.append(sys.stdin.read())
"""
    (tmp_path / "in").write_text("given")
    with (tmp_path / "in").open() as stdin, (tmp_path / "err").open("w") as stderr:
        found = probes.ask(probe, code, stdin=stdin, stderr=stderr)

    assert found == ["0", "1", "2", "given"]
    assert (tmp_path / "err").read_text() == "told\n"


def test_time_is_now_and_the_zone_is_the_callers(probe: Path) -> None:
    code = "import time; answer = time.time(), time.monotonic(), time.localtime(0).tm_hour, hasattr(time, 'tzname')"

    before = time.time(), time.monotonic()
    wall, monotonic, hour, _ = probes.ask(probe, code, env={"TZ": "XYZ-5"})
    *_, utc, has_zone = probes.ask(probe, code, env={})

    assert before[0] <= wall <= time.time()
    assert before[1] <= monotonic <= time.monotonic()
    assert (hour, utc) == (5, time.localtime(0).tm_hour)
    assert not has_zone  # the builder's


def test_two_calls_draw_different_random_numbers_and_none_was_drawn_before(probe: Path) -> None:
    code = "import os; answer = os.urandom(16).hex(), os.getrandom(16).hex()"

    assert len({number for _ in range(3) for number in probes.ask(probe, code)}) == 6


def test_what_is_not_in_the_picture_cannot_be_imported(probe: Path, tmp_path: Path) -> None:
    (tmp_path / "stranger.py").write_text("")
    code = """
import sys
answer = [sys.path, sys.path_hooks, sys.executable, sys.prefix]
for name in ("stranger", "subprocess", "ctypes", "cni_sriov.ctl"):
    try:
        __import__(name)
    except ImportError:
        answer.append(name)
"""
    found = probes.ask(probe, code, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path), "PYTHONHOME": "/usr"})

    assert found == [[], [], "", "", "stranger", "subprocess", "ctypes", "cni_sriov.ctl"]


def test_no_module_says_where_its_source_lies(probe: Path) -> None:
    """Python finds its library's directory on the builder's machine, if there is one, and has frozen modules say so."""
    code = (
        "import sys; answer = [name for name, module in sys.modules.items() if hasattr(module, '__file__')]"
    )
    assert probes.ask(probe, code) == []


def test_no_page_is_writable_and_executable(probe: Path) -> None:
    code = "answer = [line for line in open('/proc/self/maps') if 'wx' in line.split()[1]]"

    assert probes.ask(probe, code) == []


@pytest.mark.parametrize("turn", range(8))
def test_after_the_room_is_full_memory_comes_from_libc(probe: Path, turn: int) -> None:
    """Blocks of all sizes, more than the picture has room for, grown, shrunk, freed; then once more. Each time libc's heap
    is somewhere else: right behind the picture, or far away.
    """
    code = """
answer = 0
for _ in range(2):
    blocks = [bytearray(size) for size in range(0, 200_000, 331)]
    for number, block in enumerate(blocks):
        block[:] = bytes([number % 251]) * len(block)
        block.extend(b"x" * (number % 5000))
        del block[len(block) // 2 + 1 :]
    small = [[object() for _ in range(9)] for _ in range(30_000)]
    answer += sum(set(block[: number // 3]) <= {number % 251} for number, block in enumerate(blocks))
    del blocks, small
"""
    assert probes.ask(probe, code) == 2 * len(range(0, 200_000, 331))


@pytest.mark.parametrize("name", ["compile", "eval", "exec"])
def test_nothing_is_compiled_at_a_call(probe: Path, name: str) -> None:
    assert probes.ask(probe, f"import builtins; answer = builtins.{name}") is None


def test_recursion_ends_in_an_exception(probe: Path) -> None:
    code = """
def down(n):
    return down(n + 1)
try:
    down(0)
except RecursionError:
    answer = "deep"
"""
    assert probes.ask(probe, code) == "deep"


# where it runs -------------------------------------------------------------------------------------------------------

VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(("setarch", "-R"), id="no random addresses"),
        pytest.param(("setarch", "--addr-compat-layout"), id="old layout"),
        pytest.param(("prlimit", "--stack=unlimited"), id="unlimited stack"),
        pytest.param(("prlimit", "--stack=131072"), id="128 KB of stack"),
        pytest.param(("prlimit", f"--as={16 * MB}"), id="16 MB of addresses"),
        pytest.param(("prlimit", "--nofile=3"), id="three descriptors"),
        pytest.param(("prlimit", f"--data={11 * MB}"), id="11 MB of data"),
    ],
)
def test_version_is_answered_in_narrow_places(before: tuple[str, ...]) -> None:
    env = {"CNI_COMMAND": "VERSION", "PATH": os.environ["PATH"]}

    done = subprocess.run([*before, bundle.sriov()], env=env, input=b"", capture_output=True)

    assert answer(done)["supportedVersions"] == VERSIONS


@pytest.mark.parametrize("limit", [MB, 4 * MB, 11 * MB, 12 * MB, 13 * MB])
def test_where_there_is_too_little_memory_it_fails_and_never_half_works(limit: int) -> None:
    done = sriov(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))

    if done.returncode:
        assert [json.loads(line)["code"] for line in done.stdout.splitlines()] in ([], [999])
    else:
        assert json.loads(done.stdout)["supportedVersions"] == VERSIONS


def test_eight_megabytes_of_input_are_read_and_more_are_refused() -> None:
    whole = json.dumps({"cniVersion": "1.0.0", "name": "x" * (8 * MB - 100)}).encode()
    many = json.dumps(
        {"cniVersion": "1.0.0", "many": [{"a": [n], "b": str(n)} for n in range(200_000)]}
    ).encode()

    assert answer(sriov(stdin=whole))["cniVersion"] == "1.0.0"
    assert answer(sriov(stdin=many))["cniVersion"] == "1.0.0"
    assert answer(sriov("ADD", whole + b" " * MB, env={"CNI_CONTAINERID": "c"}))["code"] == 5


@pytest.mark.root
@pytest.mark.parametrize(("names", "code"), [(900, 8), (1025, 7), (200_000, 7)])
def test_a_document_with_too_many_names_is_refused(names: int, code: int) -> None:
    """Their hashes are known to everybody. 8: it has gone on to the network namespace, which is not there."""
    asked = call("ADD", "many", "/nowhere", conf(unknown=[{f"name{n}": n} for n in range(names)]))

    done = sriov("ADD", asked.stdin, env=asked.env)

    assert json.loads(done.stdout)["code"] == code, done.stdout


@pytest.mark.root
def test_it_runs_in_a_root_that_holds_nothing_else(tmp_path: Path) -> None:
    """No libc, no locale, no /tmp, no /dev, no /proc."""
    shutil.copy(bundle.sriov(), tmp_path / "sriov")

    done = subprocess.run(
        ["/usr/sbin/chroot", tmp_path, "/sriov"],
        env={"CNI_COMMAND": "VERSION"},
        input=b"",
        capture_output=True,
    )

    assert answer(done)["supportedVersions"] == VERSIONS
