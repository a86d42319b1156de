"""Nothing is cut at any width, nothing is padded in a pipe, nothing obeys a name."""

from __future__ import annotations

import io
import re
import shutil

import pytest
from rich.cells import cell_len
from rich.text import Text

from cni_sriov.ctl import screen
from cni_sriov.ctl.screen import Column, Screen, cell
from tests.unit.ctl.tool import Screen as Terminal

COLUMNS = (Column("PF"), Column("VF", is_right=True), Column("container", least=8), Column("subnet", least=9))
CELLS = [
    ("enp1s0f0", "0", "ffffffffffff/net1", "10.20.0.0/24"),
    ("enp1s0f0", "127", "a-rather-long-container-name/net1", "fd00:20:aaaa:bbbb::/64"),
    ("eth0", "3", "", "-"),
]
ROWS = [[cell(text) for text in row] for row in CELLS]
LINE = "enp1s0f0 (0000:01:00.0, igb): down, no VFs of 7; create some: sriovctl vfs enp1s0f0 7"


def table(out: io.StringIO, width: int = 0) -> list[str]:
    Screen(out, width).table(COLUMNS, ROWS)
    return re.sub(r"\033\[[0-9;]*m", "", out.getvalue()).splitlines()


def test_a_pipe_gets_the_cells_and_two_blanks_between() -> None:
    assert table(io.StringIO()) == [
        "PF  VF  container  subnet",
        "enp1s0f0  0  ffffffffffff/net1  10.20.0.0/24",
        "enp1s0f0  127  a-rather-long-container-name/net1  fd00:20:aaaa:bbbb::/64",
        "eth0  3  -  -",
    ]


def test_a_cell_with_blanks_is_still_one_for_awk() -> None:
    out = io.StringIO()

    Screen(out).table((Column("state"), Column("x")), [[cell("is  a   port of br0"), cell("y")]])

    assert [line.split("  ") for line in out.getvalue().splitlines()] == [
        ["state", "x"],
        ["is a port of br0", "y"],
    ]


def test_a_wide_terminal_gets_columns() -> None:
    lines = table(Terminal(), 100)

    assert lines[0] == "PF         VF  container                          subnet"
    assert lines[1] == "enp1s0f0    0  ffffffffffff/net1                  10.20.0.0/24"
    assert lines[3] == "eth0        3  -                                  -"


@pytest.mark.parametrize("width", range(16, 130))
def test_at_no_width_anything_is_cut_or_too_wide(width: int) -> None:
    lines = table(Terminal(), width)

    assert max(map(cell_len, lines)) <= width
    shown = "".join("".join(lines).split())
    for row in CELLS:
        for text in row:
            left = [text] if text in shown else text.split("/")
            pieces = all(_in_order(part, shown) for part in left)
            assert pieces, f"{text} in {lines}"
    assert [line for line in lines if line != line.rstrip()] == []


def _in_order(text: str, shown: str) -> bool:
    """Folded beside another folded cell its parts stand apart: each character in its order."""
    rest = iter(shown)
    return all(character in rest for character in text)


def test_in_a_narrow_terminal_a_row_is_a_paragraph() -> None:
    assert table(Terminal(), 30) == [
        "PF enp1s0f0  VF 0",
        "  container ffffffffffff/net1",
        "  subnet 10.20.0.0/24",
        "PF enp1s0f0  VF 127",
        "  container",
        "  a-rather-long-container-name",
        "  /net1",
        "  subnet",
        "  fd00:20:aaaa:bbbb::/64",
        "PF eth0  VF 3",
    ]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_a_line_is_wrapped_and_whole(width: int) -> None:
    out = Terminal()

    Screen(out, width).line(LINE, "red")

    lines = re.sub(r"\033\[[0-9;]*m", "", out.getvalue()).splitlines()
    assert " ".join(line.strip() for line in lines).split() == LINE.split()
    assert max(map(len, lines)) <= width


