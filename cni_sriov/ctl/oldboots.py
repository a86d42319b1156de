"""Lease directories of earlier boots below the default dataDir: the others are known, and so cleared, at first use."""

from __future__ import annotations

import os
from collections.abc import Iterator

from ..ipam import own
from ..leases import directory
from ..vf.host import Host
from ..words.failures import Failures
from ..words.lease import LeaseDir
from .verdict import Verdict


def take(host: Host, dry_run: bool, data_dir: str) -> Iterator[Verdict]:
    for scope in _scopes(data_dir):
        failures = Failures()
        with failures.of():
            yield from _of(host, LeaseDir(data_dir, scope), dry_run)
        for reason in failures.reasons:
            yield Verdict("lease", f"{data_dir}/{scope}", "", False, str(reason), True)


def _of(host: Host, where: LeaseDir, dry_run: bool) -> list[Verdict]:
    old = _old(host, where)
    if old and not dry_run:
        with own.store(host, where).transaction("sriovctl gc"):  # the first of a directory drops them
            for name in _old(host, where):  # and those were put there since
                directory.drop(where, name)
        directory.sweep(where)
    return [Verdict("lease", f"{where.path}/{name}", "", True, "it is of an earlier boot") for name in old]


def _old(host: Host, where: LeaseDir) -> list[str]:
    return sorted(set(directory.boots(where)) - {host.ledger.boot_id})


def _scopes(data_dir: str) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(data_dir) if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []
