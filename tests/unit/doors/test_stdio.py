"""What a door's process is given and gives: standard input whole or not at all, and answers that nobody may hear."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cni_sriov.doors import stdio
from cni_sriov.words.errors import InputOutput


@pytest.fixture
def stdin() -> Iterator[int]:
    """The end to write to; what is read is descriptor 0."""
    kept = os.dup(0)
    reading, writing = os.pipe()
    os.dup2(reading, 0)
    os.close(reading)
    yield writing
    os.dup2(kept, 0)
    os.close(kept)


def feed(fd: int, data: bytes) -> threading.Thread:
    """More than a pipe holds comes in pieces."""

    def write() -> None:
        try:
            with open(fd, "wb") as file:
                file.write(data)
        except BrokenPipeError:
            pass

    thread = threading.Thread(target=write)
    thread.start()
    return thread


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff{", b"x" * 200_000])
def test_all_of_it_is_read(stdin: int, data: bytes) -> None:
    thread = feed(stdin, data)

    assert stdio.read_stdin().encode("utf-8", "surrogateescape") == data
    thread.join()


def test_what_is_longer_than_anybodys_is_not_read_to_its_end(stdin: int) -> None:
    thread = feed(stdin, b"x" * (stdio.STDIN_LIMIT + (1 << 20)))

    with pytest.raises(InputOutput, match="longer than 8388608 bytes"):
        stdio.read_stdin()
    os.close(0)
    thread.join()


def test_a_directory_is_no_standard_input() -> None:
    kept, directory = os.dup(0), os.open("/", os.O_RDONLY)
    os.dup2(directory, 0)
    try:
        with pytest.raises(InputOutput, match="closed, or a directory"):
            stdio.read_stdin()
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(directory)


def test_an_answer_goes_out_whole(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file:
        stdio.write_all(file.fileno(), "{}\ud800\n")

    assert (tmp_path / "out").read_bytes() == b"{}\\ud800\n"


def test_one_that_nobody_hears_is_told_beside_it() -> None:
    said: list[tuple[int, str]] = []

    def write(fd: int, text: str) -> None:
        if fd == 1:
            raise OSError(28, "No space left on device")
        said.append((fd, text))

    assert not stdio.say(write, 1, "{}\n")
    assert said == [(2, "cni-sriov: write the answer: No space left on device\n")]
    assert stdio.say(write, 1, ""), "nothing to say is heard"
