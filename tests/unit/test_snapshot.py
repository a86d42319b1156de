"""The startup snapshot's sources (build/snapshot): its C, its heap, its ELF, and what the modules do when they come in.

What is in the file, and how a call wakes, is in tests/integration/test_snapshot.py.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import random
import shutil
import struct
import subprocess
import sys
import sysconfig
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Any

import pytest

from tests.lab import apt
from tests.pages import ROOT

SOURCES = ROOT / "build" / "snapshot"
HERE = ROOT / "tests" / "snapshot"
sys.path.insert(0, str(SOURCES))
import elf  # noqa: E402
import picture  # noqa: E402
import source  # noqa: E402

needs_gcc = pytest.mark.skipif(
    shutil.which("gcc") is None or not Path(sysconfig.get_path("include"), "Python.h").exists(),
    reason="no gcc, or no Python.h",
)
STRICT = (
    *(
        "-Wall",
        "-Wextra",
        "-Wshadow",
        "-Wconversion",
        "-Wno-sign-conversion",
        "-Wstrict-prototypes",
        "-Wmissing-prototypes",
        "-Wold-style-definition",
        "-Wpointer-arith",
    ),
    *(
        "-Wcast-qual",
        "-Wwrite-strings",
        "-Wvla",
        "-Wundef",
        "-Wformat=2",
        "-Wnull-dereference",
        "-Wdouble-promotion",
        "-fanalyzer",
    ),
    "-Wno-analyzer-malloc-leak",  # an allocator gives it away, and the builder keeps its table to the end
    "-Wno-analyzer-tainted-assertion",  # gcc 14 takes it for one that a file of the build's own is refused
)
VALGRIND = ("valgrind", "-q", "--error-exitcode=9", "--leak-check=no")


# the C ---------------------------------------------------------------------------------------------------------------


@needs_gcc
@pytest.mark.parametrize("source", [*picture.C_FILES, "room.c"])
def test_the_compiler_and_its_analyzer_have_nothing_to_say(source: str, tmp_path: Path) -> None:
    """CPython's own headers are not ours to mend: they count as the system's."""
    include = Path(sysconfig.get_path("include"))
    theirs = [
        word for path in (include, include / "internal", include.parent) for word in ("-isystem", str(path))
    ]
    options = ["-std=gnu11", "-O2", *STRICT, *theirs, f"-I{SOURCES}", "-DMODULES=M(posix)"]

    done = subprocess.run(
        ["gcc", *options, "-c", SOURCES / source, "-o", tmp_path / "object"], capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("source", sorted(path.name for path in SOURCES.glob("*.[ch]")))
def test_the_c_is_laid_out_as_cpythons(source: str) -> None:
    """PEP 7: four blanks, no tabs, a function's name at the start of a line."""
    lines = (SOURCES / source).read_text().splitlines()

    assert [line for line in lines if "\t" in line or line != line.rstrip() or len(line) > 120] == []


@needs_gcc
@pytest.mark.parametrize(
    ("options", "tool"),
    [
        pytest.param(("-fsanitize=undefined", "-fno-sanitize-recover"), (), id="sanitizer"),
        pytest.param((), VALGRIND, id="valgrind", marks=pytest.mark.slow),
    ],
)
def test_the_heap_keeps_blocks_apart(tmp_path: Path, options: tuple[str, ...], tool: tuple[str, ...]) -> None:
    if tool and shutil.which(tool[0]) is None:
        pytest.skip(f"no {tool[0]}")
    sources = [SOURCES / "heap.c", SOURCES / "room.c", HERE / "heap_check.c"]
    built = ["gcc", "-O1", "-g", *options, f"-I{SOURCES}", *map(str, sources), "-o", str(tmp_path / "check")]
    subprocess.run(built, check=True)
    seed = random.randrange(1 << 32)

    done = subprocess.run([*tool, tmp_path / "check", str(seed)], capture_output=True, text=True)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), seed


# the executable ------------------------------------------------------------------------------------------------------


