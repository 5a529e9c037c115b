"""The report in a real browser: what can be done with it, with the mouse, with the keyboard, and without JavaScript."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, TimeoutError, expect

from runner import report
from tests.browsers import browser

pytestmark = pytest.mark.slow
__all__ = ["browser"]

ROOT = Path(__file__).resolve().parents[2]
SWEEP = ("-m", "dataset=flower", "optimizer=gd", "training.iterations=100", "dataset.test_n=100")
SWEEP += ("init=he_normal,xavier_normal,normal,uniform,zeros", "optimizer.lr=0.01,0.03,0.1,0.3,1,3,10,30,100,1e308")
SWEEP += ("seed=range(10)",)  # 500 runs, of which those at 1e308 diverge


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a sweep of 500 runs."""
    folder = tmp_path_factory.mktemp("large")
    command = [sys.executable, "-m", "runner", *SWEEP, "tracking=none", "hydra.sweep.dir=sweep"]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "500 runs in" in done.stdout
    return folder / "sweep" / "report.html"


class Opened:
    """A page and what it has asked for and complained about."""

    def __init__(self, page: Page, path: Path):
        self.page, self.requests, self.complaints = page, [], []  # type: ignore[var-annotated]
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None,
        )
        try:
            page.goto(path.as_uri())
        except TimeoutError:  # Chromium's new process hung, seen once in a busy container; the page is asked for again
            self.requests.clear()
            page.goto(path.as_uri())

    def column(self, title: str, table: str = "runs") -> list[str]:
        """The cells of a column of a table, of the rows that are shown."""
        return self.page.evaluate(
            """([table, title]) => {
                const all = document.getElementById(table);
                const heads = [...all.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
                const rows = [...all.tBodies[0].rows].filter((row) => !row.hidden);
                return rows.map((row) => row.cells[heads.indexOf(title)].textContent.trim());
            }""",
            [table, title],
        )

    def model(self, name: str, what: str) -> Any:
        """A property of one of the charts' models."""
        find = "Bokeh.documents.map((page) => page.get_model_by_name(name)).find(Boolean)"
        return self.page.evaluate(f"([name]) => {{ const found = {find}; return found.{what}; }}", [name])

    def sort(self, title: str, table: str = "runs") -> str | None:
        head = self.page.locator(f"#{table} th", has=self.page.get_by_role("button", name=title, exact=True))
        head.get_by_role("button").click()
        return head.get_attribute("aria-sort")


