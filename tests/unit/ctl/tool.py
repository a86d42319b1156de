"""sriovctl on a fake node, through its front door: arguments in, exit status and text out."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

from cni_sriov.conf.netconf import STATE_DIR
from cni_sriov.ctl.cluster.engine import Engine
from cni_sriov.ctl.main import main
from cni_sriov.ctl.tool import Tool
from cni_sriov.kernel.files import Files
from cni_sriov.leases.holding import Holding
from cni_sriov.state.ledger import Ledger
from cni_sriov.vf.host import Host
from cni_sriov.words.errors import InputOutput
from cni_sriov.words.log import Log
from tests import published
from tests.world import FakeHost, World


class Screen(io.StringIO):
    """A terminal, as far as colours are concerned."""

    def isatty(self) -> bool:
        return True


class Run:
    def __init__(self, status: int, out: str, err: str) -> None:
        self.status = status
        self.out = out
        self.err = err

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


def host(world: World, state_dir: str = STATE_DIR) -> Host:
    log = Log("error")
    named = str(world.root / "nowhere") if state_dir == STATE_DIR else state_dir
    ledger = Ledger(named, log, str(world.run_dir), world.boot_id)
    ledger.cluster_dir, ledger.machine_id = str(world.cluster_dir), str(world.root / "machine-id")
    found = FakeHost(world.kernel, ledger, log, allow_own_netns=False, plugins=world.plugins)
    found.tool = world.tool
    return found


class Nowhere:
    """The clusters of a node that is in none, whatever /etc/cni-sriov/clusters of this machine has."""

    def names(self) -> list[str]:
        return []

    def node(self, name: str) -> str:
        raise InputOutput(f"read /etc/cni-sriov/clusters/{name}.json: No such file or directory")

    def open(self, name: str, deadline: float) -> Engine:
        raise AssertionError(f"{name} was to be opened until {deadline}")


def files(world: World) -> Files:
    """The node's files: /sys is the fake kernel's, the rest is what a test puts there."""
    link = world.root / "sys"
    if not link.exists():
        link.symlink_to("kernel/sys")
    return Files(str(world.root))


class Typed(io.StringIO):
    """A terminal on which somebody types."""

    def isatty(self) -> bool:
        return True


def sriovctl(
    world: World, *argv: str, euid: int = 0, screen: bool = False, stdin: io.StringIO | None = None
) -> Run:
    """A netns is dead when its pod is; the machine's own /proc and directories stay out of it."""

    def is_dead(holding: Holding) -> bool:
        return holding.boot_id != world.boot_id or holding.netns not in world.kernel.pods

    out, err = Screen() if screen else io.StringIO(), io.StringIO()
    tool = Tool(
        out,
        err,
        euid,
        lambda named: host(world, named),
        str(world.root / "default-data"),
        is_dead,
        files(world),
        stdin=stdin,
        clusters=Nowhere(),
    )
    status = main(argv, tool)
    return answered(argv, status, out, err)


def answered(argv: Sequence[str], status: int, out: io.StringIO, err: io.StringIO) -> Run:
    """AssertionError where it is JSON that is not published so."""
    if not {"--json", "json"}.isdisjoint(argv) and out.getvalue():
        published.judge(published.verb_of(argv), json.loads(out.getvalue()))
    return Run(status, out.getvalue(), err.getvalue())


def attach(world: World, **keys: Any) -> dict[str, Any]:
    reply = world.call("ADD", world.conf(ipam=world.ipam(), **keys))
    assert reply.code == 0, reply.text
    return reply.document
