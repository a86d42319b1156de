"""A failed look is not absence (rule 13 of the design): whoever catches OSError or KernelRefused looks at the errno, or
raises, or stands in a list with the reason why nothing is taken, dropped, forgotten or answered by it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "cni_sriov"
WIDE = {"OSError", "KernelRefused"}
ASKS = {"exists", "lexists", "isdir", "isfile", "islink", "ismount"}  # of os.path: False for any errno

WORDS = "only words of a message depend on it"
TOLD = "it is told: as the error, or beside it"
WORSE = "what cannot be seen is taken for the worse"
ONLY_OUTPUT = "nobody hears it any more"
NOTHING_TAKEN = "nothing is taken, dropped or freed by it"
TRIED_AGAIN = "the act after it fails by itself, or looks again"
REASONED = {
    "ctl/arguments.py:_columns": ONLY_OUTPUT,
    "ctl/baseline.py:_row": TOLD,
    "ctl/bind.py:_put_back": TOLD,
    "ctl/oldboots.py:_scopes": NOTHING_TAKEN,
    "ctl/giveup.py:_remove": TRIED_AGAIN,
    "ctl/giveup.py:run": TRIED_AGAIN,
    "ctl/hostlocal.py:_there_is": WORDS,
    "ctl/hostlocal.py:text_of": WORDS,
    "ctl/libcni.py:files": NOTHING_TAKEN,
    "ctl/node.py:_admin_states": NOTHING_TAKEN,
    "ctl/recording/camera.py:Camera._list": TOLD,
    "ctl/recording/camera.py:Camera._read": TOLD,
    "ctl/recording/hosts.py:_cookie": NOTHING_TAKEN,
    "ctl/recording/record.py:run": TRIED_AGAIN,
    "ctl/recording/state.py:_put": NOTHING_TAKEN,
    "ctl/recording/state.py:unpack": NOTHING_TAKEN,
    "ctl/rebound.py:_try": TOLD,
    "ctl/sudo.py:program": WORDS,
    "ctl/unclear.py:_interfaces": WORSE,
    "ctl/validate.py:run": NOTHING_TAKEN,
    "ctl/version.py:told": WORDS,
    "ctl/vfs.py:_put_back": TOLD,
    "doors/calls.py:_is_real_root": TRIED_AGAIN,
    "doors/stdio.py:say": ONLY_OUTPUT,
    "doors/stdio.py:settle_files": TRIED_AGAIN,
    "doors/times.py:start.tell": ONLY_OUTPUT,
    "kernel/child.py:_remedy": WORDS,
    "kernel/child.py:command": TRIED_AGAIN,
    "kernel/living.py:_net_directory": WORSE,
    "kernel/living.py:blind_spot": WORSE,
    "kernel/netlink.py:Netlink.set_traits": TOLD,
    "kernel/netns.py:Netns.set_sysctls": TOLD,
    "kernel/netns.py:inside.__exit__": WORSE,
    "kernel/nlsocket.py:NetlinkSocket.__init__": NOTHING_TAKEN,
    "kernel/nlsocket.py:NetlinkSocket._drain": TRIED_AGAIN,
    "leases/directory.py:Directory.__init__": NOTHING_TAKEN,
    "leases/directory.py:_sweep": NOTHING_TAKEN,
    "leases/directory.py:sweep": TRIED_AGAIN,
    "leases/snapshot.py:Snapshot.conflict": TRIED_AGAIN,
    "leases/snapshot.py:Snapshot.count_free": TRIED_AGAIN,
    "leases/snapshot.py:Snapshot.first_free": TRIED_AGAIN,
    "leases/transaction.py:_finish_what_was_begun": TRIED_AGAIN,
    "state/vppfiles.py:_is_real": TRIED_AGAIN,
    "state/vppfiles.py:_make": TRIED_AGAIN,
    "owner/death.py:DeathProof._has_address": WORSE,
    "owner/death.py:DeathProof.forget_locks": NOTHING_TAKEN,
    "state/public.py:_check_directory": TRIED_AGAIN,
    "state/lock.py:Lock._sign": NOTHING_TAKEN,
    "state/lock.py:Lock.held_for": TRIED_AGAIN,
    "state/files.py:makedirs": TRIED_AGAIN,
    "state/ledger.py:Ledger.has_record": TRIED_AGAIN,
    "state/ledger.py:Ledger.open": TRIED_AGAIN,
    "verbs/add.py:_undo": TOLD,
    "verbs/check.py:_admin": TOLD,
    "verbs/status.py:_check_directory": NOTHING_TAKEN,
    "vf/admin.py:_has_carrier": WORDS,
    "vf/admin.py:set_mac": TRIED_AGAIN,
    "vf/homecoming.py:is_in_pod": TRIED_AGAIN,
    "vf/pod.py:announce": TOLD,
    "vf/restore.py:_look": TOLD,
    "vf/restore.py:_try": TOLD,
    "vf/restore.py:_verify.wrong": WORSE,
    "vf/stacked.py:in_another_netns": WORSE,
    "words/log.py:Log.__init__": TOLD,
    "ctl/gate.py:Err.write": ONLY_OUTPUT,
    "ctl/gate.py:open_standard": TRIED_AGAIN,
    "words/log.py:Log._write": ONLY_OUTPUT,
}


def test_who_catches_a_failed_look_judges_it() -> None:
    found = {where for path in sorted(ROOT.rglob("*.py")) for where in _unjudged(path)}

    assert sorted(found - REASONED.keys()) == [], "look at the errno (words/gone.py), or give a reason here"
    assert sorted(REASONED.keys() - found) == [], "these judge by now, or are no more"


def _unjudged(path: Path) -> Iterator[str]:
    module = str(path.relative_to(ROOT))
    for name, node in _functions(ast.parse(path.read_text())):
        for inner in _own(node):
            is_wide = isinstance(inner, ast.ExceptHandler) and WIDE & _caught(inner) and not _judges(inner)
            if is_wide or (isinstance(inner, ast.Attribute) and inner.attr in ASKS and _is_path(inner)):
                yield f"{module}:{name}"


def _functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Each with its qualified name."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            if isinstance(node, ast.FunctionDef):
                yield prefix + node.name, node
            yield from _functions(node, f"{prefix}{node.name}.")


def _own(function: ast.AST) -> Iterator[ast.AST]:
    """Its nodes without those of functions inside it."""
    for node in ast.iter_child_nodes(function):
        if not isinstance(node, ast.FunctionDef):
            yield node
            yield from _own(node)


def _caught(handler: ast.ExceptHandler) -> set[str]:
    return {node.id for node in ast.walk(handler.type or handler) if isinstance(node, ast.Name)}


def _judges(handler: ast.ExceptHandler) -> bool:
    return any(
        isinstance(node, ast.Raise)
        or (isinstance(node, ast.Attribute) and node.attr == "errno")
        or _asks(node)
        for statement in handler.body
        for node in ast.walk(statement)
    )


def _asks(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in {"is_gone", "has_ended", "is_passing"}


def _is_path(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Attribute) and node.value.attr == "path"


@pytest.mark.parametrize(
    ("body", "judges"),
    [
        ("return ''", False),
        ("pass", False),
        ("raise", True),
        ("return error.errno == 2", True),
        ("return is_gone(error)", True),
    ],
)
def test_what_judges_is_told_from_what_does_not(tmp_path: Path, body: str, judges: bool) -> None:
    """The test above can fail."""
    text = f"def look():\n    try:\n        pass\n    except OSError as error:\n        {body}\n"
    handler = next(node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ExceptHandler))

    assert _judges(handler) == judges
