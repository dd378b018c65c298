"""An evaluator opens the notebook in JupyterLab, runs it, sees scores and figures, has a report."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import chromium
import pytest
import support

pytest.importorskip("selenium", reason="needs the test extra")
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

pytestmark = chromium.NEEDED

ERROR = ".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']"


@pytest.fixture
def folder(tmp_path) -> Path:
    """A firm's own working folder, as `evalkit init` lays it out."""
    command = [sys.executable, "-m", "evalkit.cli", "init", str(tmp_path / "机构")]
    subprocess.run(command, check=True, cwd=support.ROOT)
    return tmp_path / "机构"


@pytest.fixture
def server(folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}",
        "--ip=127.0.0.1", "--IdentityProvider.token=", "--ServerApp.password=",
        "--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]  # fmt: skip
    environment = os.environ | {"JUPYTER_CONFIG_DIR": str(folder.parent / "config")}
    with (folder.parent / "lab.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            base = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + 60
            while True:
                try:
                    urllib.request.urlopen(f"{base}/api", timeout=2).close()  # noqa: S310
                    break
                except OSError:
                    assert time.monotonic() < deadline, (folder.parent / "lab.log").read_text()
                    time.sleep(0.3)
            yield base
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture
def browser(tmp_path):
    driver = chromium.start(tmp_path / "profile")
    yield driver
    driver.quit()


# Cells out of view are not in the page, and an output comes some time after its cell.
_SCROLL = """
const [pane, done] = arguments, text = [], images = new Set();
const step = pane.clientHeight / 2;
(async () => {
  for (let top = 0; top < pane.scrollHeight; top += step) {
    pane.scrollTop = top;
    await new Promise(go => setTimeout(go, 200));
    for (const output of document.querySelectorAll('.jp-OutputArea-output')) {
      text.push(output.innerText);
      for (const image of output.querySelectorAll('img'))
        if (image.naturalWidth > 500) images.add(image.src);
    }
  }
  done([text.join('\\n'), images.size]);
})();
"""


def _seen(driver) -> tuple[str, int]:
    """Scroll through the notebook: all output text, and how many images really show."""
    pane = driver.find_element(By.CSS_SELECTOR, ".jp-WindowedPanel-outer")
    driver.set_script_timeout(120)
    text, images = driver.execute_async_script(_SCROLL, pane)
    return text, images


def _shown(driver, selector: str) -> str:
    script = "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent).join(' ')"
    return driver.execute_script(script, selector)


def _run_all(driver) -> bool:
    """Run all cells from the menu; whether they started: a kernel that starts drops a first go."""
    for accept in driver.find_elements(By.CSS_SELECTOR, ".jp-Dialog .jp-mod-accept"):
        accept.click()
        time.sleep(1)
    driver.find_element(By.XPATH, "//div[text()='Run']/ancestor::li").click()
    item = "//div[@role='menu' or contains(@class,'lm-Menu')]//div[text()='Run All Cells']"
    WebDriverWait(driver, 10).until(lambda d: d.find_elements(By.XPATH, item))[0].click()
    for _ in range(20):
        if _shown(driver, ".jp-InputPrompt").strip("[]: "):
            return True
        time.sleep(0.5)
    return False


def test_run_all_cells_shows_scores_and_figures_and_leaves_a_report(folder, server, browser):
    browser.get(f"{server}/lab/tree/notebooks/project_evaluation.ipynb")
    wait = WebDriverWait(browser, 90)
    wait.until(lambda d: d.find_elements(By.CSS_SELECTOR, ".jp-Notebook .jp-CodeCell"))
    wait.until(lambda d: "Python" in _shown(d, ".jp-KernelName"))
    report = folder / "outputs" / "试运行" / "评价报告.docx"
    done = report.parent / "result.json"
    try:
        wait.until(_run_all)
        WebDriverWait(browser, 400, poll_frequency=2).until(
            lambda d: done.exists() or d.find_elements(By.CSS_SELECTOR, ERROR)
        )
        time.sleep(3)
        text, images = _seen(browser)
    finally:
        browser.save_screenshot(str(folder.parent / "lab.png"))
    assert done.exists(), text
    assert "Traceback" not in text
    assert "立项依据充分性" in text
    assert "合计" in text
    assert images >= 3
    assert report.stat().st_size > 20_000
