"""The report of a sweep: everything that its directory holds, on one page that stands alone."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from markupsafe import escape

from runner import load, report
from runner.report.page import html, payload
from runner.report.runs import read, settings, swept
from runner.tracking.store import Store
from runner.tracking.translation import NOTE
from tests.stores import new_store
from tests.stores import runs as stored

ROOT = Path(__file__).resolve().parents[2]
SWEEP = ("-m", "dataset=xor", "optimizer=gd", "training.iterations=120", "architecture.activation=relu")
SWEEP += ("init=he_normal,zeros", "optimizer.lr=0.1,1,1e306", "seed=range(3)")


def command(folder: Path, *words: str, module: str = "runner") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = (sys.executable, "-m", module, *words)
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a sweep of 18 runs, some of which diverge, was made."""
    folder = tmp_path_factory.mktemp("sweep")
    done = command(folder, *SWEEP, "tracking=none", "hydra.sweep.dir=sweep")
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.count("report: sweep/report.html") == 1
    return folder


class Tables(HTMLParser):
    """The cells of each table by its id, row by row, and what is in the other elements that matter."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.addresses: list[str] = []
        self.elements: list[str] = []
        self._rows: list[list[str]] = []
        self._cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self.elements.append(tag)
        self.addresses += [value for name in ("src", "href", "action", "data") if (value := said.get(name))]
        if tag == "table":
            self._rows = self.tables.setdefault(said.get("id") or str(len(self.tables)), [])
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, text: str) -> None:
        if self._cell:
            self._rows[-1][-1] += text

    def column(self, table: str, title: str) -> list[str]:
        head, *rows = self.tables[table]
        return [row[head.index(title)].strip() for row in rows]


@pytest.fixture(scope="module")
def page(folder: Path) -> Tables:
    return Tables((folder / "sweep" / "report.html").read_text())


def test_every_run_has_its_row_best_first_with_its_values(folder: Path, page: Tables) -> None:
    ranked = read(folder / "sweep").runs
    assert len(ranked) == len(page.tables["runs"]) - 1 == 18
    assert page.column("runs", "rank") == [str(rank) for rank in range(1, 19)]
    assert page.column("runs", "init") == [run.values["init"] for run in ranked]
    assert page.column("runs", "seed") == [str(run.values["seed"]) for run in ranked]
    costs = [float(cost) for cost in page.column("runs", "train/cost")[:10]]
    assert costs == sorted(costs)
    statuses = page.column("runs", "status")
    assert "diverged" in statuses
    assert statuses == sorted(statuses, key=lambda status: status == "diverged"), "those that diverged come last"


def test_the_command_of_a_row_makes_the_run_again(folder: Path, page: Tables, tmp_path: Path) -> None:
    words = shlex.split(page.column("runs", "command")[0].removeprefix("command"))
    assert words[:3] == ["python", "-m", "runner"]
    assert command(tmp_path, *words[3:], "hydra.run.dir=again").returncode == 0
    best, again = load(read(folder / "sweep").runs[0].directory), load(tmp_path / "again")
    for mine, theirs in zip(best.weights, again.weights, strict=True):
        np.testing.assert_array_equal(mine[0], theirs[0])


def test_seeds_are_folded_to_median_and_quartiles(folder: Path, page: Tables, tmp_path: Path) -> None:
    sweep = read(folder / "sweep")
    folded = settings(sweep)
    assert len(folded) == 6 == len(page.tables["settings"]) - 1
    assert sorted(place for one in folded for place in one.runs) == list(range(18))
    for one in folded[:3]:
        costs = [sweep.runs[place].last["train/cost"] for place in one.runs]
        np.testing.assert_allclose(one.quartiles, np.quantile(costs, [0.25, 0.5, 0.75]))
    assert page.column("settings", "seeds") == ["3"] * 6
    words = shlex.split(page.column("settings", "command")[0].removeprefix("command"))
    done = command(tmp_path, *words[3:], "sweep.dry_run=true")
    assert done.stdout.count("a stack of 3") == 1, done.stdout


def test_a_network_of_ones_own_has_its_report_and_its_pictures(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests/training/own/networks/style_attributes.py", tmp_path / "one.py")
    own = ("dataset=xor", "architecture=own", "architecture.network=one:MLP", "training.iterations=40")
    done = command(tmp_path, "-m", *own, "optimizer.lr=0.1,1", "tracking=none", "hydra.sweep.dir=sweep")
    assert "report: sweep/report.html" in done.stdout, done.stdout + done.stderr
    drawn = {path.name for path in (tmp_path / "sweep").glob("*/plots/*.png")}
    assert drawn == {"cost.png", "layers.png", "boundary.png", "table.png"}
    page = (tmp_path / "sweep" / "report.html").read_text()
    assert "<li></li>" not in page
    assert len(Tables(page).tables["runs"]) - 1 == 2


def test_the_best_command_and_the_reasons_stand_first(folder: Path) -> None:
    text = (folder / "sweep" / "report.html").read_text()
    best = read(folder / "sweep").runs[0]
    assert escape(best.summary["command"]) in text[: text.index("<nav")]
    section = text[text.index('id="reasons"') : text.index("</ul>", text.index('id="reasons"'))]
    assert "<li>3 diverged: Z of layer 2 was not finite</li>" in section
    missed = [run for run in read(folder / "sweep").runs if not run.summary["target"]["reached"]]
    left = len([run for run in missed if not run.summary["findings"]])
    assert f"<li>{left} that diverged or missed the target were not diagnosed</li>" in section


def test_a_key_that_is_no_number_has_its_sentence(folder: Path) -> None:
    told = json.loads((folder / "sweep" / "phasemap.json").read_text())["sentences"]
    assert any("at the base rate" in line and "of those with init zeros" in line for line in told), told


def test_failures_stand_with_their_reasons(folder: Path) -> None:
    text = (folder / "sweep" / "report.html").read_text()
    section = text[text.index('id="failures"') : text.index('id="environment"')]
    for run in read(folder / "sweep").runs:
        assert (f"<td>{run.name}</td>" in section) == bool(run.failed or run.summary["findings"])
    assert re.search(r"\w+ of layer \d at step \d", section)
    assert "Fix it with" in section


def test_nothing_in_the_page_leads_off_it(folder: Path, page: Tables) -> None:
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in page.addresses), page.addresses
    assert not {"link", "iframe", "object", "base"} & set(page.elements)
    text = (folder / "sweep" / "report.html").read_text()
    assert "default-src 'none'" in text
    assert page.elements.count("img") == 2, "the best and the worst"


def test_curves_keep_their_ends_and_what_is_not_finite_is_a_gap(folder: Path) -> None:
    sweep = read(folder / "sweep")
    drawn = payload(sweep)
    assert drawn["metrics"][0] == "train/cost"
    for run, given in zip(sweep.runs, drawn["runs"], strict=True):
        trace = load(run.directory)
        steps = drawn["grids"][given["grid"]]
        assert (steps[0], steps[-1]) == (trace.steps[0], trace.steps[-1])
        last = trace["train/cost"][-1]
        expected = float(f"{last:.4g}") if np.isfinite(last) else None
        assert given["curves"][0][-1] == expected
    assert any(None in given["curves"][0] for given in drawn["runs"])


def test_long_runs_are_thinned_so_that_many_fit(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr("runner.report.runs.POINTS", 1)
    sweep = read(folder / "sweep")
    whole = [run for run in sweep.runs if not run.failed]
    assert {len(run.steps) for run in whole} == {12}
    assert {(run.steps[0], run.steps[-1]) for run in whole} == {(0, 120)}


def test_of_very_many_runs_the_best_and_the_worst_are_shown(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    whole = [run.name for run in read(folder / "sweep").runs]
    monkeypatch.setattr("runner.report.runs.BEST", 4)
    monkeypatch.setattr("runner.report.runs.WORST", 2)
    sweep = read(folder / "sweep")
    assert [run.name for run in sweep.runs] == whole[:4] + whole[-2:]
    assert sweep.left_out == 12
    assert "12 runs between the best and the worst are left out" in html(sweep)


def test_it_is_made_again_from_the_directory_alone(folder: Path, page: Tables, tmp_path: Path) -> None:
    shutil.copytree(folder / "sweep", tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "report.html").unlink()
    done = command(tmp_path, "elsewhere", module="runner.report")
    made, *sentences = done.stdout.splitlines()
    assert made == "elsewhere/report.html", done.stderr
    assert any(line.startswith("  non-finite: 3 of 18 runs; only with optimizer.lr 1e+306") for line in sentences)
    again = Tables((tmp_path / "elsewhere" / "report.html").read_text())
    assert again.tables["runs"] == page.tables["runs"]


def test_a_directory_without_a_sweep_is_refused(tmp_path: Path) -> None:
    done = command(tmp_path, str(tmp_path), module="runner.report")
    assert done.returncode == 2
    assert done.stderr == f"{tmp_path} holds no sweep: there is no run that has ended in it.\n"
    assert not list(tmp_path.iterdir())


def test_jobs_of_hydras_own_launcher_have_a_report_too(tmp_path: Path) -> None:
    words = ("-m", "dataset=xor", "seed=1,2", "training.iterations=20", "tracking=none", "plots=false")
    command(tmp_path, *words, "hydra/launcher=basic", "hydra/sweeper=basic", "hydra.sweep.dir=sweep")
    assert not (tmp_path / "sweep" / "report.html").exists()
    page = Tables(report.write(tmp_path / "sweep").read_text())
    assert sorted(page.column("runs", "seed")) == ["1", "2"]


def test_no_report_where_no_pictures_are_wanted_and_runs_of_before_are_in_the_next(tmp_path: Path) -> None:
    words = ("-m", "dataset=xor", "training.iterations=20", "tracking=none")
    command(tmp_path, *words, "seed=0,1", "plots=false", "hydra.sweep.dir=one")
    assert not (tmp_path / "one" / "report.html").exists()
    command(tmp_path, *words, "seed=0,1,2", "hydra.sweep.dir=two")
    page = Tables((tmp_path / "two" / "report.html").read_text())
    assert sorted(page.column("runs", "seed")) == ["0", "1", "2"]


def test_a_search_has_its_report_and_its_ranges_are_keys(tmp_path: Path) -> None:
    words = ("search=random", "search.trials=6", "search.batch=6", "optimizer.lr=tag(log,interval(1e-4,1))")
    done = command(tmp_path, "dataset=xor", "training.iterations=20", *words, "tracking=none", "hydra.sweep.dir=found")
    assert "report: found/report.html" in done.stdout, done.stdout + done.stderr
    page = Tables((tmp_path / "found" / "report.html").read_text())
    assert len(set(page.column("runs", "optimizer.lr"))) == 6


def test_what_the_user_has_named_is_only_text(tmp_path: Path) -> None:
    for name in ("<b>x", "</script>y"):
        (tmp_path / name.replace("/", "")).with_suffix(".csv").write_text("a,b,c\n" + "1,2,p\n3,4,q\n" * 9)
    paths = ",".join(f"'{path.name}'" for path in sorted(tmp_path.glob("*.csv")))
    words = ("-m", "dataset=csv", f"dataset.path={paths}", "dataset.target=c", "training.iterations=5", "tracking=none")
    done = command(tmp_path, *words, "hydra.sweep.dir=sweep")
    assert "report:" in done.stdout, done.stdout + done.stderr
    page = Tables((tmp_path / "sweep" / "report.html").read_text())
    assert "b" not in page.elements
    assert sorted(page.column("runs", "dataset.path")) == ["<b>x.csv", "<script>y.csv"]
    assert page.elements.count("script") == 4


def test_the_sweeps_own_run_in_mlflow_has_the_report(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    uri = new_store(tmp_path_factory, tmp_path / "store")
    words = ("-m", "dataset=xor", "training.iterations=20", "seed=0,1", f"tracking.uri={uri}")
    assert command(tmp_path, *words, "hydra.sweep.dir=sweep").returncode == 0
    store = Store(uri)
    (own,) = [run for run in stored(store).values() if "sweep_summary" in run.data.tags]
    there = Path(store.client.download_artifacts(own.info.run_id, "report.html", str(tmp_path)))
    assert there.read_bytes() == (tmp_path / "sweep" / "report.html").read_bytes()
    assert "report.html" in own.data.tags[NOTE]
    assert "`python -m runner -m dataset=xor training.iterations=20 seed=0,1 " in own.data.tags[NOTE]


def test_the_keys_are_what_differs() -> None:
    seeds = [{"lr": "1", "seed": "0"}, {"lr": "1", "seed": "1"}]
    assert swept(seeds, [{"lr": 1, "seed": 0}, {"lr": 1, "seed": 1}]) == {"seed": [0, 1]}
    both = swept([{"seed": "1", "lr": "2"}, {"seed": "0", "lr": "3"}], [{"seed": 1, "lr": 2}, {"seed": 0, "lr": 3}])
    assert both == {"lr": [2, 3], "seed": [1, 0]}
    assert list(both) == ["lr", "seed"], "the seed is last"


def test_a_key_that_one_command_says_and_another_leaves_at_its_default_does_not_differ() -> None:
    assert swept([{"lr": "1"}, {}], [{"lr": 1}, {"lr": 1}]) == {}


def test_groups_are_told_apart_by_their_function_or_else_by_their_words() -> None:
    inits = [{"init.name": "zeros"}, {"init.name": "normal"}]
    assert swept([{"init": "zeros"}, {"init": "normal"}], inits) == {"init": ["zeros", "normal"]}
    words = [{"architecture": "deep"}, {"architecture": "wide"}]
    assert swept(words, [{"architecture.name": "mlp"}] * 2) == {"architecture": ["deep", "wide"]}


def test_the_data_is_json_that_a_browser_reads(folder: Path) -> None:
    text = (folder / "sweep" / "report.html").read_text()
    for name in ("data", "items"):
        (held,) = re.findall(f'<script type="application/json" id="{name}">(.*?)</script>', text, re.DOTALL)
        json.loads(held, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def test_the_page_says_which_key_mattered(folder: Path) -> None:
    page = html(read(folder / "sweep"))
    (said,) = re.findall(r'<p id="mattered">(.*?)</p>', page)
    assert said.startswith("What mattered for train/cost: ")
    assert "optimizer.lr 0." in said
