"""The house of docs/design.md, held by the sources themselves: who may import what."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(
    path for folder in ("runner", "datasets", "conf", "hydra_plugins") for path in (ROOT / folder).rglob("*.py")
)
NUMPY_ONLY = {"numpy", "scipy", "annotated_types", "threadpoolctl", "runner", "datasets", "h5py", "pyarrow"}

COMMANDS = {"runner/diagnosis/evaluate.py"}  # at the edge, wherever they lie: nothing else imports them

# What each part may import of the runner itself; what is not listed may import anything of it.
MAY_IMPORT = {
    "runner/nn/": ("runner.nn",),
    "runner/recipe.py": ("runner.nn",),
    "runner/shrink.py": ("runner.nn", "runner.recipe"),
    "runner/threads.py": ("runner.recipe", "runner.shrink"),
    "runner/feed.py": ("runner.nn", "runner.recipe"),
    "runner/stack.py": ("runner.nn", "runner.recipe", "runner.shrink", "runner.feed"),
    "runner/nonfinite.py": ("runner.nn", "runner.stack"),
    "runner/diagnosis/": (
        *("runner.diagnosis", "runner.nn", "runner.recipe", "runner.stack", "runner.train", "runner.nonfinite"),
        *("runner.shrink", "runner.gradients", "runner.threads", "runner.own"),
    ),
    "runner/own/": ("runner.nn", "runner.recipe", "runner.stack", "runner.nonfinite", "runner.own"),
    "runner/train.py": (
        "runner.nn",
        "runner.recipe",
        "runner.stack",
        "runner.nonfinite",
        "runner.threads",
        "runner.own",
    ),
    "runner/gradients.py": ("runner.nn", "runner.recipe", "runner.stack", "runner.threads", "runner.own"),
    "runner/halving.py": ("runner.nn",),
    "runner/objectives.py": ("runner.schema",),
    "runner/samplers.py": ("runner.nn", "runner.schema"),
    "runner/ledger.py": ("runner.schema",),
    "runner/model_code.py": (),
    "runner/journal.py": (),
    "runner/tracking.py": (),
    "runner/batches.py": ("runner.journal", "runner.tracking"),
    "runner/bulk.py": ("runner.batches",),
    "runner/registry.py": (),
    "runner/store.py": ("runner.batches", "runner.bulk", "runner.journal", "runner.registry", "runner.tracking"),
    "runner/follow.py": ("runner.journal", "runner.store", "runner.tracking"),
    "runner/sync.py": ("runner.journal", "runner.store", "runner.terminal", "runner.tracking"),
    "runner/terminal.py": (),
    "datasets/": (),
    "conf/": (),
}


def imports(path: Path) -> set[str]:
    """The modules that a source imports, dotted, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names if node.module == "runner" else {str(node.module)}
    return found


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_imports_point_one_way(path: Path) -> None:
    for place, allowed in MAY_IMPORT.items():
        if name(path).startswith(place) and name(path) not in COMMANDS:
            own = {module for module in imports(path) if module.split(".")[0] == "runner"}
            assert all(module.startswith(allowed) for module in own), f"{name(path)} imports {own}"


def test_nothing_imports_a_command() -> None:
    commands = {command.removesuffix(".py").replace("/", ".") for command in COMMANDS}
    for path in SOURCES:
        assert not imports(path) & commands, name(path)


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_mathematics_and_data_know_neither_configuration_nor_tracking(path: Path) -> None:
    pure = ("runner/nn/", "runner/recipe.py", "runner/shrink.py", "runner/threads.py", "runner/stack.py")
    pure += ("runner/feed.py", "runner/gradients.py", "runner/train.py", "runner/nonfinite.py", "runner/halving.py")
    pure += ("datasets/", "runner/diagnosis/", "runner/own/")
    if name(path).startswith(pure) and name(path) not in COMMANDS:
        import sys

        others = {module.split(".")[0] for module in imports(path)} - NUMPY_ONLY - set(sys.stdlib_module_names)
        assert not others, f"{name(path)} imports {others}"


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_only_the_store_imports_mlflow(path: Path) -> None:
    # model_code.py is what MLflow itself runs: there, and only there, it imports mlflow.
    may = ("store", "bulk", "follow", "registry", "model_code")
    if name(path) not in [f"runner/{module}.py" for module in may]:
        assert not any(module.split(".")[0] == "mlflow" for module in imports(path))


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_only_pictures_import_what_draws(path: Path) -> None:
    for package, place in (("matplotlib", "runner/plots/"), ("bokeh", "runner/report/"), ("jinja2", "runner/report/")):
        if not name(path).startswith(place):
            assert not any(module.split(".")[0] == package for module in imports(path))


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_data_and_network_do_not_know_each_other(path: Path) -> None:
    if name(path).startswith("runner/nn/"):
        assert not any(module.split(".")[0] == "datasets" for module in imports(path))


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_nothing_is_instantiated_by_a_path_in_a_configuration(path: Path) -> None:
    assert "hydra.utils" not in imports(path)
    if name(path) != "hydra_plugins/stacked.py":  # where Hydra itself wants them
        assert "_target_" not in path.read_text()


def test_no_module_is_called_utils() -> None:
    assert not [path for path in SOURCES if path.stem in ("utils", "helpers", "common", "misc")]
