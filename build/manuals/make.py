"""`make build`: the manual pages and completions that `make install` puts below PREFIX/share.

`python build/manuals/make.py DIRECTORY`. Nothing in them is of this machine, its time or its terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))
import bash
import conf_page
import fish
import plugin_pages
import tool_page
import zsh
from tree import Tool, tool

# below PREFIX/share
MADE: dict[str, Callable[[Tool], str]] = {
    "man/man5/cni-sriov.conf.5": lambda _: conf_page.conf(),
    "man/man8/host-subnet.8": lambda _: plugin_pages.host_subnet(),
    "man/man8/sriov.8": lambda _: plugin_pages.sriov(),
    "man/man8/sriovctl.8": tool_page.sriovctl,
    "bash-completion/completions/sriovctl": bash.completion,
    "zsh/site-functions/_sriovctl": zsh.completion,
    "fish/vendor_completions.d/sriovctl.fish": fish.completion,
}


def make(directory: Path) -> None:
    found = tool()
    for name, render in MADE.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render(found), encoding="utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
