"""`sriovctl validate`: judge a configuration; warnings do not fail it."""

from __future__ import annotations

import argparse

from ..arguments import Command
from ..tool import FAILED, OK, Tool, write_json


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "file",
        metavar="FILE",
        help="a .conf, .conflist, NetworkAttachmentDefinition (YAML or JSON) or a template of one, a directory of"
        " them, or the host's file of apply (host.json); - is standard input",
    )
    verb.add_argument(
        "--device-id-given",
        action="store_true",
        help="the runtime names the VF (Multus with a device plugin): the configuration needs not",
    )


def run(options: argparse.Namespace, tool: Tool) -> int:
    from .. import validate

    findings = validate.run(options.file, options.device_id_given)
    if options.json:
        write_json(tool, {"file": options.file, "findings": [f.to_json() for f in findings]})
    else:
        from .. import show

        show.findings(tool.out, options.file, findings)
    return FAILED if any(finding.severity == "error" for finding in findings) else OK


COMMAND = Command(
    "validate", "judge a configuration; warnings do not fail it", arguments, run, needs_root=False
)
