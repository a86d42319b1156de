"""The CNI versions we speak, and the answer to VERSION: all that a VERSION imports (docs/speed.md)."""

from __future__ import annotations

VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")


def render(stdin: str) -> str:
    """The asker's cniVersion if it sent one (the spec says echo), else our newest."""
    from . import jsontext

    asked = ""
    if stdin.strip():
        try:
            asked = jsontext.parse_object(stdin).get("cniVersion", "")
        except jsontext.bad_json():
            pass  # a probe with garbage still deserves to learn our versions; podman sends dummies
    answer = asked if isinstance(asked, str) and asked else VERSIONS[-1]
    return jsontext.render({"cniVersion": answer, "supportedVersions": list(VERSIONS)})
