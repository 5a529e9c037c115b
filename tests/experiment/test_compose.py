"""Composition: the same as Hydra's own, every mistake at once, and no silent leftovers of a preset."""

import os
from itertools import islice, zip_longest
from pathlib import Path

import pytest
from hydra import compose, initialize_config_module
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from runner.experiment import build
from runner.experiment.compose import Composer
from runner.experiment.overrides import quoted
from runner.experiment.schema import ConfigError
from runner.experiment.sources import Sources

ROOT = Path(__file__).resolve().parents[2]


def names(group: str) -> list[str]:
    return sorted(path.relative_to(ROOT / "conf" / group).with_suffix("").as_posix() for path in yamls(group))


def yamls(group: str) -> list[Path]:
    return sorted((ROOT / "conf" / group).rglob("*.yaml"))


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer()


VALUES = st.lists(
    st.one_of(
        st.floats(1e-6, 10, allow_nan=False).map(lambda lr: f"optimizer.lr={lr!r}"),
        st.integers(0, 99).map(lambda seed: f"seed={seed}"),
        st.sampled_from(["float32", "float64"]).map(lambda dtype: f"dtype={dtype}"),
        st.lists(st.integers(1, 9), max_size=3).map(lambda hidden: f"architecture.hidden={hidden}".replace(" ", "")),
        st.integers(1, 999).map(lambda n: f"training.iterations={n}"),
        st.just("training.target={metric:train/accuracy,value:0.5}"),
        st.just("+tracking.tags.who='a b'"),
        st.just("dataset.split_seed=${seed}"),
    ),
    max_size=4,
    unique_by=lambda override: override.split("=")[0],
)
CHOICES = st.fixed_dictionaries(
    {},
    optional={
        group: st.sampled_from(names(group)) for group in ("dataset", "architecture", "init", "optimizer", "schedule")
    },
).map(lambda chosen: [f"{group}={option}" for group, option in chosen.items()])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choices=CHOICES, values=VALUES)
def test_composition_equals_hydras_own(composer: Composer, choices: list[str], values: list[str]) -> None:
    overrides = [*values, *choices]
    with initialize_config_module("conf", version_base="1.3"):
        expected = compose("config", overrides=overrides)
    found = composer.compose(overrides).config
    assert OmegaConf.to_container(found) == OmegaConf.to_container(expected)
    assert OmegaConf.to_yaml(found) == OmegaConf.to_yaml(expected)


def test_an_option_by_itself_has_the_values_that_are_composed(composer: Composer) -> None:
    groups = [group for group in composer.groups if group != "experiment"]
    options = [[(group, option) for option in composer.options(group)] for group in groups]
    for round_ in islice(
        zip_longest(*options), 12
    ):  # one of each group at a time: all options, but of the 44 faults 12
        chosen = [f"{group}={option}" for group, option in filter(None, round_)]
        composed = OmegaConf.to_container(composer.compose(chosen).config, resolve=True)
        found = composer.varied({group: {} for group in groups}, chosen)
        for group, _ in filter(None, round_):
            assert found[group] == composed[group]


def test_what_is_done_to_one_composition_does_not_show_in_the_next(composer: Composer) -> None:
    first = composer.compose(["seed=1"]).config
    first.optimizer.lr = 123.0
    assert composer.compose(["seed=2"]).config.optimizer.lr != 123.0


@pytest.mark.parametrize(
    ("overrides", "problems"),
    [
        (["optimizer=adan"], ["optimizer=adan: there is no such optimizer. Available: adagrad, adam, "]),
        (["optimiser=adam"], ["optimiser: there is no such key. Did you mean 'optimizer'?"]),
        (["optimizer.lrr=1"], ["optimizer.lrr: there is no such key. Did you mean 'optimizer.lr'?"]),
        (["lr=1"], ["lr: there is no such key. Did you mean optimizer.lr?"]),
        (["nonsense"], ["nonsense: an override is KEY=VALUE, like optimizer.lr=0.1."]),
        (["optimizer.lr=1,2"], ["optimizer.lr=1,2: several values are a sweep. Add -m"]),
        (["experiment=posts/xorr"], ["experiment=posts/xorr: there is no such experiment."]),
        (
            ["optimizer=adan", "optimizer.beta1=0.5", "foo=1", "bar", "dataset=xorr"],
            ["optimizer=adan", "dataset=xorr", "foo: there is no such key.", "bar: an override is"],
        ),
    ],
)
def test_every_mistake_is_said_with_the_nearest_name(
    composer: Composer, overrides: list[str], problems: list[str]
) -> None:
    with pytest.raises(ConfigError) as error:
        composer.compose(overrides)
    found = error.value.problems
    assert len(found) == len(problems), found
    for expected in problems:
        assert any(problem.startswith(expected) for problem in found), found


