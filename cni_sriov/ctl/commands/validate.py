"""`sriovctl validate`: judge configurations; warnings do not fail them, and what nobody could judge does."""

from __future__ import annotations

import argparse

from ..arguments import Command
from ..tool import FAILED, OK, Tool, write_json


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="a .conf, .conflist, NetworkAttachmentDefinition (YAML or JSON) or a template of one, a directory of"
        " them, the host's file of apply (host.json), or a cluster's; - is standard input",
    )
    verb.add_argument(
        "--device-id-given",
        action="store_true",
        help="the runtime names the VF (Multus with a device plugin): the configuration needs not",
    )


def run(options: argparse.Namespace, tool: Tool) -> int:
    from .. import validate

    reports = validate.reports(options.files, options.device_id_given)
    if options.json:
        findings = [finding.to_json() for report in reports for finding in report.findings]
        files = [report.to_json() for report in reports]
        write_json(tool, {"file": reports[0].name, "files": files, "findings": findings})
    else:
        from .. import show

        for report in reports:
            show.findings(tool.out, report)
    return FAILED if any(report.number("error") for report in reports) else OK


COMMAND = Command(
    "validate",
    "judge configurations; warnings do not fail them, and nothing to judge does",
    arguments,
    run,
    needs_root=False,
)
