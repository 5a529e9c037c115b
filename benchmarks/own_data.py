"""Files as people have them, by one command each, beside scikit-learn's pipelines: `python -m benchmarks.own_data`.

Eight data sets, each as its file usually comes: text, missing values, no header, Excel's export, Keras' archive, a
folder of pictures. Each is trained on by one command without a word on what its columns are, ten seeds as one sweep.
scikit-learn gets the same rows, read by pandas with the options that they need, a pipeline of imputation, scaling and
one-hot columns, and the same network; ten seeds too. Compared is the score on the test rows: accuracy, or R².

`python -m benchmarks.own_data large` times the whole command on two large tables, against reading them by pyarrow plus
the training itself.
"""

import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

SEEDS = 10
HIDDEN, LR, EPOCHS, BATCH = 16, 0.01, 60, 32
SEED = 21


class Task(NamedTuple):
    """The words of the one command; the rows as pandas has them, with the target in the column `target`."""

    words: list[str]
    train: pd.DataFrame
    test: pd.DataFrame


def adult(folder: Path) -> Task:
    """Work and income, as UCI has it: no header, a space behind each comma, ? where nothing is known."""
    rng = np.random.default_rng(SEED)
    n = 2400
    work = rng.choice(["Private", "State-gov", "Self-emp"], n, p=[0.7, 0.2, 0.1])
    age, years, hours = rng.integers(17, 80, n), rng.integers(3, 17, n), rng.integers(10, 80, n)
    pay = 0.05 * age + 0.35 * years + 0.04 * hours + 0.8 * (work == "Self-emp") + rng.normal(size=n)
    frame = pd.DataFrame({"age": age, "work": work, "years": years, "hours": hours})
    frame.loc[rng.random(n) < 0.06, "work"] = None
    frame["target"] = np.where(pay > np.quantile(pay, 0.75), ">50K", "<=50K")
    for name, part in (("adult.data", frame[:1600]), ("adult.test", frame[1600:])):
        lines = part.fillna("?").astype(str).agg(", ".join, axis=1)
        (folder / name).write_text("\n".join(lines) + "\n")
    return Task(_table(folder, "adult.data", "adult.test", "-1"), frame[:1600], frame[1600:])


def titanic(folder: Path) -> Task:
    """Passengers: a number and a name each, a ticket, a cabin that most lack, ages that some lack."""
    rng = np.random.default_rng(SEED)
    n = 1200
    sex, place = rng.choice(["male", "female"], n, p=[0.65, 0.35]), rng.integers(1, 4, n)
    age, fare = np.round(rng.gamma(6, 5, n), 1), np.round(rng.lognormal(3, 0.8, n) / place, 4)
    alive = 2.2 * (sex == "female") - 0.7 * place - 0.02 * age + 1 + rng.logistic(size=n) > 0
    frame = pd.DataFrame(
        {
            "PassengerId": np.arange(1, n + 1),
            "target": alive.astype(int),
            "Pclass": place,
            "Name": [f"Person{k}, Mr. X{k}" for k in range(n)],
            "Sex": sex,
            "Age": np.where(rng.random(n) < 0.2, np.nan, age),
            "Fare": fare,
            "Ticket": [f"A/5 {k}" for k in range(n)],
            "Embarked": rng.choice(["S", "C", "Q"], n, p=[0.7, 0.2, 0.1]),
        }
    )
    _csv(frame, folder, "titanic", 800)
    kept = frame.drop(columns=["PassengerId", "Name", "Ticket"])
    return Task(_table(folder, "titanic.csv", "titanic_test.csv", "target"), kept[:800], kept[800:])


