"""The CNI versions we speak, and the answer to VERSION."""

from __future__ import annotations

import os
import sys

from . import jsontext
from .errors import BadJson

VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")


def carried() -> str:
    """What a fix of theirs must be looked up for; the snapshot knows the distribution's packages it was built of."""
    libc = os.confstr("CS_GNU_LIBC_VERSION") or "no glibc"
    try:
        from _cni import built_of
    except ImportError:
        built_of = ""
    python = f"Python {sys.version.split()[0]}, {libc}"
    return f"{python} ({built_of})" if built_of else python


def render(stdin: str) -> str:
    """The asker's cniVersion if it sent one (the spec says echo), else our newest."""
    asked = ""
    if stdin.strip():
        try:
            asked = jsontext.parse_object(stdin).get("cniVersion", "")
        except BadJson:
            pass  # a probe with garbage still deserves to learn our versions; podman sends dummies
    answer = asked if isinstance(asked, str) and asked else VERSIONS[-1]
    return jsontext.render({"cniVersion": answer, "supportedVersions": list(VERSIONS)})