def test_a_line_in_a_pipe_is_one() -> None:
    out = io.StringIO()

    Screen(out).line(LINE * 20)

    assert out.getvalue() == LINE * 20 + "\n"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_escape_at_all_where_none_is_wanted(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    coloured, plain = Terminal(), Terminal()
    Screen(coloured, 80).line("free", "bold green")
    monkeypatch.setenv(name, value)

    Screen(plain, 40).line("free", "bold green")
    Screen(plain, 40).line(LINE)
    assert max(map(len, plain.getvalue().splitlines())) <= 40
    Screen(plain, 40).table(COLUMNS, ROWS)

    assert "\033[" in coloured.getvalue()
    assert "\033" not in plain.getvalue()


def test_a_pipe_gets_no_escape_whatever_is_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    out = io.StringIO()

    Screen(out).line("free", "bold green")

    assert out.getvalue() == "free\n"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\033[31mb", r"a\x1b[31mb"),
        ("a\nb", r"a\nb"),
        ("a\u202eb", r"a\u202eb"),
        ("\udcff", r"\udcff"),
        ("", "-"),
    ],
)
def test_names_are_shown_and_not_obeyed(name: str, shown: str) -> None:
    assert cell(name).plain == shown


def test_wide_characters_count_twice() -> None:
    out = Terminal()

    Screen(out, 60).table((Column("a"), Column("b")), [[Text("箱箱"), Text("x")], [Text("yyyy"), Text("z")]])

    lines = re.sub(r"\033\[[0-9;]*m", "", out.getvalue()).splitlines()
    assert {cell_len(line[: line.index(last)]) for line, last in zip(lines, "bxz", strict=True)} == {6}


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"), (999, "999"), (1000, "1.0k"), (1500, "1.5k"), (9_949, "9.9k"), (9_951, "10k"), (999_499, "999k"),
        (999_500, "1.0M"), (12_345_678, "12M"), (1 << 63, "9.2E"),
    ],
)  # fmt: skip
def test_amounts(number: int, shown: str) -> None:
    assert screen.amount(number) == shown


def test_the_width_is_the_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "61")
    assert shutil.get_terminal_size().columns == 61

    assert Screen(Terminal()).width == 61
    monkeypatch.setenv("TERM", "dumb")
    assert Screen(Terminal()).width == 61


def test_words_in_brackets_are_words() -> None:
    out = Terminal()

    Screen(out).line("[bold]a[/bold] :smile:")

    assert out.getvalue() == "[bold]a[/bold] :smile:\n"


@pytest.mark.parametrize(
    "text", ["a\x1b[2Jb", Text("a\x1b[2Jb", style="red"), Text("x").append("\x9b2J", "bold")]
)
@pytest.mark.parametrize("way", ["line", "table"])
def test_what_a_terminal_would_obey_is_shown(text: str | Text, way: str) -> None:
    """A netdev may have ESC in its name, and a container names the one that comes home."""
    out = io.StringIO()

    if way == "line":
        Screen(out).line(text)
    else:
        Screen(out).table([Column("a")], [[text if isinstance(text, Text) else cell(text)]])

    assert "\\x1b[2J" in out.getvalue() or "\\x9b2J" in out.getvalue()
    assert out.getvalue().replace("\n", "").isprintable()


def test_a_comment_stays_one_for_whom_copies_it() -> None:
    out = Terminal()

    Screen(out, 24).line("# load it and bind it again", indent=4, again="# ")

    assert out.getvalue() == "    # load it and bind\n    # it again\n"


def test_a_command_stays_one_line_that_can_be_copied() -> None:
    out = Terminal()

    Screen(out, 20).command("# ip link set enp1s0f0 up\x1b", "bold", indent=4)

    assert re.sub(r"\033\[[0-9;]*m", "", out.getvalue()) == "    # ip link set enp1s0f0 up\\x1b\n"
