from __future__ import annotations

import re

import nbformat.v4 as v4
import pytest
from batch_support import FILES

from evalkit.batch.jobs import Job
from evalkit.batch.results import write_notebook


@pytest.fixture
def written(tmp_path):
    """Write a notebook with one markdown and one HTML output; return the page's text."""

    def write(markdown: str = "", html: str = "") -> str:
        cell = v4.new_code_cell("print(1)")
        cell.outputs = [v4.new_output("display_data", {"text/html": html, "text/plain": ""})]
        node = v4.new_notebook(cells=[v4.new_markdown_cell(markdown), cell])
        job = Job(2, "1", "<i>甲</i>项目", FILES / "ok.ipynb", tmp_path / "x.xlsx", "1")
        write_notebook(tmp_path, job, node, None)
        return (tmp_path / "ok.html").read_text(encoding="utf-8").split("</label>")[1]

    return write


@pytest.mark.parametrize(
    "evil",
    [
        "<script>alert(1)</script>",
        "<img src='http://example.test/x.png'>",
        "<img src='//example.test/x.png'>",
        "<img src=x onerror=alert(1)>",
        "<a href='https://example.test/'>去</a>",
        "<a href='javascript:alert(1)'>去</a>",
        "<iframe src='http://example.test'></iframe>",
        "<link rel=stylesheet href='http://example.test/x.css'>",
        "<style>@import url(http://example.test/x.css)</style>",
        "<form action='http://example.test'><input></form>",
        "<svg><use href='http://example.test/x.svg#a'/></svg>",
        "<p style='background:url(http://example.test/x)'>字</p>",
    ],
)
def test_nothing_in_markdown_or_outputs_runs_or_asks_the_network(written, evil):
    for text in (written(markdown=evil), written(html=evil)):
        assert "example.test" not in text
        assert not re.search(r"<(script|iframe|style|form|link|svg)\b|onerror|javascript:", text)


def test_tables_headings_and_lists_keep_their_form(written):
    text = written(
        "## 二、评分\n\n- 一\n- 二\n\n| 指标 | 得分 |\n|---|---|\n| 产出 | 38 |",
        '<style scoped>.dataframe th {x: y}</style><table class="dataframe"><thead><tr><th>名</th>'
        "</tr></thead><tbody><tr><td>值</td></tr></tbody></table>",
    )
    assert re.search(r"<h2[^>]*>二、评分", text)
    assert text.count("<li>") == 2
    assert "<th>指标</th>" in text
    assert '<table class="dataframe"><thead><tr><th>名</th>' in text
    assert ".dataframe th" not in text


def test_the_projects_name_is_escaped(written, tmp_path):
    written()
    assert "&lt;i&gt;甲&lt;/i&gt;项目" in (tmp_path / "ok.html").read_text(encoding="utf-8")
