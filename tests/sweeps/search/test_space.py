"""Ranges on a command line: Hydra's own sweep syntax, and every mistake in it named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.experiment.compose import Composer
from runner.experiment.schema import ConfigError
from runner.sweeps.search.space import Condition, Interval, Listed, space_of


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer()


RANGES = {
    "optimizer.lr=interval(0.25,10)": Interval("optimizer.lr", 0.25, 9.999999999999998, log=False, whole=False),
    "optimizer.lr=tag(log,interval(1e-4,10))": Interval("optimizer.lr", 1e-4, 9.999999999999998, log=True, whole=False),
    "training.batch_size=int(interval(8,64))": Interval("training.batch_size", 8, 64, log=False, whole=True),
    "training.batch_size=int(tag(log,interval(8,64)))": Interval("training.batch_size", 8, 64, log=True, whole=True),
    "architecture.hidden=choice([4],[8],[16,16])": Listed("architecture.hidden", ("[4]", "[8]", "[16,16]"), False),
    "init=zeros,he_normal,zeros": Listed("init", ("zeros", "he_normal"), False),
    "init=glob(he_*)": Listed("init", ("he_normal", "he_uniform"), False),
    "seed=range(4)": Listed("seed", ("0", "1", "2", "3"), ordered=True),
    "seed=shuffle(range(4))": Listed("seed", ("0", "1", "2", "3"), ordered=True),
    "architecture.dropout=range(0,0.5,0.25)": Listed("architecture.dropout", ("0.0", "0.25"), ordered=True),
}


@pytest.mark.parametrize("text", RANGES)
def test_a_range_is_what_hydras_syntax_says(composer: Composer, text: str) -> None:
    space = space_of(composer, ["dataset=xor", text, "search=random"])
    assert space.ranges == (RANGES[text],)
    assert space.fixed == ("dataset=xor",)
    assert space.search == ("search=random",)


@pytest.mark.parametrize("text", RANGES)
def test_what_is_drawn_composes(composer: Composer, text: str) -> None:
    space = space_of(composer, ["dataset=xor", text, "search=random"])
    (one,) = space.ranges
    for end in one.ends:
        assert one.distribution()._contains(one.distribution().to_internal_repr(end))
        composer.compose(space.overrides({one.key: end}))


@given(st.floats(1e-300, 1e300), st.floats(1e-300, 1e300))
def test_a_number_is_written_so_that_it_is_read_back(low: float, drawn: float) -> None:
    override = Interval("optimizer.lr", low, 1e301, log=True, whole=False).override(drawn)
    assert float(override.partition("=")[2]) == drawn


MISTAKES = {
    "optimizer.lr=interval(1,1)": "its end must be above its start",
    "optimizer.lr=interval(3,1)": "its end must be above its start",
    "optimizer.lr=tag(log,interval(0,1))": "a logarithm needs an interval above 0. Got 0 as its start",
    "optimizer.lr=tag(log,interval(-1,1))": "a logarithm needs an interval above 0. Got -1 as its start",
    "optimizer.lr=tag(lgo,interval(1,2))": "a search knows the tag log. Got lgo",
    "seed=range(5,5)": "there is nothing in it",
    "init=glob(nothing*)": "there is nothing in it",
    "search=tpe,random": "it is the same in all trials",
    "search.trials=10,20": "it is the same in all trials",
    "objective.metric=train/cost,grad_norm": "Several objectives are a list: objective.metric=[A,B]",
    "optimizer.lr=interval(1": "an override is KEY=VALUE",
    "optimizer.lr=0.1": "needs something to search",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_named(composer: Composer, text: str) -> None:
    with pytest.raises(ConfigError) as found:
        space_of(composer, [text])
    assert len(found.value.problems) == 1
    assert MISTAKES[text] in found.value.problems[0]


def test_all_mistakes_are_named_at_once(composer: Composer) -> None:
    with pytest.raises(ConfigError) as found:
        space_of(composer, [text for text in MISTAKES if text != "optimizer.lr=0.1"])
    assert len(found.value.problems) == len(MISTAKES) - 1
    with pytest.raises(ConfigError, match="seed is given twice"):
        space_of(composer, ["seed=1,2", "seed=3,4"])


def test_every_combination_of_the_borders_is_probed_where_they_are_few(composer: Composer) -> None:
    few = space_of(composer, ["init=zeros,normal", "optimizer=gd,adam", "optimizer.lr=interval(1,2)"])
    assert len(few.probes()) == 8
    many = space_of(composer, ["init=glob(*)", "optimizer=glob(*)", "seed=range(60)"])
    inits, optimizers = (len(composer.loader.get_group_options(group)) for group in ("init", "optimizer"))
    assert len(many.probes()) == inits + optimizers + 2
    assert len({override for probe in many.probes() for override in probe} - {"search=none"}) == inits + optimizers + 2


def test_a_range_over_what_only_some_options_have_is_drawn_where_there_is_one(composer: Composer) -> None:
    words = ["optimizer=gd,momentum,nesterov", "optimizer.momentum=interval(.5,.99)", "init=normal,zeros", "seed=1,2"]
    space = space_of(composer, words)
    assert space.conditions == {"optimizer.momentum": Condition("optimizer", (1, 2))}
    probes = space.probes()
    assert any("optimizer=gd" in probe for probe in probes)
    for probe in probes:
        assert any(text.startswith("optimizer.momentum=") for text in probe) == ("optimizer=gd" not in probe)
        composer.compose(probe)
    # Without a choice among the options there is no condition, and a key that none has is a mistake as ever.
    assert space_of(composer, words[1:]).conditions == {}
    assert space_of(composer, ["optimizer=gd,adam", *words[1:]]).conditions == {}


SHOWN = {
    "init=zeros,he_normal": ["zeros", "he_normal"],
    "optimizer.lr=0.1,1": [0.1, 1],
    "architecture.hidden=[4],[8,8]": ["[4]", "[8,8]"],
    "training.shrink=true,false": [True, False],
    "x=1,1.0,true": ["1", "1.0", "True"],
    "seed=range(2,8,3)": [2, 5],
    "seed=range(5,1,-2)": [5, 3],
    "architecture.dropout=range(0,0.5,0.1)": [0.0, 0.1, 0.2, 0.3, 0.4],
}


@pytest.mark.parametrize("text", SHOWN)
def test_a_study_shows_values_and_they_are_found_again(composer: Composer, text: str) -> None:
    (one,) = space_of(composer, [text]).ranges
    assert isinstance(one, Listed)
    assert one.scalars == SHOWN[text]
    distribution = one.shown()
    for position, value in enumerate(one.scalars):
        assert one.position(value) == position
        assert distribution._contains(distribution.to_internal_repr(value))