@pytest.fixture
def opened(browser: Browser, large: Path) -> Iterator[Opened]:
    """The large report, charts drawn; at the end nothing was asked of any network and nothing complained."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = Opened(context.new_page(), large)
    opened.page.wait_for_selector("html[data-ready]")
    yield opened
    assert opened.requests == [large.as_uri()]
    assert opened.complaints == []
    context.close()


def test_five_hundred_runs_fit_into_five_megabytes(large: Path) -> None:
    assert large.stat().st_size <= 5_000_000


def test_a_click_on_a_title_sorts_and_a_second_turns_it_round(opened: Opened) -> None:
    for title in ("test/cost", "train/accuracy", "optimizer.lr", "seed"):
        for direction, order in (("ascending", 1), ("descending", -1)):
            assert opened.sort(title) == direction
            cells = [float(cell) for cell in opened.column(title) if cell]
            assert cells == sorted(cells, key=lambda value: order * value)
            assert len(opened.column(title)) == 500
    assert opened.page.locator("#runs th[aria-sort='descending']").count() == 1
    opened.sort("init")
    assert opened.column("init") == sorted(opened.column("init"))
    opened.sort("failed", "settings")
    opened.sort("failed", "settings")
    assert opened.column("failed", "settings")[0] == "10"


def test_a_filter_narrows_tables_and_charts(opened: Opened) -> None:
    everything = opened.model("curves-source", "data.xs.length")
    assert everything == 500
    opened.page.get_by_label("Filter", exact=True).fill("init=zeros lr=0.1 ")
    expect(opened.page.locator("#shown")).to_have_text("10 of 500 runs")
    assert set(opened.column("init")) == {"zeros"}
    assert set(opened.column("optimizer.lr")) == {"0.1"}
    assert len(opened.column("rank", "settings")) == 1
    assert opened.model("curves-source", "data.xs.length") == 10
    opened.page.get_by_label("Filter", exact=True).fill("no such thing")
    expect(opened.page.locator("#shown")).to_have_text("0 of 500 runs")
    assert opened.column("rank") == []
    opened.page.get_by_role("button", name="Show all").click()
    assert len(opened.column("rank")) == 500
    opened.page.get_by_label("Status", exact=True).select_option("diverged")
    assert set(opened.column("status")) == {"diverged"}


def test_pointing_at_a_curve_names_its_run(opened: Opened) -> None:
    names = [run["name"] for run in opened.page.evaluate("data.runs.map((run) => ({ name: run.name }))")]
    chart = opened.page.locator("#curves")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None
    said = opened.page.locator(".bk-Tooltip .bk-tooltip-row-value")
    for share in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        opened.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + share * box["height"])
        opened.page.wait_for_timeout(150)
        if said.count():
            break
    run, status, iteration, value, last = said.all_inner_texts()[:5]
    assert run in names
    assert status in ("finished", "diverged")
    assert 0 <= int(iteration) <= 100
    assert float(value) > 0
    assert float(last) > 0


def test_a_run_that_is_marked_stands_out_among_the_curves(opened: Opened) -> None:
    button = opened.page.get_by_role("button", name="mark the curve of").first
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert opened.model("curves-source", "data.width").count(4) == 1
    button.click()
    assert opened.model("curves-source", "data.width").count(4) == 0


def test_the_heat_map_is_over_any_two_keys(opened: Opened) -> None:
    page = opened.page
    assert opened.model("heat-figure-x", "axis_label") == "init"
    assert opened.model("heat-figure-y", "axis_label") == "optimizer.lr"
    assert len(opened.model("heat-source", "data.text")) == 50
    page.get_by_label("Across", exact=True).select_option("optimizer.lr")
    page.get_by_label("Up", exact=True).select_option("seed")
    assert opened.model("heat-figure-x", "axis_label") == "optimizer.lr"
    assert opened.model("heat-figure", "x_range.factors")[:3] == ["0.01", "0.03", "0.1"]
    assert opened.model("heat-figure", "y_range.factors") == [str(seed) for seed in range(10)]
    assert len(opened.model("heat-source", "data.text")) == 100
    assert opened.model("heat-source", "data.text").count("failed") == 10, "where all have diverged"
    before = opened.model("heat-source", "data.median")
    page.get_by_label("Median of, or", exact=True).select_option("test/accuracy")
    assert opened.model("heat-source", "data.median") != before


def test_a_box_over_the_seeds_or_for_each_value_of_a_key(opened: Opened) -> None:
    rows = opened.model("boxes-figure", "y_range.factors")
    assert len(rows) == 40
    assert rows[-1].startswith("init=")
    assert "10 more groups" in opened.page.locator("#boxes-text").inner_text()
    opened.page.get_by_label("A box for each").select_option("init")
    assert sorted(opened.model("boxes-figure", "y_range.factors")) == sorted(set(opened.column("init")))


def test_everything_can_be_reached_and_done_by_keyboard(opened: Opened) -> None:
    page = opened.page
    seen: list[str] = []
    where = """() => { const at = document.activeElement;
        return at.id || at.textContent.trim().slice(0, 40) || at.tagName; }"""
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(where))
        if seen[-1] == "median train/cost":
            break
    assert seen[0] == "To the leaderboard"
    assert seen.index("filter") < seen.index("status") < seen.index("everything") < seen.index("median train/cost")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    medians = [float(cell) for cell in opened.column("median train/cost", "settings") if cell]
    assert medians == sorted(medians, reverse=True)
    page.locator("#filter").focus()
    page.keyboard.type("zeros")
    expect(page.locator("#shown")).to_have_text("100 of 500 runs")
    for name in ("curves-metric", "heat-x", "boxes-group"):
        page.locator(f"#{name}").focus()
        chosen = page.locator(f"#{name}").input_value()
        page.keyboard.press("ArrowDown")
        assert page.locator(f"#{name}").input_value() != chosen
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none", "where one is can be seen"


def test_without_javascript_the_tables_stand(browser: Browser, large: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(large.as_uri())
    assert page.locator("#runs tbody tr").count() == 500
    assert page.locator("#runs tbody tr").first.is_visible()
    assert page.locator("noscript").is_visible()
    assert not page.locator("#curves").is_visible()
    assert not page.locator("#filter").is_visible()
    page.locator("#runs tbody details").first.click()
    assert "python -m runner" in page.locator("#runs tbody code").first.inner_text()
    context.close()


def test_a_narrow_window_scrolls_tables_not_the_page(browser: Browser, large: Path) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(large.as_uri())
    page.wait_for_selector("html[data-ready]")
    width = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    scrolled, client = page.evaluate(width)
    assert scrolled <= client
    context.close()


def test_the_phase_map_is_said_drawn_and_switches_its_keys(opened: Opened) -> None:
    assert opened.page.locator("#phases li", has_text="learns:").count() == 1
    opened.page.get_by_role("button", name="Show it as a map").press("Enter")
    names = opened.page.locator("#heat-legend li").all_inner_texts()
    assert {"learns", "non-finite"} <= set(names)
    assert opened.page.locator("#heat-legend").is_visible()
    drawn = opened.model("heat-source", "data")
    counts = [sum(int(part.rpartition(" ")[2]) for part in cell.split(", ")) for cell in drawn["outcomes"]]
    assert sum(counts) == 500
    assert counts == [int(runs) for runs in drawn["runs"]]
    opened.page.select_option("#heat-x", label="optimizer.lr")
    opened.page.select_option("#heat-y", label="none")
    drawn = opened.model("heat-source", "data")
    assert len(drawn["x"]) == 10
    worst = drawn["x"].index("1e+308")
    assert drawn["outcomes"][worst].startswith("non-finite")
    opened.page.select_option("#heat-metric", label="train/cost")
    assert not opened.page.locator("#heat-legend").is_visible()


def test_odd_sweeps_open_too(browser: Browser, tmp_path: Path) -> None:
    """One key, no seeds, nothing swept but the words, ranges of a search, a network of many layers, all diverged."""
    common = ["dataset=xor", "training.iterations=30", "tracking=none", "plots=false"]
    sweeps = {
        "one": ["-m", "optimizer.lr=0.1,1"],
        "seeds": ["-m", "seed=range(3)"],
        "words": ["-m", "architecture=shallow,deep"],
        "ranges": ["search=random", "search.trials=30", "optimizer.lr=tag(log,interval(1e-4,1))", "seed=range(100)"],
        "diverged": ["-m", "optimizer=gd", "optimizer.lr=1e307,1e308", "architecture.activation=relu", "init.scale=10"],
    }
    for name, words in sweeps.items():
        command = [sys.executable, "-m", "runner", *common, *words, f"hydra.sweep.dir={name}"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True)
        opened = Opened(browser.new_page(), report.write(tmp_path / name))
        opened.page.wait_for_selector("html[data-ready]")
        assert opened.complaints == [], name
        for select in opened.page.locator("select").all():
            for value in select.evaluate("select => [...select.options].map((option) => option.value)"):
                if select.is_enabled():
                    select.select_option(value)
        assert opened.complaints == [], name
        assert not re.search("NaN|undefined|Infinity", opened.page.locator("body").inner_text()), name
        opened.page.close()
