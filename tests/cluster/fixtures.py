"""The control plane that a whole test run shares; a plugin of pytest's, see tests/conftest.py."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import kinds, programs, proof
from tests.cluster.controlplane import ControlPlane, control_plane


def missing(what: object) -> None:
    """Skip for want of a tool, in words that tell what to do; where CI is set, fail instead."""
    if os.environ.get("CI"):
        pytest.fail(f"with CI set nothing is left out: {what}")
    pytest.skip(str(what))


def needs_programs() -> None:
    """Skip, or in CI fail, where the real programs are not built."""
    try:
        programs.find()
    except programs.MissingError as error:
        missing(error)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the tables that this run has measured."""
    for table in proof.written():
        terminalreporter.write_line(f"\n{table}")


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A real kube-apiserver on a real etcd, with every custom resource defined."""
    needs_programs()
    folder: Path = tmp_path_factory.mktemp("control-plane")
    with control_plane(folder) as plane:
        kinds.install(plane.client(), flux=True)
        yield plane