def houses(folder: Path) -> Task:
    """Prices of some 3e5, of sizes, years, quarters of a town and a garage that some lack."""
    rng = np.random.default_rng(SEED)
    n = 900
    size, year, quarter = rng.normal(1500, 400, n).round(), rng.integers(1900, 2020, n), rng.choice(list("ABCD"), n)
    garage = np.where(rng.random(n) < 0.15, np.nan, rng.integers(1, 4, n))
    price = 120 * size + 900 * (year - 1900) + 40_000 * (quarter == "A") + 15_000 * np.nan_to_num(garage)
    frame = pd.DataFrame({"id": np.arange(n), "size": size, "year": year, "quarter": quarter, "garage": garage})
    frame["target"] = (price + rng.normal(size=n) * 20_000).round()
    _csv(frame, folder, "houses", 600)
    kept = frame.drop(columns="id")
    return Task(_table(folder, "houses.csv", "houses_test.csv", "target"), kept[:600], kept[600:])


def iris(folder: Path) -> Task:
    """Fisher's flowers as UCI has them: no header, the kind as text in the last column."""
    frame = _bundled("iris", lambda found: np.array([f"Iris-{name}" for name in found.target_names])[found.target])
    return _headless(frame, folder, "iris.data", "-1", 100)


def wine(folder: Path) -> Task:
    """Forina's wines as UCI has them: no header, the grower 1, 2 or 3 in the first column."""
    frame = _bundled("wine", lambda found: found.target + 1)
    frame.insert(0, "target", frame.pop("target"))
    return _headless(frame, folder, "wine.data", "0", 118)


def excel(folder: Path) -> Task:
    """An export of a German Excel: a line that names the separator, decimal commas, Windows' letters, a date."""
    rng = np.random.default_rng(SEED)
    n = 600
    frame = pd.DataFrame(
        {
            "Größe": rng.normal(170, 10, n).round(1),
            "Gewicht": rng.normal(70, 12, n).round(2),
            "Ort": rng.choice(["Köln", "München", "Zürich"], n),
        }
    )
    fit = (frame["Gewicht"] / (frame["Größe"] / 100) ** 2 + 3 * (frame["Ort"] == "Köln") + rng.normal(size=n)) < 25
    frame["target"] = np.where(fit, "ja", "nein")
    for name, part in (("export.csv", frame[:400]), ("export_test.csv", frame[400:])):
        text = "sep=;\r\n" + part.to_csv(index=False, sep=";", decimal=",", lineterminator="\r\n")
        (folder / name).write_bytes(text.encode("cp1252"))
    return Task(_table(folder, "export.csv", "export_test.csv", "target"), frame[:400], frame[400:])


def mnist(folder: Path) -> Task:
    """Digits as bytes in an archive with Keras' names."""
    from sklearn.datasets import load_digits

    found: Any = load_digits()
    X, y = (found.images * 15).astype(np.uint8), found.target
    np.savez(folder / "mnist.npz", x_train=X[:1200], y_train=y[:1200], x_test=X[1200:], y_test=y[1200:])
    return Task(["dataset=npz", f"dataset.path={folder / 'mnist.npz'}"], *_pixels(X, y, 1200))


def pictures(folder: Path) -> Task:
    """Discs and squares in noise, a folder a class, for training and for testing."""
    rng = np.random.default_rng(SEED)
    from PIL import Image

    n, side = 400, 12
    across, down = np.meshgrid(np.arange(side), np.arange(side))
    X, y = rng.integers(0, 120, (n, side, side)), np.arange(n) % 2
    for k in range(n):
        middle, radius = rng.uniform(4, 8, 2), rng.uniform(2, 4)
        away = [abs(across - middle[0]), abs(down - middle[1])]
        inside = np.hypot(*away) < radius if y[k] else np.maximum(*away) < radius * 0.9
        X[k][inside] += 100
        place = folder / "pictures" / ("train" if k < 300 else "test") / ("disc" if y[k] else "square")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(X[k].astype(np.uint8)).save(place / f"{k:03}.png")
    words = ["dataset=images", f"dataset.path={folder / 'pictures'}", "dataset.gray=true"]
    return Task(words, *_pixels(X, np.where(y, "disc", "square"), 300))


TASKS: dict[str, Callable[[Path], Task]] = {
    "adult-like": adult,
    "titanic-like": titanic,
    "house prices": houses,
    "iris.data": iris,
    "wine.data": wine,
    "Excel export": excel,
    "mnist.npz-like": mnist,
    "image folder": pictures,
}


def _table(folder: Path, train: str, test: str, target: str) -> list[str]:
    named = ["dataset=csv", f"dataset.path={folder / train}", f"dataset.test_path={folder / test}"]
    return [*named, f"dataset.target={target}"]


def _csv(frame: pd.DataFrame, folder: Path, name: str, first: int) -> None:
    frame[:first].to_csv(folder / f"{name}.csv", index=False)
    frame[first:].to_csv(folder / f"{name}_test.csv", index=False)


def _bundled(name: str, target: Callable[[Any], Any]) -> pd.DataFrame:
    from sklearn import datasets

    found = getattr(datasets, f"load_{name}")()
    frame = pd.DataFrame(found.data, columns=[f"x{k}" for k in range(found.data.shape[1])])
    frame["target"] = target(found)
    return frame.sample(frac=1, random_state=0, ignore_index=True)


def _headless(frame: pd.DataFrame, folder: Path, name: str, target: str, first: int) -> Task:
    frame[:first].to_csv(folder / name, index=False, header=False)
    frame[first:].to_csv(folder / f"test_{name}", index=False, header=False)
    return Task(_table(folder, name, f"test_{name}", target), frame[:first], frame[first:])


