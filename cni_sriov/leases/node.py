"""What is node-global about subnets, in RUN_DIR/subnets: the lock with its journal, which data directories are in use,
the overlap indexes and the next-fit cursors. All of it may be lost at a reboot, and is.

What is in use (dirs/*) is a symlink to it, for whoever looks; its name says the same, and is what is read. A cursor is a
hint: a padded pwrite, and what cannot be read counts as none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from ..state import files
from ..words.lease import LeaseDir
from .index import Index
from .journal import Journal

_CURSOR_WIDTH = 40  # 2^128 has 39 digits
_VERSIONS = (4, 6)


class Node:
    """RUN_DIR/subnets. Everything but `journal`, `dirs` and `is_registered` wants its lock held."""

    __slots__ = ("boot_id", "path")

    def __init__(self, run_dir: str, boot_id: str) -> None:
        self.path = f"{run_dir}/subnets"
        self.boot_id = boot_id

    def journal(self, verb: str) -> Journal:
        return Journal(f"{self.path}/lock", verb)

    def ensure(self) -> None:
        files.ensure_directory(self.path)
        files.ensure_directory(f"{self.path}/dirs")

    # data directories in use ---------------------------------------------------------------------

    def is_registered(self, where: LeaseDir) -> bool:
        return files.exists(self._dir_link(where))

    def register(self, where: LeaseDir) -> None:
        """The scope's index is dropped first: whoever needs it builds it anew, from all directories then known."""
        self.drop_index(where.scope)
        try:
            os.symlink(where.data_dir, self._dir_link(where))
        except FileExistsError:
            pass

    def dirs(self) -> Iterator[LeaseDir]:
        """All that were used in this boot. The link's name is scope and path, so nothing needs to be read."""
        for name in files.names(f"{self.path}/dirs"):
            scope, _, path = name.partition("@")
            yield LeaseDir(files.from_name(path), scope)

    def _dir_link(self, where: LeaseDir) -> str:
        return f"{self.path}/dirs/{where.scope}@{files.as_name(where.data_dir)}"

    # the index -----------------------------------------------------------------------------------

    def index_path(self, scope: str, version: int) -> str:
        """Of the scope's index of that IP family."""
        return f"{self.path}/{scope}@v{version}"

    def put_index(self, scope: str, index: Index) -> None:
        """Replace the file by an index built in memory."""
        path = self.index_path(scope, index.version)
        temporary = f"{path}.tmp"
        files.create(temporary, index.to_bytes(self.boot_id))
        os.rename(temporary, path)

    def drop_index(self, scope: str) -> None:
        for version in _VERSIONS:
            files.remove(self.index_path(scope, version))

    # cursors -------------------------------------------------------------------------------------

    def open_cursor(self, scope: str, key: str) -> int:
        path = f"{self.path}/{scope}@{key}"
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def read_cursor(fd: int) -> int | None:
    try:
        return int(os.pread(fd, _CURSOR_WIDTH, 0))
    except ValueError:  # none yet, torn, or not ours
        return None


def write_cursor(fd: int, address: int) -> None:
    os.pwrite(fd, str(address).ljust(_CURSOR_WIDTH).encode(), 0)
