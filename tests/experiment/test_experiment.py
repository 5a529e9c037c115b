"""From configuration to a checked experiment: every option builds, every mistake is named, nothing else is called."""

import inspect
import itertools
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from runner.experiment.build import compose, compose_with
from runner.experiment.compose import Composer
from runner.experiment.experiment import Experiment
from runner.experiment.groups import MODULES
from runner.experiment.schema import ConfigError, options
from runner.runs import journal
from runner.runs.files import SUMMARY
from runner.runs.provenance import flat
from runner.sweeps.jobs import Job, run

ROOT = Path(__file__).resolve().parents[2]
GROUPS = ("dataset", "architecture", "init", "optimizer", "schedule", "fault", "tracking", "experiment")


def names(group: str) -> list[str]:
    folder = ROOT / "conf" / group
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml"))


PAIRS = [
    (f"{a}={x}", f"{b}={y}")
    for a, b in itertools.combinations(GROUPS, 2)
    for number, (x, y) in enumerate(itertools.product(names(a), names(b)))
    if not {"own", "script"} & {x, y}  # need a network, or a script, of somebody's own
    if "fault" not in (a, b) or number % 7 == 0  # tests/nn/test_faults.py has each of them with every data set
]


def problems(*overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        compose(overrides)
    return error.value.problems


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer()


def with_files(pair: tuple[str, ...], data_files: dict[str, list[str]]) -> list[str]:
    """The pair, on three iterations, with the small files where its dataset reads some."""
    overrides = [*pair, "training.iterations=3"]
    datasets = [choice.split("=")[1] for choice in pair if choice.startswith("dataset=")]
    presets = [choice.split("=")[1].split("/")[1] for choice in pair if choice.startswith("experiment=")]
    for name in datasets or presets:
        overrides += data_files.get(name, [])
    return overrides


@pytest.mark.slow
def test_every_pair_of_options_builds_trains_and_logs(
    composer: Composer, data_files: dict[str, list[str]], tmp_path: Path
) -> None:
    assert len(PAIRS) > 1000
    built: dict[tuple[str, str], Experiment] = {}
    refused = {}
    for pair in PAIRS:
        try:
            built[pair] = compose_with(composer, with_files(pair, data_files))
        except ConfigError as error:  # a fault that this network or these labels have no place for
            refused[pair] = error.problems
    for pair, found in refused.items():
        assert any(word.startswith("fault=") for word in pair), (pair, found)
        assert all(problem.startswith("fault") for problem in found), (pair, found)
    assert len(refused) <= len(PAIRS) // 10, refused
    records = run([Job(experiment, tmp_path / str(number), "pair") for number, experiment in enumerate(built.values())])
    assert len(records) == len(built)
    diverged = [
        pair
        for pair, record in zip(built, records, strict=True)
        if record.status == "diverged" and not any(word.startswith("fault=") for word in pair)
    ]
    assert len(diverged) <= 3, diverged  # constant weights of .5 on many features saturate at once: that is their due
    for pair, record in zip(built, records, strict=True):
        assert record.status in ("finished", "diverged"), (pair, record.status, record.error)
        steps = [line["step"] for line, _ in journal.read(record.directory) if line["kind"] == "row"]
        assert steps[0] == 0, pair
        assert steps[-2:] == [2, 3] or record.status == "diverged", pair
        assert (record.directory / SUMMARY).exists(), pair


@pytest.mark.parametrize("group", [*MODULES])
def test_every_option_of_a_group_is_one_yaml_and_one_function(group: str) -> None:
    module, result = MODULES[group]
    functions = options(module, result)
    named = set()
    for option in names(group):
        text = (ROOT / "conf" / group / f"{option}.yaml").read_text()
        assert text.startswith("# "), f"{option} does not say what it is"
        section = yaml.safe_load(text)
        function = functions[section.pop("name")]
        named.add(function.__name__)
        assert set(section) == set(inspect.signature(function).parameters), option
        for key, value in section.items():
            default = inspect.signature(function).parameters[key].default
            if group != "architecture":
                assert float(value) == default if isinstance(default, float) else value == default, (option, key)
    assert named == set(functions), "a function without a yaml"


@pytest.mark.parametrize("preset", [name for name in names("experiment") if name != "script"])
def test_every_preset_says_how_it_is_run_and_what_it_must_reach(preset: str) -> None:
    text = (ROOT / "conf" / "experiment" / f"{preset}.yaml").read_text()
    lines = text.splitlines()
    assert lines[0] == "# @package _global_"
    assert lines[1].startswith(f"# python -m runner experiment={preset}")
    assert set(yaml.safe_load(text)["training"]["target"]) == {"metric", "value"}


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (["optimizer.lr=-0.1"], "optimizer.lr of adam must be a number in (0, inf). Got -0.1."),
        (["+optimizer.nesterov=true"], "optimizer.nesterov: adam has no such key."),
        (["optimizer.name=clip_by_norm"], "optimizer.name must be one of gd, "),
        (["+init._target_=os.system"], "init._target_: xavier_normal has no such key."),
        (["dataset.name=../os"], "dataset.name must be one of cats, csv, "),
        (["architecture.hidden=[0]"], "architecture.hidden of mlp must be a list, each element a whole number in [1"),
        (["architecture.activation=rellu"], "architecture.activation must be one of identity, "),
        (["architecture.output=softmacks"], "architecture.output must be one of auto, sigmoid, "),
        (["architecture.epsilon=0.1"], "architecture.epsilon is the epsilon of loss cross_entropy_from_probabilities"),
        (["architecture.loss=cross_entropy", "architecture.output=tanh"], "architecture.loss=cross_entropy needs prob"),
        (["seed=-1"], "seed must be a whole number in [0, 4294967295]. Got -1."),
        (["dtype=float16"], "dtype must be one of 'float64', 'float32'. Got 'float16'."),
        (["training.iterations=ten"], "training.iterations must be a whole number in [1, inf). Got 'ten'."),
        (["training.target={metric:train/acuracy,value:1}"], "training.target.metric: this run has no metric"),
        (["training.target={metric:train/cost}"], "training.target.value is missing."),
        (["training.target=1"], "training.target must be a mapping or null. Got 1."),
        (["objective.metric=test/cost"], "objective.metric=test/cost: nothing is chosen on test rows."),
        (["objective.metric=val/cost"], "objective.metric: this run has no metric 'val/cost'."),
        (["optimizer=null"], "optimizer=None: there is no such optimizer. Available: adagrad, adam, "),
        (["+nonsense=1"], "nonsense: the configuration has no such key."),
        (["dataset=csv", "dataset.target=y"], "dataset.path of csv is missing. It must be a text."),
        (["dataset=csv", "dataset.target=y", "dataset.path=none.csv"], "dataset=csv: "),
        (["dataset=cats", "dataset.dir=nowhere"], "dataset=cats: nowhere"),
        (["dataset.scaling=divide"], "dataset=flower: dataset.scaling=divide needs dataset.divisor"),
        (
            ["experiment=posts/spiral", "allow_unreachable_labels=false"],
            "architecture.output=sigmoid gives values in (0, 1), and spiral has the label 2.",
        ),
        (
            ["fault=flipped_sign", "architecture.output=tanh"],
            "fault=flipped_sign is a mistake in probabilities, and architecture.output=tanh gives none.",
        ),
        (["optimizer.lr=${nothing}"], "Interpolation key 'nothing' not found"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_each_mistake_is_one_clear_sentence(overrides: list[str], problem: str) -> None:
    found = problems(*overrides)
    assert len(found) == 1, found
    assert problem in found[0]
    assert "Traceback" not in found[0]


def test_mistakes_of_every_kind_are_reported_at_once() -> None:
    found = problems("optimizer=adan", "dataset.n=x", "training.iterations=0", "foo=1", "bar")
    assert len(found) == 5, found


def damaged(folder: Path, kind: str) -> list[str]:
    """A data file with one thing wrong, and the overrides that read it."""
    path = folder / "own.h5"
    X, y = np.ones((4, 2)), np.array([0, 1, 0, 1])
    if kind == "truncated":
        with h5py.File(path, "w") as file:
            file["X"] = X
        path.write_bytes(path.read_bytes()[:100])
    else:
        with h5py.File(path, "w") as file:
            file["other" if kind == "wrong key" else "X"] = np.full((4, 2), np.nan) if kind == "nan" else X
            file["y"] = y[:3] if kind == "lengths" else y[:0] if kind == "empty" else y
    return ["dataset=h5", f"dataset.path={path}"]


@pytest.mark.parametrize("kind", ["truncated", "wrong key", "nan", "lengths", "empty"])
def test_damaged_data_is_refused_with_the_files_name(tmp_path: Path, kind: str) -> None:
    found = problems(*damaged(tmp_path, kind))
    assert len(found) == 1, found
    assert "own.h5" in found[0]


def test_the_output_fits_the_labels_by_itself(data_files: dict[str, list[str]]) -> None:
    assert compose(["dataset=xor"]).output == "sigmoid"
    assert compose(["dataset=spiral"]).output == "softmax"
    assert compose(["dataset=spiral"]).recipe.widths[-1] == 3
    found = compose(["dataset=csv", *data_files["csv"]])
    assert (found.output, found.dataset.classes) == ("sigmoid", ("no", "yes"))


def test_numbers_as_targets_make_a_regression(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2))
    np.savez(tmp_path / "r.npz", X=X, y=X @ [1.0, -2.0] + 0.5)
    found = compose(["dataset=npz", f"dataset.path={tmp_path / 'r.npz'}"])
    assert (found.output, found.loss) == ("identity", "mean_squared_error")
    assert found.constant_cost == pytest.approx(np.var(X @ [1.0, -2.0] + 0.5))


def test_labels_of_minus_one_and_one_fit_tanh_but_not_sigmoid(tmp_path: Path) -> None:
    np.savez(tmp_path / "pm.npz", X=np.eye(4), y=np.array([-1, 1, -1, 1]))
    data = ["dataset=npz", f"dataset.path={tmp_path / 'pm.npz'}"]
    (problem,) = problems(*data, "architecture.output=sigmoid")
    assert "the label -1" in problem
    tanh = compose([*data, "architecture.output=tanh"])
    assert tanh.recipe.sets["train"].Y.ravel().tolist() == [-1, 1, -1, 1]
    auto = compose(data)
    assert auto.recipe.sets["train"].Y.ravel().tolist() == [0, 1, 0, 1]


def test_the_default_target_is_halfway_from_the_constant_predictor_to_nothing() -> None:
    found = compose(["dataset=xor"])
    assert found.target.metric == "train/cost"
    assert found.target.value == pytest.approx(np.log(2) / 2)


def test_epochs_decide_where_they_are_given() -> None:
    found = compose(["dataset=xor", "training.epochs=5", "training.batch_size=3"])
    assert found.recipe.plan.iterations == 10


def test_held_out_rows_are_what_is_chosen_on() -> None:
    found = compose(["dataset.validation=0.25"])
    assert found.recipe.plan.objective == "val/cost"
    assert len(found.recipe.sets["val"].X) == 100


def test_runs_that_differ_in_columns_only_share_a_stack() -> None:
    base = compose(["dataset=xor"]).stack_key()
    for same in (["seed=3"], ["optimizer.lr=1"], ["init=zeros"], ["init.scale=3"], ["optimizer.beta1=0.5"]):
        assert compose(["dataset=xor", *same]).stack_key() == base, same
    for other in (
        ["optimizer=gd"],
        ["architecture.hidden=[3]"],
        ["dtype=float32"],
        ["training.batch_size=2"],
        ["optimizer.clip_norm=1"],
        ["architecture.l2=0.1"],
        ["training.iterations=5"],
        ["fault=summed_gradient"],
        ["dataset.scaling=standardise"],
    ):
        assert compose(["dataset=xor", *other]).stack_key() != base, other


def test_the_key_of_a_run_is_what_decides_its_result() -> None:
    base = compose(["dataset=xor"]).key()
    assert compose(["dataset=xor", "tracking=none", "progress=false"]).key() == base
    assert compose(["dataset=xor", "seed=1"]).key() != base
    assert compose(["dataset=flower"]).key() != compose(["dataset=flower", "dataset.seed=2"]).key()


def test_every_key_of_the_configuration_becomes_a_parameter() -> None:
    parameters = flat(compose([]).config)
    assert parameters["optimizer.name"] == "adam"
    assert parameters["architecture.hidden"] == "[8]"
    assert parameters["training.target"] == "null"
    assert all(isinstance(value, int | float | str) for value in parameters.values())