def _pixels(X: np.ndarray, y: np.ndarray, first: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    frame = pd.DataFrame(X.reshape(len(X), -1) / 255).rename(columns=str)
    frame["target"] = y
    return frame[:first], frame[first:]


def ours(task: Task, folder: Path) -> np.ndarray:
    """The score on the test rows, for each seed: from what the command has left behind."""
    sweep = folder / "sweep"
    plan = [f"architecture.hidden=[{HIDDEN}]", f"optimizer.lr={LR}", f"training.epochs={EPOCHS}"]
    plan += [f"training.batch_size={BATCH}", "init=xavier_uniform", "init.bias_scale=0.3"]  # as theirs
    words = ["-m", *task.words, *plan, f"seed=range({SEEDS})", f"hydra.sweep.dir={sweep}", "tracking=none"]
    quiet = ["progress=false", "plots=false", "sweep.skip_done=false", "diagnosis=none"]
    _run([*words, *quiet], folder)
    summaries = [json.loads((sweep / str(seed) / "summary.json").read_text()) for seed in range(SEEDS)]
    last = [summary["metrics"]["last"] for summary in summaries]
    return np.array([values.get("test/accuracy", values.get("test/r2")) for values in last])


def theirs(task: Task) -> np.ndarray:
    """The score of scikit-learn's pipeline on the same rows, for each seed."""
    from sklearn.compose import TransformedTargetRegressor, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    X, y = task.train.drop(columns="target"), task.train["target"]
    numbers = [name for name in X if X[name].dtype.kind in "if"]
    pictures = len(numbers) > 60
    amounts = make_pipeline(SimpleImputer(add_indicator=True), *([] if pictures else [StandardScaler()]))
    words = OneHotEncoder(handle_unknown="ignore")
    columns = make_column_transformer((amounts, numbers), (words, [name for name in X if name not in numbers]))
    regression = y.dtype.kind == "f"
    scores = []
    for seed in range(SEEDS):
        network = (MLPRegressor if regression else MLPClassifier)(
            hidden_layer_sizes=(HIDDEN,),
            activation="tanh",
            alpha=0.0,
            learning_rate_init=LR,
            batch_size=BATCH,
            max_iter=EPOCHS,
            tol=0.0,
            n_iter_no_change=EPOCHS + 1,
            random_state=seed,
        )
        if regression:
            network = TransformedTargetRegressor(network, transformer=StandardScaler())
        pipeline = make_pipeline(columns, network)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it may not have converged: all epochs are done on both sides
            pipeline.fit(X, y)
        scores.append(pipeline.score(task.test.drop(columns="target"), task.test["target"]))
    return np.array(scores)


def compared(folder: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """For each data set our scores and theirs."""
    for name, make in TASKS.items():
        place = folder / name.replace(" ", "_")
        place.mkdir()
        task = make(place)
        yield name, ours(task, place), theirs(task)


def large(folder: Path) -> Iterator[tuple[str, dict[str, float]]]:
    """Two large tables: seconds of the whole command, of reading by pyarrow, and of the training itself."""
    rng = np.random.default_rng(SEED)
    n = 1_000_000
    frame = pd.DataFrame({f"x{k}": rng.normal(size=n).round(4) for k in range(14)})
    for k in range(5):
        frame[f"word{k}"] = rng.choice([f"label {j}" for j in range(4 + 8 * k)], n)
    frame["target"] = np.where(frame["x0"] + (frame["word0"] == "label 1") > 0, "yes", "no")
    wide = pd.DataFrame(rng.normal(size=(60, 20_000)).round(4)).add_prefix("gene")
    wide["target"] = np.where(wide["gene0"] > 0, "ill", "well")
    for name, table, epochs in (("10^6 x 20, 5 of text", frame, 1), ("60 x 20,000", wide, 20)):
        path = folder / f"{len(table)}.csv"
        table.to_csv(path, index=False)
        yield name, timed(path, epochs, folder)


def timed(path: Path, epochs: int, folder: Path) -> dict[str, float]:
    """Seconds, the best of three."""
    from pyarrow import csv

    block = csv.ReadOptions(block_size=1 << 24)  # a row of 20,000 columns must fit
    found: dict[str, list[float]] = {"reading by pyarrow": [], "training": [], "whole command": []}
    for number in range(3):
        began = time.perf_counter()
        csv.read_csv(path, read_options=block)
        found["reading by pyarrow"].append(time.perf_counter() - began)
        place = folder / f"{path.stem}_{number}"
        words = ["dataset=csv", f"dataset.path={path}", "dataset.target=target", f"training.epochs={epochs}"]
        words += ["training.batch_size=256", f"hydra.run.dir={place}", "tracking=none", "plots=false"]
        began = time.perf_counter()
        _run([*words, "progress=false", "diagnosis=none"], folder)
        found["whole command"].append(time.perf_counter() - began)
        found["training"].append(json.loads((place / "summary.json").read_text())["timings"]["training_seconds"])
    return {name: min(seconds) for name, seconds in found.items()}


def _run(words: list[str], folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "runner", *words], cwd=folder, check=True, capture_output=True, text=True)


def noise(one: np.ndarray, other: np.ndarray) -> float:
    """The standard error of the difference of the means."""
    return float(np.sqrt((one.var(ddof=1) + other.var(ddof=1)) / len(one)))


def main() -> None:
    """Print a table."""
    with tempfile.TemporaryDirectory() as folder:
        if sys.argv[1:] == ["large"]:
            print("| table | reading by pyarrow | training | whole command | ratio |\n|---|---|---|---|---|")
            for name, seconds in large(Path(folder)):
                ratio = seconds["whole command"] / (seconds["reading by pyarrow"] + seconds["training"])
                cells = " | ".join(f"{value:.2f} s" for value in seconds.values())
                print(f"| {name} | {cells} | {ratio:.2f} |", flush=True)
            return
        print("| data | ours | scikit-learn | difference / its standard error |\n|---|---|---|---|")
        for name, own, peer in compared(Path(folder)):
            cells = [f"{each.mean():.4f} ± {each.std(ddof=1):.4f}" for each in (own, peer)]
            print(
                f"| {name} | {' | '.join(cells)} | {(own.mean() - peer.mean()) / (noise(own, peer) or 1):+.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
