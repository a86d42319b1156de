"""The API server out of the guest's parts, for tests on this machine: `python -m tests.lab.kube_apiserver` says where it is.

tests/kubeapi/real.py runs it. It is static, so any machine does.
"""

from __future__ import annotations

import sys
from pathlib import Path

from . import cache, kubernetes_parts, tools
from .errors import LabError

NAME = "kube-apiserver"


def program() -> Path:
    image = kubernetes_parts.image()
    key = image.parent.name  # of the parts

    def unpack(home: Path) -> None:
        tools.must(("unsquashfs", "-force", "-no-progress", "-quiet", "-dest", home, image, NAME))

    home = cache.ensure(NAME, key, unpack)
    cache.forget_old(NAME, key)
    return home / NAME


def main() -> int:
    try:
        print(program())
    except LabError as problem:
        print(f"{NAME}: {problem.what}\n{problem.detail}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
