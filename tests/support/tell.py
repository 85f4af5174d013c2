"""Telling figures to whoever runs the tests, also when everything passes."""

from __future__ import annotations

import pytest


def tell(config: pytest.Config, *lines: str) -> None:
    """Write lines into pytest's own report."""
    capture = config.pluginmanager.getplugin("capturemanager")
    reporter = config.pluginmanager.getplugin("terminalreporter")
    assert reporter is not None
    assert capture is not None
    with capture.global_and_fixture_disabled():
        for line in lines:
            reporter.write_line(line)
