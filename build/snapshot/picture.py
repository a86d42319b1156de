"""`sriov` as one static file: a picture of a CPython that has started and imported everything (README.md here).

Takes libpython.a apart so that its variables and its heap are in sections of their own, links it with our C files, runs
that once, and puts what it has in memory then into the executable.
"""

from __future__ import annotations

import ast
import marshal
import platform
import shutil
import struct
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import CodeType

import elf

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
C_FILES = ("snapshot.c", "heap.c", "hot.c", "modules.c", "absent.c")
# Of the modules in C: what Python starts with, whatever is imported later, and those that modules.c has by itself.
START = {
    "_abc",
    "_codecs",
    "_imp",
    "_io",
    "_signal",
    "_thread",
    "_weakref",
    "gc",
    "itertools",
    "posix",
    "time",
}
APART = {"_warnings", "builtins", "marshal", "sys"}
LARGE = {"pyexpat", "zlib"}  # with libraries of their own; who imports them on trial (shutil) goes without
# Python asks for these before anything else
ALSO = ("encodings", "encodings.aliases", "encodings.ascii", "encodings.latin_1", "encodings.utf_8")
BOOTSTRAP = {  # `import` itself: what Python starts with is not its own frozen copy (modules.c)
    "_frozen_importlib": "importlib/_bootstrap.py",
    "_frozen_importlib_external": "importlib/_bootstrap_external.py",
}
# who asks for them on trial (shutil) goes without: their halves in C are not linked
ON_TRIAL = ("_compression", "bz2", "lzma")
DOOR = "cni_sriov.doors.cni"
PLAYERS = ("tests/__init__.py", "tests/world.py", "tests/fakes/*.py")  # of play.py
# Only where there is no snapshot (modules.c has setns and bpf), or only in sriovctl.
NOT_HERE = {"_cni", "ctypes", "hashlib"}
PAGE = 4096
MALLOC = ("malloc", "calloc", "realloc", "free")  # heap.c has its own
ABSENT = (  # and absent.c
    *("dlopen", "dlsym", "dlerror", "__isoc99_sscanf", "atan2", "hypot", "sincos"),
    *("getaddrinfo", "freeaddrinfo", "getnameinfo", "gethostbyname_r", "gethostbyaddr_r"),
    *("getservbyname", "getservbyport", "getprotobyname", "getgrouplist", "initgroups"),
)
# Of libpython's objects. 3.13 has a constructor: mimalloc, which it does not use, would draw random numbers and read the
# clock, here and at a call. Nobody unwinds C: that is 0.3 MB of the file, which gcc 14's start goes through at each call.
DROPPED = (".init_array", ".fini_array", ".eh_frame")
COMPILE = (
    *("-std=gnu11", "-O2", "-fno-pie", "-fstack-protector-strong", "-D_FORTIFY_SOURCE=2", f"-I{HERE}"),
    *("-fno-asynchronous-unwind-tables", "-fno-unwind-tables"),
    *("-Wall", "-Wextra", "-Werror"),
)
LINK = (
    *(
        "-static",
        "-no-pie",
        "-Wl,-O1",
        "-Wl,--gc-sections",
        "-Wl,-z,start-stop-gc,-z,separate-code",
        "-Wl,-z,relro,-z,now",
    ),
    *("-Wl,-z,noexecstack", "-Wl,--build-id=none", "-Wl,--fatal-warnings", "-s"),
    f"-Wl,-T,{HERE / 'layout.ld'}",
)


class CannotBuild(Exception):
    """What is missing, and how to go on."""


