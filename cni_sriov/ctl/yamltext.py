"""YAML in, as far as it is JSON: what kubectl would send of a file.

Aliases are shared objects to PyYAML and trees to whoever walks them: a page of them is more than a machine holds.
"""

from __future__ import annotations

from typing import Any

import yaml

from ..words import jsontext

_MOST = 1 << 18  # values of a document; etcd takes objects of 1.5 MiB


class _Loader(yaml.SafeLoader):
    """Dates stay text, as in JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def documents(text: str) -> list[Any]:
    """Those that are not empty; ValueError, the end of a sentence that says it is no YAML."""
    try:
        found = [document for document in yaml.load_all(text, _Loader) if document is not None]
    except RecursionError as failed:
        raise ValueError(": it is nested too deeply") from failed
    except yaml.YAMLError as failed:
        mark = getattr(failed, "problem_mark", None)
        where = f", line {mark.line + 1} column {mark.column + 1}" if mark else ""
        raise ValueError(f"{where}: {getattr(failed, 'problem', None) or failed}") from failed
    except ValueError as failed:  # of int() and the like
        raise ValueError(f": {failed}") from failed
    for document in found:
        _check_size(document)
    return found


def _check_size(document: Any) -> None:
    size, level = 0, [document]
    for _ in range(jsontext.DEEPEST):
        inner = [
            one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)
        ]
        size += sum(map(len, inner))
        if size > _MOST:
            raise ValueError(": it is too large, with its aliases resolved")
        level = [one for some in inner for one in some]
        if not level:
            return
    raise ValueError(": it is nested too deeply, or in itself")
