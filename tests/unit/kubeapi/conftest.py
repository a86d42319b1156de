"""The stand-in, and the real server where this machine has one (tests/kubeapi/real.py): the same tests for both."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubeapi import SERVERS, Admin, start

from .rooms import DEFINITION, JANE, ROBOT, ROOMS


@pytest.fixture(scope="package", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Admin]:
    directory = Path(tempfile.mkdtemp(prefix="kubeapi-"))
    api = start(request.param, directory, JANE, ROBOT)
    api.apply([DEFINITION])
    yield api
    api.close()
    shutil.rmtree(directory)


@pytest.fixture
def api(server: Admin) -> Admin:
    """With no room in it, and rights for nobody."""
    for path in ("clusterroles/keeper", "clusterrolebindings/keeper"):
        server.remove(f"/apis/rbac.authorization.k8s.io/v1/{path}")
    assert server.call("DELETE", ROOMS).code == 200
    return server
