"""The host's file, /etc/cni-sriov/host.json: read for `apply`, judged for `validate`. Its schema finds all that is wrong,
its parser (conf/hostfile.py) has the last word.
"""

from __future__ import annotations

import shlex
from typing import Any

from ..conf import hostfile
from ..conf.hostfile import HostFile
from ..kernel.files import Files
from ..words.errors import CniError, InputOutput
from ..words.jsontext import parse_object
from . import schema
from .finding import Finding

_SAMPLE = "conf/host.json is one to start from; `sriovctl validate {}` judges it"


def read(files: Files, path: str) -> HostFile:
    """CniError says what is wrong with it, and names it."""
    text = files.text(path)
    if text is None:
        raise InputOutput(f"read {path}: no such file", _SAMPLE.format(shlex.quote(path)))
    try:
        return hostfile.parse(parse_object(text))
    except CniError as failed:
        failed.msg = f"{path}: {failed.msg}"
        failed.details = f"{failed.details}\n{_SAMPLE.format(shlex.quote(path))}".lstrip()
        raise


def findings(document: dict[str, Any]) -> list[Finding]:
    return schema.judged(document, schema.HOST, hostfile.parse, "apply")
