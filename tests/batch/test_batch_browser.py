"""The front page in a real browser: it sorts without a network and breaks no policy of its own."""

from __future__ import annotations

from decimal import Decimal

import chromium
import pytest
from batch_support import indicator

from evalkit.batch.results import write_index

pytest.importorskip("selenium", reason="needs the test extra")
from selenium.webdriver.common.by import By

pytestmark = chromium.NEEDED


@pytest.fixture
def browser(tmp_path):
    driver = chromium.start(tmp_path / "profile")
    yield driver
    driver.quit()


def test_a_click_on_a_header_sorts_and_gaps_stay_last(make_outcome, tmp_path, browser):
    scores = {"1": "9.5", "2": "10", "3": "8"}
    outcomes = [
        make_outcome(code, f"项目{code}", indicators=[indicator(score=Decimal(score))])
        for code, score in scores.items()
    ]
    outcomes.append(make_outcome("4", "无分项目"))
    page = write_index(tmp_path / "index.html", outcomes, [])
    browser.get(page.as_uri())

    def order() -> list[str]:
        cells = browser.find_elements(By.CSS_SELECTOR, "#results tbody td.name small")
        return [cell.text for cell in cells]

    def click(header: str) -> None:
        for button in browser.find_elements(By.CSS_SELECTOR, "#results th button"):
            if button.text.startswith(header):
                button.click()

    assert order() == ["1", "2", "3", "4"]
    click("得分")
    assert order() == ["3", "1", "2", "4"]
    click("得分")
    assert order() == ["2", "1", "3", "4"]
    assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []
