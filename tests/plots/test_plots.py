"""The pictures of a run, from its directory alone: which there are, what they say, and what they do without."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread

from runner import Refusal, load, plots
from runner.command.python import run
from runner.plots.curves import units
from runner.plots.style import SETS, headline, layer_colours, percent
from runner.runs.trace import Trace

PRESETS = sorted(
    path.relative_to(folder).with_suffix("").as_posix()
    for folder in [Path(__file__).resolve().parents[2] / "conf" / "experiment"]
    for path in folder.glob("*/*.yaml")  # script.yaml needs a script
)
# Beside cost.png and layers.png.
OF_THE_DATA = {
    "xor": ["boundary", "table"],
    "parity": ["table"],
    "flower": ["boundary"],
    "spiral": ["boundary"],
    "cats": ["images"],
}


def figures_of(directory: Path) -> tuple[Trace, dict[str, Figure]]:
    trace = load(directory)
    return trace, plots.figures(trace, plots.dataset_of(trace)[0])


def panel(figure: Figure, label: str) -> Axes:
    return next(axes for axes in figure.axes if axes.get_label() == label)


def artists(axes: Axes, gid: str) -> list[Any]:
    return [artist for artist in axes.get_children() if artist.get_gid() == gid]


def words(figure: Figure) -> str:
    """Everything that is written in a figure."""
    from matplotlib.text import Text

    return "\n".join(text.get_text() for text in figure.findobj(Text))  # type: ignore[attr-defined]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_gets_its_pictures(preset: str, tmp_path: Path, data_files: dict[str, list[str]]) -> None:
    problem = preset.split("/")[1]
    overrides = [f"experiment={preset}", "training.iterations=12", *data_files.get(problem, [])]
    run(overrides, tmp_path)
    paths = plots.draw(tmp_path)
    assert [path.name for path in paths] == [f"{name}.png" for name in ("cost", "layers", *OF_THE_DATA[problem])]
    for path in paths:
        assert path.parent == tmp_path / "plots"
        assert 4_000 < path.stat().st_size < 1_000_000
        height, width, channels = imread(path).shape
        assert channels == 4
        assert 900 <= width <= 1500
        assert 200 <= height <= 1500
        assert (imread(path)[..., 3] == 1).all(), "opaque: readable on dark pages too"
    assert imread(paths[0]).shape[:2] == (864, 1200)


def test_the_same_run_gives_the_same_pixels(tmp_path: Path) -> None:
    run(["dataset=xor", "training.iterations=20"], tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    for one, other in zip(plots.draw(tmp_path / "a"), plots.draw(tmp_path / "b"), strict=True):
        np.testing.assert_array_equal(imread(one), imread(other))


@pytest.mark.parametrize(
    "overrides",
    [
        ["dataset=spiral", "architecture.hidden=[8,8,8]", "training.iterations=1500"],
        ["dataset=xor", "optimizer=gd", "optimizer.lr=300", "architecture.activation=relu", "training.iterations=40"],
    ],
)
def test_the_name_of_an_axis_stands_beside_its_numbers_not_on_them(overrides: list[str], tmp_path: Path) -> None:
    for figure in plots.figures(run(overrides, tmp_path), None).values():
        figure.canvas.draw()
        for axis in (axis for axes in figure.axes for axis in (axes.yaxis, axes.xaxis) if axis.label.get_text()):
            name = axis.label.get_window_extent()
            assert name.x0 >= 0, axis.label.get_text()
            shown = [tick.label1 for tick in axis.get_major_ticks() if tick.label1.get_text()]
            low, high = sorted(axis.get_view_interval())
            for text in (
                text for tick, text in zip(axis.get_majorticklocs(), shown, strict=False) if low <= tick <= high
            ):
                assert not name.overlaps(text.get_window_extent()), (axis.label.get_text(), text.get_text())


def test_the_headline_says_the_result(tmp_path: Path) -> None:
    trace = run(["training.iterations=1000", "optimizer.lr=0.1"], tmp_path / "flower")
    right = percent(trace["train/accuracy"][-1])
    assert headline(trace) == f"flower: {right} right after 1,000 iterations"
    trace = run(["dataset.test_n=50", "training.iterations=1"], tmp_path / "tested")
    assert "right on test rows (" in headline(trace)
    assert headline(trace).endswith("after 1 iteration")
    trace = run(["experiment=posts/xor"], tmp_path / "xor")
    assert headline(trace) == "xor: diverged - the cost is inf at step 275"


@pytest.mark.parametrize("overrides", [["dataset.test_n=50"], ["architecture.hidden=[" + "6," * 30 + "6]"]])
def test_no_line_above_a_picture_is_cut_off(overrides: list[str], tmp_path: Path) -> None:
    run([*overrides, "training.iterations=1"], tmp_path)
    _, figures = figures_of(tmp_path)
    for figure in figures.values():
        for line in figure.texts:
            assert line.get_window_extent().x1 <= figure.bbox.x1


def test_percentages_do_not_promise_too_much() -> None:
    assert [percent(share) for share in (0, 0.0001, 0.5, 0.9975, 0.99999, 1)] == [
        "0 %", "0.1 %", "50 %", "99.7 %", "99.9 %", "100 %",
    ]  # fmt: skip


def test_a_divergence_is_marked_where_it_was(tmp_path: Path) -> None:
    run(["experiment=posts/xor"], tmp_path)
    trace, figures = figures_of(tmp_path)
    assert sorted(figures) == ["cost", "layers"], "weights that are not finite answer nothing"
    bad = trace.steps[~np.isfinite(trace["train/cost"])]
    assert list(bad) == [275, 276]
    for scale in ("linear", "log"):
        axes = panel(figures["cost"], scale)
        (crosses,) = artists(axes, "train/cost/nonfinite")
        assert list(crosses.get_xdata()) == [275, 276]
        (line,) = artists(axes, "first-nonfinite")
        assert set(line.get_xdata()) == {275}
        (curve,) = artists(axes, "train/cost")
        assert np.isnan(curve.get_ydata()[-2:]).all()
    assert "the cost is inf at step 275" in words(figures["cost"])
    assert "the final weights are not finite" in words(figures["layers"])


def test_the_lines_that_give_the_cost_a_meaning(tmp_path: Path) -> None:
    run(["dataset.validation=0.2", "dataset.test_n=40", "training.iterations=50"], tmp_path)
    trace, figures = figures_of(tmp_path)
    summary = trace.summary
    assert summary is not None
    linear, log = panel(figures["cost"], "linear"), panel(figures["cost"], "log")
    assert (linear.get_yscale(), log.get_yscale()) == ("linear", "log")
    assert linear.get_ylabel() == "cost (nats)"
    assert linear.get_xlabel() == "iterations"
    for gid, value in (
        ("constant", summary["constant_predictor_cost"]),
        ("target", summary["target"]["value"]),
        ("best", summary["metrics"]["best"]["val/cost"]),
    ):
        (line,) = artists(linear, gid)
        assert set(line.get_ydata()) == {value}
    for name, colour in SETS.items():
        for axes in (linear, log, panel(figures["cost"], "accuracy")):
            kind = "accuracy" if axes.get_label() == "accuracy" else "cost"
            (line,) = artists(axes, f"{name}/{kind}")
            assert line.get_color() == colour


def test_a_target_in_accuracy_stands_among_the_accuracies(tmp_path: Path) -> None:
    run(["experiment=cured/xor", "training.iterations=5"], tmp_path)
    _, figures = figures_of(tmp_path)
    assert not artists(panel(figures["cost"], "linear"), "target")
    (line,) = artists(panel(figures["cost"], "accuracy"), "target")
    assert set(line.get_ydata()) == {100}


def test_layers_keep_their_colours_and_gradients_of_zero_are_shown(tmp_path: Path) -> None:
    run(["dataset=xor", "architecture=deep", "init=zeros", "training.iterations=5"], tmp_path)
    trace, figures = figures_of(tmp_path)
    for kind in ("grad_norm", "weight_norm", "update_ratio"):
        axes = panel(figures["layers"], kind)
        assert axes.get_yscale() == "log"
        for layer, colour in enumerate(layer_colours(4), 1):
            (line,) = artists(axes, f"{kind}/layer_{layer}")
            assert line.get_color() == colour
    (zeros,) = artists(panel(figures["layers"], "grad_norm"), "grad_norm/1/zero")
    assert list(zeros.get_xdata()) == list(trace.steps)


def test_dead_and_saturated_units_are_counted(tmp_path: Path) -> None:
    """By hand, in a run whose weights are replaced: of four ReLU units one is dead; of four tanh units two saturate."""
    b = np.array([-9.0, 9.0, 0.0, 9.0])
    for activation, expected in (("relu", 1), ("tanh", 3)):
        directory = tmp_path / activation
        run(["dataset=xor", f"architecture.activation={activation}", "architecture.hidden=[4]"], directory)
        arrays = dict(np.load(directory / "weights.npz"))
        np.savez(directory / "weights.npz", **{**arrays, "W1": np.ones((2, 4)), "b1": b})
        trace, figures = figures_of(directory)
        dataset, _ = plots.dataset_of(trace)
        assert dataset is not None
        assert units(trace, dataset) == [(expected, 4)]
        assert f"{expected} of 4" in words(figures["layers"])


def test_points_stand_in_the_units_of_the_data_file(tmp_path: Path) -> None:
    raw = run(["dataset=spiral", "training.iterations=30"], tmp_path / "raw")
    scaled = ["dataset=spiral", "dataset.scaling=standardise", "dataset.test_n=60", "training.iterations=30"]
    run(scaled, tmp_path / "scaled")
    X = plots.dataset_of(load(tmp_path / "raw"))[0].train.X  # type: ignore[union-attr]
    for directory in (raw.directory, tmp_path / "scaled"):
        assert directory is not None
        trace, figures = figures_of(directory)
        axes = figures["boundary"].axes[0]
        (points,) = artists(axes, "train")
        np.testing.assert_allclose(points.get_offsets(), X, atol=1e-12)
        wrong = sum(
            round((1 - trace[f"{part}/accuracy"][-1]) * n)
            for part, n in (("train", 1000), ("test", 60))
            if f"{part}/accuracy" in trace.values
        )
        (rings,) = artists(axes, "wrong")
        assert len(rings.get_offsets()) == wrong
    assert len(artists(axes, "test")[0].get_offsets()) == 60


def test_a_truth_table_says_right_and_wrong(tmp_path: Path) -> None:
    run(["dataset=parity", "dataset.code=bits", "dataset.n=3", "training.iterations=3"], tmp_path)
    trace, figures = figures_of(tmp_path)
    wrong = round((1 - trace["train/accuracy"][-1]) * 8)
    verdicts = [text.get_text() for text in artists(figures["table"].axes[0], "verdict")]
    assert verdicts.count("✗ wrong") == wrong
    assert verdicts.count("✓ right") == 8 - wrong
    assert "probability of class 1" in words(figures["table"])


@pytest.mark.parametrize(
    "overrides",
    [
        ["dataset=xor", "architecture=logistic"],
        ["dataset=xor", "architecture.hidden=[3,3,3,3,3,3,3,3,3,3,3,3]", "training.iterations=1"],
        ["dataset=spiral", "dataset.classes=12", "dataset.n=60"],
        ["dataset=spiral", "dataset.classes=2", "architecture.output=softmax", "dtype=float32"],
        ["dataset=parity", "dataset.code=signs", "dataset.n=2", "architecture.output=tanh"],
        ["dataset=parity", "dataset.n=3000"],
        ["dataset=xor", "optimizer=gd", "optimizer.lr=1e300"],
        ["dataset=xor", "init.scale=1e160", "architecture.activation=relu"],
        ["dataset=flower", "dataset.n=5000"],
    ],
    ids=" ".join,
)
def test_odd_runs_are_drawn_too(overrides: list[str], tmp_path: Path) -> None:
    run(["training.iterations=6", *overrides], tmp_path)
    assert len(plots.draw(tmp_path)) >= 2


def test_a_regression_in_the_plane_and_names_with_anything_in_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2))
    for name, column in (("target", X[:, 0]), ("kind", np.where(X[:, 1] > 0, "_$x^2$", "非 cat"))):
        rows = [f"{a},{b},{value}" for (a, b), value in zip(X, column, strict=True)]
        (tmp_path / f"{name}.csv").write_text("\n".join([f"in $ of $,b_$1$,{name}", *rows]) + "\n", encoding="utf-8")
        overrides = ["dataset=csv", f"dataset.path={tmp_path / name}.csv", f"dataset.target={name}"]
        run([*overrides, "training.iterations=6"], tmp_path / name)
        assert [path.stem for path in plots.draw(tmp_path / name)] == ["cost", "layers", "boundary"]
    trace, figures = figures_of(tmp_path / "target")
    assert "R²" in headline(trace)
    assert panel(figures["cost"], "linear").get_ylabel() == "cost (mean squared error)"
    assert artists(figures["boundary"].axes[0], "shading")


def test_a_run_whose_data_has_gone_keeps_its_curves(tmp_path: Path, data_files: dict[str, list[str]]) -> None:
    shutil.copy(data_files["csv"][0].split("=")[1], tmp_path / "own.csv")
    overrides = ["dataset=csv", f"dataset.path={tmp_path / 'own.csv'}", "dataset.target=label"]
    run([*overrides, "training.iterations=3"], tmp_path / "run")
    (tmp_path / "own.csv").unlink()
    from runner.experiment import data

    data.loaded.cache_clear()
    assert [path.stem for path in plots.draw(tmp_path / "run")] == ["cost", "layers"]
    trace = load(tmp_path / "run")
    drawn = plots.draw_run(trace, *plots.dataset_of(trace))
    assert "own.csv" in drawn.note
    _, figures = figures_of(tmp_path / "run")
    assert "the data is not there any more" in words(figures["layers"])


def test_other_data_under_the_same_name_is_not_drawn(tmp_path: Path) -> None:
    run(["dataset=xor", "training.iterations=3"], tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    summary["dataset"]["sha256"] = "0" * 64
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    trace = load(tmp_path)
    drawn = plots.draw_run(trace, *plots.dataset_of(trace))
    assert [path.stem for path in drawn.paths] == ["cost", "layers"]
    assert drawn.note == "the data of dataset=xor has changed since."


def test_a_run_that_failed_keeps_its_curves(tmp_path: Path) -> None:
    run(["dataset=xor", "training.iterations=3"], tmp_path)
    (tmp_path / "weights.npz").unlink()
    summary = json.loads((tmp_path / "summary.json").read_text())
    (tmp_path / "summary.json").write_text(json.dumps({**summary, "status": "error"}))
    plots.draw(tmp_path)
    trace, figures = figures_of(tmp_path)
    assert sorted(figures) == ["cost", "layers"]
    assert headline(trace) == "xor: stopped by an error after 3 iterations"
    assert "no final weights were kept" in words(figures["layers"])


def test_a_run_without_rows_has_no_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner.plots.__main__ import main

    run(["dataset=xor", "training.iterations=3"], tmp_path)
    lines = (tmp_path / "journal.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "journal.jsonl").write_text("".join(line for line in lines if '"kind":"row"' not in line))
    (tmp_path / "weights.npz").unlink()
    assert plots.draw(tmp_path) == []
    monkeypatch.setattr(sys, "argv", ["runner.plots", str(tmp_path)])
    main()
    assert capsys.readouterr().err == f"{tmp_path}: nothing to draw, the run ended before its first row.\n"


def test_what_a_resumed_run_has_outgrown_is_taken_away(tmp_path: Path) -> None:
    run(["dataset=xor", "training.iterations=3"], tmp_path)
    assert (tmp_path / "plots" / "table.png") in plots.draw(tmp_path)
    arrays = dict(np.load(tmp_path / "weights.npz"))
    np.savez(tmp_path / "weights.npz", **{**arrays, "W1": arrays["W1"] * np.nan})
    plots.draw(tmp_path)
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == ["cost.png", "layers.png"]


def test_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from runner.plots.__main__ import main

    run(["dataset=xor", "training.iterations=3"], tmp_path / "run")
    monkeypatch.setattr(sys, "argv", ["runner.plots", str(tmp_path / "run")])
    main()
    out, err = capsys.readouterr()
    assert [Path(line).name for line in out.splitlines()] == ["cost.png", "layers.png", "boundary.png", "table.png"]
    assert err == ""
    shutil.rmtree(tmp_path / "run" / "plots")
    monkeypatch.setattr(sys, "argv", ["runner.plots", str(tmp_path / "run"), str(tmp_path / "nothing")])
    with pytest.raises(Refusal) as refusal:
        main()
    assert refusal.value.code == 2
    assert capsys.readouterr().out == ""
    assert str(refusal.value) == f"{tmp_path / 'nothing'} holds no run: there is no journal.jsonl in it."
    assert not (tmp_path / "run" / "plots").exists()


def test_matplotlib_is_imported_late_and_pyplot_never(tmp_path: Path) -> None:
    code = (
        "import sys, runner.__main__, runner.sweeps.jobs, runner.command.python\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from runner import plots\n"
        f"runner.command.python.run(['dataset=xor', 'training.iterations=1'], {str(tmp_path)!r})\n"
        f"assert plots.draw({str(tmp_path)!r})\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
