"""The house: imports go down only, decisions and faces never meet, few modules may print or catch everything."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "cni_sriov"

LAYERS = {
    "words": ["__init__", "domain", "errors", "inet", "log", "jsontext", "paths", "pci", "versions"],
    "decisions": [
        "protocol", "keycase", "prevresult", "netconf", "poolconf", "pools", "routeconf", "ipam_answer",
        "choose", "knobs", "subnets", "sriov_cni",
    ],
    "faces": [
        "sysfs", "netlink", "rtnl", "nlsocket", "devlink", "netns", "living", "announce", "delegate",
        "statefile", "ledger", "resolvconf", "deviceinfo", "ipam/",
    ],
    "acts": [
        "host", "claim", "prepare", "stacked", "release", "homename", "lone", "reclaim", "reservation",
        "adopt", "cachefiles", "commands/",
    ],
    "doors": ["plugin", "ipam_door", "times", "__main__", "ctl/"],
}  # fmt: skip
BELOW = {
    "words": {"words"},
    "decisions": {"words", "decisions"},
    "faces": {"words", "faces"},
    "acts": {"words", "decisions", "faces", "acts"},
    "doors": {"words", "decisions", "faces", "acts", "doors"},
}
MODULES = sorted(str(path.relative_to(PACKAGE).with_suffix("")) for path in PACKAGE.rglob("*.py"))


def layer_of(module: str) -> str:
    for layer, names in LAYERS.items():
        if any(module == name or (name.endswith("/") and module.startswith(name)) for name in names):
            return layer
    raise AssertionError(f"{module} is in no layer: say in LAYERS where it belongs")


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


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_only(module: str) -> None:
    allowed = BELOW[layer_of(module)]
    wrong = [name for name in imports_of(module) if layer_of(name) not in allowed]
    assert wrong == []


@pytest.mark.parametrize("module", MODULES)
def test_only_doors_print_exit_or_catch_everything(module: str) -> None:
    if layer_of(module) == "doors":
        return
    tree = ast.parse((PACKAGE / f"{module}.py").read_text())
    catches = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "BaseException"))
        and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
    ]
    calls = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"print", "exit", "quit", "eval", "exec"}
    ]
    assert (catches, calls) == ([], [])