def test_a_preset_with_another_dataset_drops_what_was_meant_for_its_own(composer: Composer) -> None:
    found = composer.compose(["experiment=posts/spiral", "dataset=flower"])
    assert found.config.dataset.seed == 1
    assert found.config.allow_unreachable_labels is False
    assert found.config.training.target is None
    assert found.config.optimizer.lr == 0.2
    (note,) = found.notes
    assert note.startswith("experiment=posts/spiral is used with dataset=flower:")
    assert "dataset.seed='${seed}'" in note
    assert "training.target" in note


def test_a_preset_with_another_optimizer_does_not_lend_it_its_rate(composer: Composer) -> None:
    found = composer.compose(["experiment=posts/flower", "optimizer=adam"])
    assert found.config.optimizer.lr == 0.01
    assert "optimizer.lr=1.2" in found.notes[0]


def test_what_the_user_says_is_not_a_leftover(composer: Composer) -> None:
    found = composer.compose(["experiment=posts/flower", "optimizer=adam", "optimizer.lr=0.3"])
    assert found.config.optimizer.lr == 0.3
    assert not found.notes


def test_a_preset_as_it_stands_has_no_leftovers(composer: Composer) -> None:
    for preset in names("experiment"):
        assert composer.compose([f"experiment={preset}"]).notes == []


def test_the_overrides_that_undo_leftovers_give_the_same_configuration_in_hydra(composer: Composer) -> None:
    found = composer.compose(["experiment=cured/spiral", "dataset=cats", "optimizer=gd"])
    with initialize_config_module("conf", version_base="1.3"):
        expected = compose("config", overrides=found.overrides)
    assert OmegaConf.to_container(found.config) == OmegaConf.to_container(expected)


def test_a_folder_of_the_users_own_options_stands_beside_ours(tmp_path: Path) -> None:
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "optimizer" / "mine.yaml").write_text("name: gd\nlr: 0.7\nclip_norm: null\n")
    assert Composer(Sources(str(tmp_path))).compose(["optimizer=mine"]).config.optimizer.lr == 0.7


def test_a_preset_in_the_users_folder_has_its_leftovers_named_too(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    preset = "# @package _global_\ndefaults:\n  - override /optimizer: gd\noptimizer:\n  lr: 7.0\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(preset)
    composer = Composer(Sources(str(tmp_path)))
    assert composer.compose(["experiment=mine"]).config.optimizer.lr == 7
    found = composer.compose(["experiment=mine", "optimizer=momentum"])
    assert found.config.optimizer.lr == 0.1
    assert "optimizer.lr=7.0" in found.notes[0]
    with pytest.raises(ConfigError, match="Did you mean 'mine'"):
        composer.compose(["experiment=mime"])


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such directory"):
        Composer(Sources(str(tmp_path / "nowhere")))


def test_a_sweep_is_expanded_in_hydras_grammar_and_order(composer: Composer) -> None:
    jobs = composer.expand(["init=normal,zeros", "seed=range(2)", "dtype=float32", "optimizer.lr=choice(0.1,1)"])
    assert len(jobs) == 8
    assert jobs[0] == ["init=normal", "seed=0", "dtype=float32", "optimizer.lr=0.1"]
    assert jobs[1] == ["init=normal", "seed=0", "dtype=float32", "optimizer.lr=1"]
    assert jobs[-1] == ["init=zeros", "seed=1", "dtype=float32", "optimizer.lr=1"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("seed=range(5,5)", "there is nothing in that range"),
        ("optimizer.lr=interval(0,1)", "an interval is for a search"),
        ("seed", "an override is KEY=VALUE"),
    ],
)
def test_a_sweep_that_is_none_is_refused(composer: Composer, text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        composer.expand([text])


@pytest.mark.parametrize("value", ["Größe", "My data (1).csv", "a=b/x.csv", "it's (1)"])
def test_a_name_that_hydras_grammar_does_not_know_needs_no_quotes(value: str) -> None:
    (override,) = [quoted(f"dataset.target={value}")]
    composed = Composer().compose(["dataset=csv", "dataset.path=x", override])
    assert composed.config.dataset.target == value


@pytest.mark.parametrize("text", ["dataset.target=label", "seed=range(", "dataset.target=[a", "optimizer.lr=(1"])
def test_what_parses_and_what_is_no_name_is_left_as_it_is(text: str) -> None:
    assert quoted(text) == text


def test_the_composer_of_our_files_is_kept_until_one_of_them_changes() -> None:
    first = build._composer()
    assert build._composer() is first
    os.utime(ROOT / "conf" / "config.yaml")
    assert build._composer() is not first
