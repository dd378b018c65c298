"""In CI nothing may be skipped: what a test needs is installed there. Workers get whole files."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

settings.register_profile("test", max_examples=30, deadline=None)
settings.register_profile("soak", max_examples=400, deadline=None)
settings.load_profile("soak" if os.environ.get("EVALKIT_SOAK") == "1" else "test")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("EVALKIT_NO_SKIP") == "1":
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be skipped: {report.longrepr}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    if config.getoption("dist") != "loadgroup":
        return None
    from schedule import ByFile

    return ByFile(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    if "PYTEST_XDIST_WORKER" in os.environ:
        from schedule import rank

        items.sort(key=lambda item: rank(item.nodeid))


def pytest_collection_finish():
    """Modules and tests stay to the end: no collection of garbage needs to look at them again."""
    gc.collect()
    gc.freeze()