def run(*argv: str | Path, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(
            argv, capture_output=True, stdin=subprocess.DEVNULL, text=True, cwd=cwd, check=False
        )
    except FileNotFoundError:
        raise CannotBuild(f"{argv[0]} is not installed; `make build SNAPSHOT=no` goes without") from None
    if done.returncode:
        raise CannotBuild(f"{' '.join(map(str, argv))[:300]}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


# what is linked ------------------------------------------------------------------------------------------------------


def library() -> Path:
    """libpythonX.Y.a of the interpreter that runs this."""
    path = Path(sysconfig.get_config_var("LIBPL"), f"libpython{sysconfig.get_python_version()}.a")
    if not path.exists():
        raise CannotBuild(f"{path} is not there: install libpython3-dev, or `make build SNAPSHOT=no`")
    return path


def libraries() -> list[Path]:
    """What decides the bytes, beside the sources: libpython and libc."""
    return [library(), Path(run("gcc", "-print-file-name=libc.a").strip()).resolve()]


def builtin(archive: Path) -> set[str]:
    """The modules in C that the library has."""
    symbols = (line.split() for line in run("nm", "--defined-only", archive).splitlines())
    return {
        words[2].removeprefix("PyInit_") for words in symbols if len(words) == 3 and "PyInit_" in words[2]
    }


def packages(*paths: Path) -> str:
    """The distribution's packages that own `paths`, with their versions; nothing where dpkg does not know them."""
    try:
        owners = [run("dpkg-query", "-S", path).partition(": ")[0] for path in paths]
        return ", ".join(run("dpkg-query", "-W", "-f=${Package} ${Version}", owner) for owner in owners)
    except CannotBuild:
        return ""


def includes() -> list[str]:
    top = sysconfig.get_path("include")
    return [f"-I{top}", f"-I{top}/internal", f"-I{Path(top).parent}"]


def into_sections(code: Path, zeros: str = "pyzero") -> None:
    """The variables of an object file, into the sections that the picture is made of."""
    renamed = (".data=pydata", ".PyRuntime=pydata", f".bss={zeros}")
    run("objcopy", *(word for name in renamed for word in ("--rename-section", name)), code)


def take_apart(archive: Path, work: Path, extra: Path | None) -> Path:
    """libpython again, with its variables in sections of their own and heap.c in malloc's place."""
    objects = work / "libpython"
    objects.mkdir()
    run("ar", "x", archive, cwd=objects)
    if extra:
        made_of(
            extra,
            objects / "extra.o",
            "-DPy_BUILD_CORE_BUILTIN",
            "-Wno-unused-parameter",
            "-Wno-missing-field-initializers",
        )
    ours = [word for name in MALLOC + ABSENT for word in ("--redefine-sym", f"{name}=cni_{name}")]
    dropped = [f"--remove-section={prefix}{name}" for name in DROPPED for prefix in ("", ".rela")]
    for code in sorted(objects.glob("*.o")):
        run("objcopy", *ours, *dropped, code)
        into_sections(code)
    run("ar", "rcsD", work / "libpython.a", *sorted(objects.glob("*.o")))
    return work / "libpython.a"


def made_of(source: Path, target: Path, *options: str) -> Path:
    run(
        "gcc",
        *COMPILE,
        *includes(),
        *options,
        f"-ffile-prefix-map={source.parent}/=",
        "-c",
        source,
        "-o",
        target,
    )
    return target


def link(work: Path, names: set[str], built_of: str, extra: Path | None) -> Path:
    """The program that makes the picture, and becomes the executable."""
    defines = (f"-DMODULES={' '.join(f'M({name})' for name in sorted(names))}", f'-DBUILT_OF="{built_of}"')
    objects = [made_of(HERE / name, work / f"{name}.o", *defines) for name in C_FILES]
    for code in objects:
        into_sections(code)
    room = made_of(HERE / "room.c", work / "room.o")
    into_sections(room, "pyroom")
    archive = take_apart(library(), work, extra)
    raw = work / "raw"
    run("gcc", *LINK, "-o", raw, *objects, archive, room, "-lm")
    return raw


# what is in it -------------------------------------------------------------------------------------------------------


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


class Imports(ast.NodeVisitor):
    """What a source file imports, wherever in it; `perhaps`: x.y of `from x import y`, if that is a module."""

    def __init__(self, name: str, path: Path) -> None:
        self.names: set[str] = set()
        self.perhaps: set[str] = set()
        self._package = name.split(".") if path.stem == "__init__" else name.split(".")[:-1]
        self.visit(ast.parse(path.read_bytes()))

    def visit_Import(self, node: ast.Import) -> None:
        self.names |= {alias.name for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        above = self._package[: len(self._package) - node.level + 1] if node.level else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        self.names.add(base)
        self.perhaps |= {f"{base}.{alias.name}" for alias in node.names}


def sources(more: dict[str, Path] | None = None) -> dict[str, Path]:
    """`more`, and the modules of ours that the door or one of these imports, by name."""
    ours = {module_of(path): path for path in sorted((ROOT / "cni_sriov").rglob("*.py"))}
    found: dict[str, Path] = {}
    ours |= more or {}
    todo = {DOOR, *(more or {})}
    while todo:
        name = todo.pop()
        found[name] = path = ours[name]
        above = {name.rsplit(".", level)[0] for level in range(1, name.count(".") + 1)}
        asked = Imports(name, path)
        todo |= (asked.names | asked.perhaps | above) & ours.keys() - found.keys()
    return dict(sorted(found.items()))


STAND_INS = {name: HERE / f"no_{name}.py" for name in ("copy", "inspect", "typing")}
IMPORT = """
import _imp, sys
for name in sys.argv.pop(1).split():
    sys.modules[name] = type(sys)(name)  # of STAND_INS: what they import is not wanted
for name in sys.argv[1:]:
    __import__(name)
for name, module in sys.modules.items():
    print(name, "-" if _imp.is_frozen(name) else getattr(module, "__file__", None) or "-")
"""


def closure(names: list[str]) -> dict[str, str]:
    """{module: file, "-" = in C or frozen} after these imports in a bare interpreter."""
    bare = (sys.executable, "-I", "-S", "-B", "-X", "frozen_modules=off")
    told = run(*bare, "-c", IMPORT, " ".join(STAND_INS), *names)
    found = dict(line.split(" ", 1) for line in told.splitlines())
    found |= {name: str(Path(sysconfig.get_path("stdlib"), file)) for name, file in BOOTSTRAP.items()}
    return {"os": found["os"]} | found  # genericpath and os import each other: os has to be the first


def modules(available: set[str], more: dict[str, Path] | None = None) -> tuple[dict[str, Path], set[str]]:
    """The modules in Python, each with its source, and the names of those in C. `more`: not ours, but in it, too."""
    ours = sources(more)
    named = set().union(*(Imports(name, path).names for name, path in ours.items()))
    found = closure(sorted((named - NOT_HERE - ours.keys()) | set(ALSO)))
    python = {name: Path(file) for name, file in found.items() if file.endswith(".py") and name != "__main__"}
    last = {name: HERE / f"{name}.py" for name in ("warm", "preload")}
    return STAND_INS | python | ours | last, (found.keys() & available | START) - APART - LARGE


def player_sources() -> dict[str, Path]:
    return {module_of(path): path for pattern in PLAYERS for path in sorted(ROOT.glob(pattern))}


def players(available: set[str], python: dict[str, Path]) -> dict[str, Path]:
    """play.py and what it needs beyond `python`, which is in the picture."""
    found, _ = modules(available, player_sources() | {"play": HERE / "play.py"})
    return {name: path for name, path in found.items() if name not in {*python, *ON_TRIAL}}


class Slim(ast.NodeTransformer):
    """A module as it runs: none of ours reads the annotations of a function, and they are a tenth of its code."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node


def _without_repr(tree: ast.Module) -> None:
    """Nothing of ours is told by its fields, and a method for that in each of a hundred classes is 0.15 MB of the file."""
    (maker,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "dataclass")
    place = [argument.arg for argument in maker.args.kwonlyargs].index("repr")
    maker.args.kw_defaults[place] = ast.copy_location(ast.Constant(False), maker)


def compiled(name: str, path: Path) -> CodeType:
    """Without docstrings, and with a file name that is the same on every machine."""
    tree = ast.parse(path.read_bytes())
    if name.partition(".")[0] == "cni_sriov":
        tree = Slim().visit(tree)
    if name == "dataclasses":
        _without_repr(tree)
    return compile(tree, f"{name.replace('.', '/')}.py", "exec", dont_inherit=True, optimize=2)


def frozen(python: dict[str, Path]) -> bytes:
    """As snapshot.c reads it (struct module)."""
    whole = b""
    for name, path in python.items():
        code = marshal.dumps(compiled(name, path))
        whole += struct.pack("=III", len(name), len(code), path.name == "__init__.py") + name.encode() + code
    return whole


# making it -----------------------------------------------------------------------------------------------------------


def take(raw: Path, table: bytes, work: Path, target: Path, played: bytes = b"", unused: str = "") -> str:
    """Run `raw` where nothing of this machine can get in: no environment, no input, no random addresses, in `/`.

    Thrice: the first time tells what calls touch (hot.c; `played` are the modules for that), the second how much of the
    heap is blocks, so that nothing is left between them and the arenas. The section `unused` is left out.
    """
    work.mkdir(parents=True, exist_ok=True)
    modules, hot, parts = work / "modules", work / "hot", work / "parts"
    bare = ("env", "-i", "setarch", platform.machine(), "-R", raw)
    hot.write_bytes(b"")
    if played:
        modules.write_bytes(table + played)
        shutil.rmtree(work / "world", ignore_errors=True)
        (work / "world").mkdir()
        run(*bare, "watch", modules, hot, work / "world", cwd=Path("/"))
    modules.write_bytes(table)
    blocks = -(-int(run(*bare, "take", modules, hot, parts, cwd=Path("/")).split()[0]) // PAGE) * PAGE
    told = run(*bare, "take", modules, hot, parts, str(blocks), cwd=Path("/")).split()
    linked = raw.read_bytes()
    made = elf.with_parts(linked, parts.read_bytes())
    target.write_bytes(elf.without(made, *elf.section(linked, unused)) if unused else made)
    target.chmod(0o755)
    return f"{int(told[2]) >> 10} KB of heap, {told[4]} blocks together"


def build(target: Path, work: Path, extra: Path | None) -> str:
    """`extra` is the source of _json where the library lacks it. The answer says what is in it."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    available = builtin(library()) | ({"_json"} if extra else set())
    python, names = modules(available)
    raw = link(work, names, packages(*libraries()), extra)
    told = take(raw, frozen(python), work, target, frozen(players(available, python)), "pybuild")
    return f"{len(python)} modules, {told}"


if __name__ == "__main__":
    try:
        print(build(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if sys.argv[3:] else None))
    except CannotBuild as problem:
        sys.exit(str(problem))