def image_of(*segments: elf.Segment, body: bytes) -> bytes:
    header = elf.HEADER.pack(b"\x7fELF", 2, 62, 1, 0x400000, 64, 9999, 0, 64, 56, len(segments), 64, 9, 8)
    table = b"".join(elf.SEGMENT.pack(*segment) for segment in segments)
    return bytes(header + table).ljust(0x1000, b"c") + body + b"section headers"


def parts_of(*parts: tuple[int, bytes], end: int) -> bytes:
    told = b"".join(struct.pack("=QQ", address, len(data)) + data for address, data in parts)
    return told + struct.pack("=QQ", end, 0)


CODE = elf.Segment(elf.LOAD, 5, 0, 0x400000, 0x400000, 0x1000, 0x1000, 0x1000)
DATA = elf.Segment(elf.LOAD, 6, 0x1000, 0x402000, 0x402000, 8, 0x10000, 0x1000)


def test_parts_are_put_where_they_were_and_the_file_ends_with_the_last_of_them() -> None:
    image = image_of(CODE, DATA, body=b"libcdata")

    made = elf.with_parts(image, parts_of((0x402004, b"PY"), (0x402010, b"HEAP"), end=0x403000))

    assert elf.segments(made) == [CODE, DATA._replace(filesz=0x14, memsz=0x1000)]
    assert made[0x1000:] == b"libcPYta" + bytes(8) + b"HEAP"
    assert made[200:0x1000] == image[200:0x1000]
    assert elf.HEADER.unpack_from(made)[6] == 0  # no section headers


@pytest.mark.parametrize("address", [0x401FFF, 0x400100, 0x412000 - 2])
def test_a_part_elsewhere_is_refused(address: int) -> None:
    with pytest.raises(ValueError, match="not in the last segment"):
        elf.with_parts(image_of(CODE, DATA, body=b"libcdata"), parts_of((address, b"data"), end=address + 4))


LONG = elf.Segment(elf.LOAD, 5, 0, 0x400000, 0x400000, 0x2FFE, 0x2FFE, 0x1000)
BEHIND = elf.Segment(elf.LOAD, 6, 0x3000, 0x404000, 0x404000, 8, 0x10000, 0x1000)


def test_the_end_of_a_segment_is_left_out_and_what_is_behind_it_in_the_file_moves_up() -> None:
    image = image_of(LONG, BEHIND, body=b"kept".ljust(0x1000) + b"left out".ljust(0x1000) + b"libcdata")

    made = elf.without(image, 0x402000, 0x402FFE)

    assert elf.segments(made) == [LONG._replace(filesz=0x2000, memsz=0x2000), BEHIND._replace(offset=0x2000)]
    assert made[0x1000:0x2008] == b"kept".ljust(0x1000) + b"libcdata"


@pytest.mark.parametrize(
    ("start", "end", "behind"),
    [(0x401800, 0x402FFE, 0x3000), (0x402000, 0x402FFE, 0x4000), (0x402000, 0x402F00, 0x3000)],
    ids=["not a page", "there is a hole in the file behind it", "not the end"],
)
def test_what_is_not_whole_pages_is_not_left_out(start: int, end: int, behind: int) -> None:
    with pytest.raises(ValueError, match="not a number of pages"):
        elf.without(image_of(LONG, BEHIND._replace(offset=behind), body=bytes(0x4000)), start, end)


# what comes in -------------------------------------------------------------------------------------------------------

