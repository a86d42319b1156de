"""The repository's pages as tests see them: tables, code blocks, and command blocks with what they must print.

A command block (```sh or ```console) has an HTML comment before it that says where it runs (docs/testing.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
MARK = "@@@ "
COMMANDS = {"sh", "console"}


class Block(NamedTuple):
    """`tag` is the comment before it, "" if there is none."""

    page: str
    line: int
    language: str
    tag: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """Paths from the root."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(str(path.relative_to(ROOT)) for path in found)


def text_of(page: str) -> str:
    return (ROOT / page).read_text()


def blocks(page: str) -> list[Block]:
    found: list[Block] = []
    tag, inside, language, began = "", list[str](), "", 0
    for number, line in enumerate(text_of(page).splitlines(), start=1):
        if line.startswith("```") and not began:
            language, began, inside = line[3:].strip(), number, []
        elif line.startswith("```"):
            found.append(Block(page, began, language, tag, "\n".join(inside) + "\n"))
            tag, began = "", 0
        elif began:
            inside.append(line)
        elif line.strip():
            comment = re.fullmatch(r"<!-- (.+) -->", line.strip())
            tag = comment[1] if comment else ""
    assert not began, f"{page}:{began}: the block has no end"
    return found


def command_blocks(tag: str) -> dict[str, list[Block]]:
    """Page -> its command blocks with that tag, in order."""
    of_page = {page: [b for b in blocks(page) if b.language in COMMANDS and b.tag == tag] for page in pages()}
    return {page: found for page, found in of_page.items() if found}


def prose(page: str) -> str:
    """The page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", text_of(page), flags=re.DOTALL | re.MULTILINE)


def table_rows(page: str) -> Iterator[list[str]]:
    """The cells of every table row; an escaped bar is not known here."""
    for line in prose(page).splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in line.strip("|").split("|")]


class Command(NamedTuple):
    text: str
    expected: str


def commands(block: Block) -> list[Command]:
    """A `sh` block is one command; of a `console` block, `#` begins one and `>` goes on."""
    if block.language == "sh":
        return [Command("set -eu\n" + block.text, "")]
    found: list[Command] = []
    for line in block.text.splitlines():
        if line.startswith("# "):
            found.append(Command(line[2:], ""))
        elif line.startswith("> "):
            found[-1] = found[-1]._replace(text=f"{found[-1].text}\n{line[2:]}")
        else:
            found[-1] = found[-1]._replace(expected=f"{found[-1].expected}{line}\n")
    return found


def script(block: Block) -> str:
    """For a shell: the commands in one process, a mark after each, and an end at the first that fails."""
    mark = f"status=$?; printf '\\n{MARK}%d\\n' $status; [ $status = 0 ] || exit $status\n"
    return "".join(f"{command.text}\n{mark}" for command in commands(block))


def wrong(block: Block, printed: str) -> list[str]:
    """What is not as the page has it, by what the script printed; [] if all is."""
    parts = re.split(rf"\n{MARK}(\d+)\n", printed)
    outputs, statuses = parts[0::2], parts[1::2]
    found: list[str] = []
    for n, command in enumerate(commands(block)):
        if n >= len(statuses) or statuses[n] != "0":
            said = outputs[n] if n < len(outputs) else ""
            return [*found, f"{block.place}: `{command.text}` failed: {said}"]
        if command.expected and not fits(command.expected, outputs[n]):
            found.append(f"{block.place}: `{command.text}` printed\n{outputs[n]}\nnot\n{command.expected}")
    return found


def fits(expected: str, printed: str) -> bool:
    """Blanks and line ends count as one blank; `...` stands for anything."""
    parts = (re.escape(" ".join(part.split())) for part in expected.split("..."))
    return re.fullmatch(r".*".join(parts), " ".join(printed.split()), re.DOTALL) is not None
