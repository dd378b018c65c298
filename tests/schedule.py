"""Which tests run on the same worker of pytest-xdist, and in which order files are given out.

A file is one unit, so that what it makes once is made once and not once a worker. This is done
here and not by `xdist_group` marks: pytest-xdist 3.8 hands groups over in a node id that
pytest 9.2 no longer lets it change, and silently spreads the tests of a group over all workers
(pytest-dev/pytest-xdist#1386).
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

TOGETHER = ("tests/cost_standard/",)  # folders that are one unit: they share studied demos
SPREAD = ("tests/review/test_refresh_property.py",)  # files whose tests share nothing

# Units that take long; begun last, one of them would keep a worker busy alone.
LONG = (
    "tests/batch/test_engine_kernels.py", "tests/cost_standard/",
    "tests/review/test_refresh_property.py", "tests/batch/test_batch_cluster.py",
    "tests/batch/test_batch_restart.py", "tests/batch/test_batch_run.py", "tests/test_hostile.py",
    "tests/test_same_numbers.py", "tests/test_mutants.py", "tests/test_cli.py",
    "tests/browser/test_jupyterlab.py", "tests/review/test_refresh.py",
    "tests/test_filed_businesses.py", "tests/review/test_copies.py",
)  # fmt: skip


def unit_of(nodeid: str) -> str:
    """The file of a test, or the folder that is one unit; a test itself where none shares."""
    file = nodeid.split("::", 1)[0]
    if file in SPREAD:
        return nodeid
    return next((folder for folder in TOGETHER if file.startswith(folder)), file)


def rank(nodeid: str) -> int:
    """A key that sorts the long units first and leaves the others in their order."""
    file = nodeid.split("::", 1)[0]
    unit = file if file in SPREAD else unit_of(nodeid)
    return LONG.index(unit) if unit in LONG else len(LONG)


class ByFile(LoadScopeScheduling):
    """Units go out in the order of collection, not by their numbers of tests."""

    def __init__(self, config, log=None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)
