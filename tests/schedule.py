"""Which tests run on the same worker of pytest-xdist, and in which order files are given out.

A file is one unit, so that what it makes once is made once and not once a worker. This is done
here and not by `xdist_group` marks: pytest-xdist 3.8 hands groups over in a node id that
pytest 9.2 no longer lets it change, and silently spreads the tests of a group over all workers
(pytest-dev/pytest-xdist#1386).
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

TOGETHER = ("tests/cost_standard/",)  # folders that are one unit: they share studied demos

# Files that take longest, longest first; begun last, one of them would keep a worker alone.
LONG: tuple[str, ...] = ()


def unit_of(nodeid: str) -> str:
    """The file of a test, or the folder that is one unit."""
    file = nodeid.split("::", 1)[0]
    return next((folder for folder in TOGETHER if file.startswith(folder)), file)


def rank(nodeid: str) -> int:
    """A key that sorts the long units first and leaves the others in their order."""
    unit = unit_of(nodeid)
    return LONG.index(unit) if unit in LONG else len(LONG)


class ByFile(LoadScopeScheduling):
    """Units go out in the order of collection, not by their numbers of tests."""

    def __init__(self, config, log=None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)
