"""`sriovctl bind`: give a device another driver: vfio-pci, uio_pci_generic, igb_uio, its kernel driver, or what fits."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..arguments import Command
from ..tool import OK, Tool, write_json

if TYPE_CHECKING:
    from ...decide.planner import Plan
    from ..bind import Outcome


def with_device(verb: argparse.ArgumentParser) -> None:
    """What `unbind` and `restore` take, too."""
    verb.add_argument(
        "device", metavar="DEVICE", help="PCI address, netdev, or PF:INDEX, like enp1s0f0:3 for its VF 3"
    )
    verb.add_argument(
        "--force",
        action="store_true",
        help="also a PF, or one of an IOMMU group that is not all on vfio-pci yet",
    )
    verb.add_argument("--dry-run", action="store_true", help="only show what would be done")


def arguments(verb: argparse.ArgumentParser) -> None:
    with_device(verb)
    verb.add_argument(
        "driver",
        metavar="DRIVER",
        type=_driver,
        help="a driver by its name, kernel for its own, or auto for what fits",
    )


def _driver(text: str) -> str:
    """A script's variable that is empty must not unbind."""
    if not text:
        raise argparse.ArgumentTypeError("no driver is named; `sriovctl unbind DEVICE` takes the driver away")
    return text


def run(options: argparse.Namespace, tool: Tool) -> int:
    from .. import bind

    host = tool.make_host(options.state_dir)
    address = bind.find(host, options.device)
    if options.dry_run:
        plan = bind.look(host, tool.files, address, options.driver, options.force)
        return tell_plan(options, tool, address, host.sysfs.driver(address), plan)
    outcome = bind.bind(host, tool.files, address, options.driver, options.force)
    return tell_outcome(options, tool, outcome)


def tell_outcome(options: argparse.Namespace, tool: Tool, outcome: Outcome) -> int:
    if options.json:
        write_json(tool, {"dryRun": False, "device": outcome.to_json()})
    else:
        from .. import show_bind

        show_bind.done(tool.out, outcome)
    return OK


def tell_plan(options: argparse.Namespace, tool: Tool, address: str, before: str, plan: Plan | None) -> int:
    """`plan` None: nothing is kept that `restore` could bring back."""
    if options.json:
        told = plan.to_json() if plan is not None else None
        write_json(tool, {"dryRun": True, "device": {"pci": address, "before": before}, "plan": told})
    else:
        from .. import show_bind

        show_bind.planned(tool.out, address, before, plan)
    return OK


COMMAND = Command(
    "bind",
    "give a device another driver: vfio-pci, uio_pci_generic, igb_uio, its kernel driver, or what fits",
    arguments,
    run,
    needs_root=True,
)
