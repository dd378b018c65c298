"""Documents of the demos, written once for all tests that read them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cost_support
import pytest
from cost_support import Files, data, result

from evalkit.workflows import cost_standard as cost


@pytest.fixture(scope="session")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Files]:
    """The files of a demo by kind, without figures."""
    written: dict[str, Files] = {}

    def deliver(slug: str) -> Files:
        if slug not in written:
            base, out = data(slug), tmp_path_factory.mktemp(slug)
            task = replace(base, params=base.params.model_copy(update={"out": str(out)}))
            written[slug] = cost.deliver(task, result(slug), {})
            written[slug]["支出标准"] = next(out.rglob("支出标准*.docx"))
        return written[slug]

    return deliver


@pytest.fixture(params=cost_support.SLUGS)
def slug(request: pytest.FixtureRequest) -> str:
    return str(request.param)