# Executes all of it as the snapshot does, in a bare interpreter that tells which files are opened and in which nobody
# can ask for the time, ids, randomness, the machine's name or the environment.
WATCH = """
import posix, sys, time
opened, trapped = [], []
sys.path.insert(0, sys.argv[1])

def trap(name):
    def asked(*_, **__):
        frame = sys._getframe(1)
        trapped.append(f"{frame.f_code.co_filename}:{frame.f_lineno} asks for {name}")
        raise OSError(name)
    return asked

class Environment(dict):
    def asked(self, *_):
        trap("the environment")()
    __getitem__ = __contains__ = __iter__ = get = items = keys = values = asked

for module, names in (
    (time, "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns process_time localtime gmtime ctime"),
    (posix, "getpid getppid getuid geteuid getgid uname urandom getrandom getcwd times getlogin cpu_count"),
):
    for name in names.split():
        if hasattr(module, name):
            setattr(module, name, trap(name))
posix.environ = Environment()

def hook(event, arguments):
    if event == "open":
        opened.append(str(arguments[0]))
    elif event.partition(".")[0] in {"socket", "subprocess", "os", "fcntl", "signal", "ctypes", "urllib"}:
        if event not in {"os.listdir"}:  # of the directories of sys.path, by the importer
            trapped.append(f"{event} {arguments}")

sys.addaudithook(hook)
for name in sys.argv[2:]:
    __import__(name)
import json
sys.stdout.write(json.dumps([opened, trapped]))
"""


@functools.cache
def python_modules() -> dict[str, Path]:
    python: dict[str, Path] = picture.modules(set(sys.builtin_module_names) | {"_json"})[0]
    return python


def all_modules() -> list[str]:
    return [name for name in python_modules() if name not in {"warm", "preload"}]


def test_no_module_reads_the_world_when_it_is_imported() -> None:
    """What it read would be the builder's, in each call."""
    argv = [sys.executable, "-I", "-S", "-B", "-c", WATCH, str(ROOT), *all_modules()]

    done = subprocess.run(argv, capture_output=True, text=True)

    assert done.stderr == ""
    opened, trapped = json.loads(done.stdout)
    stdlib = sysconfig.get_path("stdlib")
    assert trapped == []
    assert {path for path in opened if not path.startswith((f"{ROOT}/cni_sriov/", f"{stdlib}/"))} == set()
    assert any("/cni_sriov/doors/" in path and "/cni." in path for path in opened)


def test_the_trap_is_no_blank(tmp_path: Path) -> None:
    (tmp_path / "nosy.py").write_text(
        "import posix, time\ntry:\n    time.time(), posix.environ[b'A']\nexcept OSError:\n    pass\n"
    )
    argv = [sys.executable, "-I", "-S", "-B", "-c", WATCH, str(tmp_path), "nosy"]

    done = subprocess.run(argv, capture_output=True, text=True, check=True)

    assert [told.partition(": ")[0].rpartition(" ")[2] for told in json.loads(done.stdout)[1]] == ["time"]


# Runs warm.py where every function of posix, time and _signal is trapped, and then tells what is to be reached from the
# modules that was not before, by type.
REHEARSE = """
import gc, os, posix, sys, time, _signal, _abc
from collections import Counter
source = sys.argv[1]
sys.path.insert(0, sys.argv[2])
for name in sys.argv[3:]:
    __import__(name)
with open(source) as file:
    code = compile(file.read(), "warm.py", "exec")
trapped = []

def trap(name):
    def asked(*_, **__):
        trapped.append(name)
        raise OSError(name)
    return asked

def reached():
    for value in gc.get_objects():
        if isinstance(value, type) and hasattr(value, "_abc_impl"):
            _abc._reset_caches(value)  # whether a class is an abstract one's: that may be known
    gc.collect()
    found, more = {}, [module for module in sys.modules.values() if vars(module) is not globals()]
    while more:
        value = more.pop()
        if id(value) not in found and value is not globals():
            found[id(value)] = value
            more += gc.get_referents(value)
    return Counter([type(one).__name__ for one in found.values() if type(one) is not set or one])

def hook(event, arguments):
    if is_on and event.partition(".")[0] in {"open", "socket", "subprocess", "os", "fcntl", "signal", "ctypes", "time"}:
        trapped.append(event)

is_on = False
sys.addaudithook(hook)
real = {}
for module in (os, posix, time, _signal):
    for name, value in list(vars(module).items()):
        if type(value) is type(len) and name not in {"fspath", "_path_normpath"}:
            real[module, name] = value
            setattr(module, name, trap(name))
before = reached()
is_on = True
exec(code, {"__name__": "warm"})
is_on = False
after = reached()
for (module, name), value in real.items():
    setattr(module, name, value)
import json
left = {name: after[name] - before[name] for name in after | before if after[name] != before[name]}
sys.stdout.write(json.dumps([trapped, left]))
"""


