"""Trees and archives whose bytes depend on names, contents and one date alone: no owner, umask, clock or order of a disk."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
from pathlib import Path

FAST, BEST = 6, 9  # of gzip; what xz would save is a sixth, and it takes fifteen times as long


class Tree:
    """A directory that is filled for a package."""

    def __init__(self, top: Path) -> None:
        self.top = top
        top.mkdir()

    def put(self, name: str, content: bytes | str | Path, mode: int = 0o644) -> None:
        """A file."""
        path = self._place(name)
        if isinstance(content, Path):
            shutil.copyfile(content, path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)

    def link(self, name: str, target: str) -> None:
        """A relative symlink; both are paths from the top."""
        path = self._place(name)
        path.symlink_to(os.path.relpath(target, os.path.dirname(name)))

    def copy(self, source: Path, name: str) -> None:
        """A whole directory; a file that its owner may run may be run by all."""
        for path in sorted(source.rglob("*")):
            inside = f"{name}/{path.relative_to(source)}"
            if path.is_symlink():
                self._place(inside).symlink_to(path.readlink())
            elif path.is_file():
                self.put(inside, path, mode_of(path))

    def notices(self, directory: str, licences: dict[str, bytes]) -> None:
        """The licences of what the programs are made of, a file for each package."""
        for name, text in licences.items():
            self.put(f"{directory}/{name}", text)

    def date(self, epoch: int) -> None:
        """All of it from one second; the last to be done, as it closes directories again."""
        for path in [self.top, *self.top.rglob("*")]:
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
            os.utime(path, (epoch, epoch), follow_symlinks=False)

    def _place(self, name: str) -> Path:
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def mode_of(path: Path) -> int:
    return 0o755 if path.stat().st_mode & 0o100 else 0o644


def tar(top: Path, epoch: int, prefix: str = "") -> bytes:
    """All below `top`, in the order of names."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(top.rglob("*")):
            entry = archive.gettarinfo(path, prefix + str(path.relative_to(top)))
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            entry.mtime = epoch
            entry.mode = 0o777 if entry.issym() else 0o755 if entry.isdir() else mode_of(path)
            if entry.islnk():  # the tree is of the same files as the build, hard links of them
                entry.type, entry.linkname, entry.size = tarfile.REGTYPE, "", path.stat().st_size
            if entry.isfile():
                with path.open("rb") as content:
                    archive.addfile(entry, content)
            else:
                archive.addfile(entry)
    return whole.getvalue()


def zipped(raw: bytes, level: int = FAST) -> bytes:
    """By gzip, without a name or a date."""
    return gzip.compress(raw, level, mtime=0)
