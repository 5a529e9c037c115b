"""docs/reference.md and docs/causes.md: what the code has, all of it, and nothing else."""

import re
from pathlib import Path

import yaml

from docs import reference
from runner import run
from runner.runs.findings import explained

ROOT = Path(__file__).resolve().parents[1]


def test_the_page_is_what_the_code_gives() -> None:
    assert (ROOT / "docs/reference.md").read_text() == reference.text(), "run: python -m docs.reference"


def test_it_has_every_option_key_and_cause() -> None:
    page = (ROOT / "docs/reference.md").read_text()
    for path in (ROOT / "conf").glob("*/*.yaml"):
        group = path.parent.name
        if group in reference.MODULES or (group in ("dataset", "search") and path.stem != "none"):
            assert f"### {group}={path.stem}\n" in page
            keys = yaml.safe_load(path.read_text()).keys() - {"name"}
            assert not [key for key in keys if f"`{group}.{key}`" not in page], path
    for section in ("objective", "sweep"):
        for key in yaml.safe_load((ROOT / "conf/config.yaml").read_text())[section]:
            assert f"`{section}.{key}`" in page


def test_it_has_every_metric_that_a_run_logs() -> None:
    found: set[str] = set()
    for words in (
        "dataset=flower dataset.test_fraction=0.2 architecture.l2=0.1",
        "dataset=sklearn dataset.set=diabetes",
    ):
        found |= set(run(f"{words} training.iterations=3").keys())
    named = {re.sub(r"^\w+/(cost|accuracy|r2)$", r"SET/\1", re.sub(r"layer_\d+", "layer_N", key)) for key in found}
    assert named == reference.METRICS.keys()


def test_every_cause_has_its_section_in_the_order_of_the_configuration() -> None:
    page = (ROOT / "docs/causes.md").read_text()
    titles = [title.lower().replace(" ", "_") for title in re.findall(r"^## (.*)$", page, re.MULTILINE)]
    assert titles == [*yaml.safe_load((ROOT / "conf/diagnosis/default.yaml").read_text())["causes"], "undetermined"]
    assert [explained({"cause": name}) for name in titles] == [f"docs/causes.md#{n.replace('_', '-')}" for n in titles]
    assert explained({"cause": "square missing"}) == ""  # the gradient check's own, which names the line
    for name in re.findall(r"fault=(\w+)", page):
        assert (ROOT / f"conf/fault/{name}.yaml").exists(), name
