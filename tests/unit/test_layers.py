"""The house: imports go down only, decisions and faces never meet, few modules may print or catch everything."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "cni_sriov"

LAYERS = (  # from the floor up; a folder imports from lower floors, and on its own floor from those before it
    ("words",),
    ("conf", "wire", "decide"),
    ("kernel", "state", "leases"),
    ("vf", "ipam", "owner", "verbs"),
    ("doors", "ctl"),
)
FLOOR = {folder: floor for floor, folders in enumerate(LAYERS) for folder in folders}
FOLDERS = [folder for folders in LAYERS for folder in folders]
NEVER_MEET = 1, 2  # what decides has no face, and no face decides
ONE_COLLECTOR = "words/failures"
MODULES = sorted(str(path.relative_to(PACKAGE).with_suffix("")) for path in PACKAGE.rglob("*.py"))


def folder_of(module: str) -> str:
    """`__init__` and `__main__` of the package are words and a door."""
    folder = (
        module.partition("/")[0] if "/" in module else {"__init__": "words", "__main__": "doors"}.get(module)
    )
    assert folder in FOLDERS, f"{module} is in no folder of LAYERS"
    return folder


def may_import(folder: str, other: str) -> bool:
    if {FLOOR[folder], FLOOR[other]} == {*NEVER_MEET}:
        return False
    return FOLDERS.index(other) <= FOLDERS.index(folder)


def imports_of(module: str) -> Iterator[str]:
    """Every module of ours that is imported at run time or for types."""
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = PACKAGE.joinpath(*Path(module).parts[: -node.level])
            base = base.joinpath(*(node.module or "").split(".")) if node.module else base
            for alias in node.names:
                yield module_at(base / alias.name) or module_at(base) or f"{base / alias.name} is not there"


def module_at(path: Path) -> str:
    if path.with_suffix(".py").exists():
        return str(path.relative_to(PACKAGE))
    return str((path / "__init__").relative_to(PACKAGE)) if (path / "__init__.py").exists() else ""


def test_every_folder_has_its_floor() -> None:
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == set(FOLDERS)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_only(module: str) -> None:
    wrong = [name for name in imports_of(module) if not may_import(folder_of(module), folder_of(name))]
    assert wrong == []


def test_there_are_no_circles() -> None:
    """Those inside a function and those for types alone are counted, too."""
    left = {module: set(imports_of(module)) - {module} for module in MODULES}
    while free := {module for module, needed in left.items() if not needed & left.keys()}:
        left = {module: needed for module, needed in left.items() if module not in free}
    assert left == {}


@pytest.mark.parametrize("module", MODULES)
def test_only_doors_print_exit_or_catch_everything(module: str) -> None:
    """What a loop over many goes on past is for words/failures.py to decide."""
    if FLOOR[folder_of(module)] == FLOOR["doors"]:
        return
    tree = ast.parse((PACKAGE / f"{module}.py").read_text())
    swallows = [ast.unparse(node) for node in ast.walk(tree) if swallows_everything(node)]
    calls = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"print", "exit", "quit", "eval", "exec"}
    ]
    assert (len(swallows), calls) == (module == ONE_COLLECTOR, []), swallows


def swallows_everything(node: ast.AST) -> bool:
    """`except Exception` without raising again, in whatever tuple; suppress(Exception); an __exit__ that may say True."""
    everything = {"Exception", "BaseException"}
    if isinstance(node, ast.ExceptHandler):
        caught = (
            {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)}
            if node.type
            else everything
        )
        return bool(caught & everything) and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
    if isinstance(node, ast.Call):
        given = {argument.id for argument in node.args if isinstance(argument, ast.Name)}
        return ast.unparse(node.func).endswith("suppress") and bool(given & everything)
    if isinstance(node, ast.FunctionDef) and node.name == "__exit__":
        return node.returns is not None and ast.unparse(node.returns) != "None"
    return False
