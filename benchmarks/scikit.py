"""scikit-learn's own data by one command each, beside its networks of the same shape: `python -m benchmarks.scikit`.

Circles, moons, iris, digits and diabetes are exported to csv, npz and h5. Each file is trained on by one command, ten
seeds as one sweep; MLPClassifier or MLPRegressor gets the rows that the command trained on, the same network, Adam with
the same rate, batches and kind of initial weights, and ten seeds of its own. Compared is the score on the rows held
out: accuracy, or R².
"""

import csv
import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from runner.experiment.build import compose

SEEDS = 10
FORMATS = ("csv", "npz", "h5")


class Task(NamedTuple):
    """`hidden` units, `lr`, `epochs` and rows in a batch: the same on both sides."""

    hidden: int
    lr: float
    epochs: int
    batch: int


TASKS = {
    "circles": Task(16, 0.01, 100, 100),
    "moons": Task(16, 0.01, 100, 100),
    "iris": Task(16, 0.01, 100, 32),
    "digits": Task(32, 0.005, 30, 64),
    "diabetes": Task(8, 0.1, 100, 32),
}


def rows(name: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """X (n, d), the labels or targets (n,), and the names of the columns."""
    from sklearn import datasets

    if name in ("circles", "moons"):
        apart = {"factor": 0.5} if name == "circles" else {}
        X, y = getattr(datasets, f"make_{name}")(2000, noise=0.15, random_state=0, **apart)
        return X, y, ["x1", "x2"]
    loaded: Any = getattr(datasets, f"load_{name}")()
    y = loaded.target_names[loaded.target] if name == "iris" else loaded.target
    return loaded.data, y, list(loaded.feature_names)


def export(name: str, folder: Path) -> dict[str, Path]:
    """The same data as a table and as arrays; the files, by format."""
    X, y, names = rows(name)
    paths = {kind: folder / f"{name}.{kind}" for kind in FORMATS}
    with paths["csv"].open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow([*names, "target"])
        table.writerows([*map(repr, row), label] for row, label in zip(X.tolist(), y.tolist(), strict=True))
    np.savez(paths["npz"], X=X, y=y)
    with h5py.File(paths["h5"], "w") as file:
        file["X"], file["y"] = X, y.astype("S") if y.dtype.kind == "U" else y
    return paths


def overrides(name: str, path: Path) -> list[str]:
    """The one command, without its seeds."""
    task, kind = TASKS[name], path.suffix[1:]
    data = [f"dataset={kind}", f"dataset.path={path}", "dataset.scaling=standardise", "dataset.test_fraction=0.25"]
    data += ["dataset.target=target"] * (kind == "csv")
    plan = [f"training.epochs={task.epochs}", f"training.batch_size={task.batch}"]
    plan += ["init=xavier_uniform", "init.bias_scale=0.3"]  # as theirs: Glorot's uniform weights, and biases alike
    return [*data, f"architecture.hidden=[{task.hidden}]", f"optimizer.lr={task.lr}", *plan]


def ours(name: str, path: Path, folder: Path) -> np.ndarray:
    """The score on the rows held out, for each seed: from what the command has left behind."""
    sweep = folder / path.name.replace(".", "_")
    words = ["-m", *overrides(name, path), f"seed=range({SEEDS})", f"hydra.sweep.dir={sweep}", "tracking=offline"]
    subprocess.run(
        [
            sys.executable,
            "-m",
            "runner",
            *words,
            "progress=false",
            "plots=false",
            "diagnosis=none",
            "sweep.skip_done=false",
        ],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    summaries = [json.loads((sweep / str(seed) / "summary.json").read_text()) for seed in range(SEEDS)]
    return np.array(
        [
            summary["metrics"]["last"].get("test/accuracy", summary["metrics"]["last"].get("test/r2"))
            for summary in summaries
        ]
    )


def theirs(name: str, path: Path) -> np.ndarray:
    """The score of scikit-learn's network on the same rows, for each seed."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    task, dataset = TASKS[name], compose(overrides(name, path)).dataset
    assert dataset.test is not None
    kind = MLPRegressor if dataset.classes is None else MLPClassifier
    scores = []
    for seed in range(SEEDS):
        network = kind(
            hidden_layer_sizes=(task.hidden,),
            activation="tanh",
            alpha=0.0,
            learning_rate_init=task.lr,
            batch_size=task.batch,
            max_iter=task.epochs,
            tol=0.0,
            n_iter_no_change=task.epochs + 1,
            random_state=seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it may not have converged: all epochs are done on both sides
            network.fit(dataset.train.X, dataset.train.y)
        scores.append(network.score(dataset.test.X, dataset.test.y))
    return np.array(scores)


def noise(one: np.ndarray, other: np.ndarray) -> float:
    """The standard error of the difference of the means."""
    return float(np.sqrt((one.var(ddof=1) + other.var(ddof=1)) / len(one)))


def compared(folder: Path) -> Iterator[tuple[str, dict[str, np.ndarray], np.ndarray]]:
    """For each data set our scores by format, and theirs."""
    for name in TASKS:
        paths = export(name, folder)
        yield name, {kind: ours(name, path, folder) for kind, path in paths.items()}, theirs(name, paths["npz"])


def main() -> None:
    """Print the table."""
    print("| data | ours: csv | npz | h5 | scikit-learn | difference / its standard error |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, scores, peer in compared(Path(folder)):
            cells = [f"{each.mean():.4f} ± {each.std(ddof=1):.4f}" for each in (*scores.values(), peer)]
            off = (scores["csv"].mean() - peer.mean()) / (noise(scores["csv"], peer) or 1)
            print(f"| {name} | {' | '.join(cells)} | {off:+.1f} |", flush=True)


if __name__ == "__main__":
    main()
