"""MLflow's own pages in a real browser, over a sweep of 48 runs of which two diverged: what people look at."""

import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, Page, expect

from runner.tracking.links import links
from runner.tracking.store import Store
from runner.tracking.translation import NOTE
from tests.browsers import browser
from tests.servers import Serving

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

ROOT = Path(__file__).resolve().parents[2]
SWEEP = ("-m", "dataset=flower", "dataset.test_n=100", "optimizer=gd", "training.iterations=2000")
SWEEP += ("optimizer.lr=0.01,0.03,0.1,0.3,1,3", "architecture.l2=0,0.01,0.1,1", "seed=0,1")
PATIENCE = 90_000  # milliseconds: the UI is 20 MB of JavaScript, and this machine may have other things to do

__all__ = ["browser"]


class Shown(NamedTuple):
    """A sweep's folder, MLflow's address, the ids of its runs by their status, the best of them, the sweep's link."""

    folder: Path
    address: str
    runs: dict[str, list[str]]
    best: str
    link: str


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    folder = tmp_path_factory.mktemp("ui")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-m", "runner", *SWEEP, "hydra.sweep.dir=sweep", "tracking.uri=sqlite:///mlflow.db"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    store = Store(f"sqlite:///{folder / 'mlflow.db'}")
    runs: dict[str, list[str]] = {}
    best = sweep = ""
    for run in store.client.search_runs(["1"], max_results=1000):
        if "sweep_summary" in run.data.tags:
            sweep = run.data.tags["sweep_summary"]
            continue
        runs.setdefault(run.data.tags["status"], []).append(run.info.run_id)
        if "% right" in run.data.tags.get(NOTE, ""):
            best = run.info.run_id
    assert {status: len(ids) for status, ids in runs.items()} == {"finished": 46, "diverged": 2}
    with Serving("mlflow ui --backend-store-uri sqlite:///mlflow.db", "/health", folder, environment) as port:
        address = f"http://127.0.0.1:{port}"
        yield Shown(folder, address, runs, best, links(address, "1", sweep=sweep))


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    yield page
    expect.set_options(timeout=5_000)
    context.close()


def picture(page: Page, name: str, folder: Path) -> None:
    """Keep what is seen; `SCREENSHOTS=docs/images` is how the pictures of the pages were made."""
    page.wait_for_timeout(1500)
    page.screenshot(path=Path(os.environ.get("SCREENSHOTS") or folder) / f"{name}.png")


def alone(page: Page) -> None:
    """MLflow opens its assistant beside each page of a browser that is new to it."""
    page.get_by_role("button", name="Close", exact=True).click()


def charts(page: Page, what: str) -> list[Any]:
    """A JavaScript expression of each of the Plotly charts that are drawn, of its first of its `traces`, `one`."""
    body = "const traces = chart.data || []; const one = traces[0] || {};"
    return page.locator(".js-plotly-plot").evaluate_all(f"(all) => all.map((chart) => {{ {body} return {what}; }})")


def test_a_runs_page_has_its_note_and_its_pictures(shown: Shown, page: Page) -> None:
    page.goto(f"{shown.address}/#/experiments/1/runs/{shown.best}")
    expect(page.get_by_text(re.compile(r"flower: \d+ % right on test rows")).first).to_be_visible()
    alone(page)
    page.get_by_text("Show more").click()
    for name in ("cost", "layers", "boundary"):
        image = page.locator(f"img[src$='path=plots%2F{name}.png']")
        expect(image).to_have_count(1)
        page.wait_for_function("(image) => image.complete && image.naturalWidth > 800", arg=image.element_handle())
    picture(page, "mlflow-run", shown.folder)


def test_the_page_of_a_run_that_diverged_says_where(shown: Shown, page: Page) -> None:
    pages = []
    for run in shown.runs["diverged"]:
        page.goto(f"{shown.address}/#/experiments/1/runs/{run}")
        page.reload()
        expect(page.get_by_text("first_nonfinite").first).to_be_visible()
        pages.append(page.locator("body").inner_text())
    assert all(re.search(r"cost of layer 2 at step \d+", text) for text in pages)
    assert all("Failed" in text for text in pages)


def test_the_sweeps_link_opens_its_curves_side_by_side(shown: Shown, page: Page) -> None:
    page.goto(shown.link)
    expect(page.get_by_text("48 matching runs")).to_be_visible()
    alone(page)
    page.get_by_placeholder("Search metric charts").fill("test/accuracy")
    expect(page.locator(".js-plotly-plot")).to_have_count(1)  # of best/test/accuracy; the other as it comes into sight
    page.mouse.move(1000, 600)
    page.mouse.wheel(0, 600)
    expect(page.locator(".js-plotly-plot .scatterlayer .trace")).to_have_count(
        20
    )  # the first ten runs, smoothed or not
    kinds = charts(page, "[one.type, traces.length, Math.max(...traces.map((trace) => trace.x.length))]")
    assert ("scatter", 20) in [(kind, count) for kind, count, _ in kinds]
    assert all(count > 0 and points > 0 for _, count, points in kinds), "no chart is blank"
    picture(page, "mlflow-charts", shown.folder)


def test_the_sweeps_comparison_opens_all_runs_in_parallel_coordinates(shown: Shown, page: Page) -> None:
    (address,) = re.findall('url=(.*?)"', (shown.folder / "sweep" / "compare.html").read_text())
    page.goto(address.replace("http://127.0.0.1:5000", shown.address))
    expect(page.get_by_text("Comparing 48 Runs from 1 Experiment")).to_be_visible()
    alone(page)
    page.locator(".js-plotly-plot").first.wait_for()
    # The last cost of what diverged is no number, and such a line is not drawn; best/... is one in every run.
    metrics = page.locator(".du-bois-light-select").nth(1)
    metrics.click()
    page.keyboard.type("best/train/cost")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    chosen = metrics.locator(".du-bois-light-select-selection-item")
    expect(chosen).to_have_count(2)
    chosen.first.locator(".du-bois-light-select-selection-item-remove").click()
    expect(chosen).to_have_text(["best/train/cost"])
    page.wait_for_timeout(1500)
    (dimensions,) = charts(page, "one.dimensions.map((each) => [each.label, each.values])")
    assert {name for name, _ in dimensions} == {"optimizer.lr", "architecture.l2", "seed", "best/train/cost"}
    assert all(len(values) == 48 and all(math.isfinite(value) for value in values) for _, values in dimensions)
    picture(page, "mlflow-parallel", shown.folder)