def rehearsed(source: Path) -> list[Any]:
    """[what it asked for, what it left]"""
    argv = [sys.executable, "-I", "-S", "-B", "-c", REHEARSE, str(source), str(ROOT), *all_modules()]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.stderr == ""
    told: list[Any] = json.loads(done.stdout)
    return told


def test_the_rehearsal_asks_nobody_and_leaves_nothing() -> None:
    assert rehearsed(SOURCES / "warm.py") == [[], {}]


def test_a_rehearsal_that_asks_or_leaves_something_is_seen(tmp_path: Path) -> None:
    (tmp_path / "warm.py").write_text(
        "import os\nfrom cni_sriov.words import pci\n"
        "try:\n    os.stat('/')\nexcept OSError:\n    pci.parse_pci_address('0000:01:00.0')\n"
    )

    asked, left = rehearsed(tmp_path / "warm.py")

    assert asked == ["stat"]
    assert left["str"] > 0


def test_every_module_that_the_door_imports_is_in_it_and_none_of_sriovctls() -> None:
    finder = ModuleFinder([str(ROOT), sysconfig.get_path("stdlib")], excludes=["ctypes", "inspect"])
    finder.import_hook("cni_sriov.doors.cni")
    names = set(all_modules())

    assert {name for name in finder.modules if name.startswith("cni_sriov")} == {
        name for name in names if name.startswith("cni_sriov")
    }
    assert {name for name in names if name.startswith("cni_sriov.ctl") or name.endswith(".doctor")} == set()
    assert {"json.decoder", "encodings.utf_8", "re"} <= names


def test_what_only_the_making_of_classes_needs_is_not_in_it() -> None:
    python, _ = picture.modules(set(sys.builtin_module_names) | {"_json"})

    assert {"copy", "dataclasses", "inspect"} <= python.keys()
    assert {python["copy"].parent, python["inspect"].parent} == {SOURCES}
    assert {"ast", "dis", "tokenize", "weakref"} & python.keys() == set()


def test_what_is_compiled_names_no_path_of_this_machine() -> None:
    table = picture.frozen(python_modules())

    assert [word for word in (str(ROOT), os.path.expanduser("~"), sys.prefix) if word.encode() in table] == []


# what apt-get(8) and dpkg-source(1) leave in a directory
APT_GET = """#!/bin/sh
touch {name}.orig.tar.gz
case " $* " in *" --tar-only "*) ;; *) touch {name}-6.dsc {name}-6.debian.tar.xz ;; esac
"""
DPKG_SOURCE = """#!/bin/sh
mkdir -p "$4/Modules" && echo "of $3" > "$4/Modules/_json.c"
"""


def test_with_an_empty_cache_the_file_that_the_library_lacks_comes_from_the_whole_source_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}_{platform.python_version()}"
    programs = tmp_path / "bin"
    programs.mkdir()
    for program, text in (("apt-get", APT_GET.format(name=name)), ("dpkg-source", DPKG_SOURCE)):
        (programs / program).write_text(text)
        (programs / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    suite = apt.Suite("debian", "bookworm", ("main",), (), "bookworm", "")
    monkeypatch.setattr(apt, "private_apt", lambda: apt.Apt(suite, tmp_path))

    monkeypatch.setenv("CNI_SRIOV_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(picture, "library", Path)
    monkeypatch.setattr(picture, "builtin", lambda _library: set())

    found = source.json_c()

    assert [path.name for path in found.parent.iterdir()] == ["_json.c"]
    assert found.read_text().endswith(f"/{name}-6.dsc\n")
