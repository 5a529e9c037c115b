"""The rules of docs/design.md, held by the sources themselves: who may import what."""

import ast
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(
    path for folder in ("runner", "datasets", "conf", "hydra_plugins") for path in (ROOT / folder).rglob("*.py")
)
NUMPY_ONLY = {"numpy", "scipy", "annotated_types", "threadpoolctl", "runner", "datasets", "h5py", "pyarrow"}
COMPILED = "runner/training/compiled/"  # kernels, where the extra is installed
READERS = {"sklearn", "openpyxl", "PIL"}  # of files and bundled sets: in datasets/ only, and only once one is asked for
PURE = ("runner.nn", "datasets", "runner.training", "runner.diagnosis")  # the mathematics and the data

# A package imports only from itself and from packages to its left; those in one group do not know each other.
LAYERS = (
    ("runner.nn", "datasets"),
    ("runner.training",),
    ("runner.diagnosis",),
    ("runner.experiment",),
    ("runner.runs",),
    ("runner.tracking", "runner.sweeps"),
    ("runner.screen",),
    ("runner.plots", "runner.report"),
    ("runner.command",),
    ("runner",),  # the doors: what people type
)
# `runner.check` and its like are doors, and so are these, which stand in a room of their own.
DOORS = ("runner/plots/__main__.py", "runner/report/__main__.py")


@cache
def imports(path: Path, only_at_the_top: bool = False) -> set[str]:
    """The modules that a source imports, dotted, wherever in it."""
    found: set[str] = set()
    tree = ast.parse(path.read_text())
    for node in tree.body if only_at_the_top else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def module_of(path: Path) -> str:
    return name(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def package_of(module: str) -> str:
    """The layer's package that a module is of; a door stands in none of them, or is named in DOORS."""
    inside = [package for group in LAYERS[:-1] for package in group if f"{module}.".startswith(f"{package}.")]
    return inside[0] if inside else "runner"


def layer(package: str) -> int:
    return next(place for place, group in enumerate(LAYERS) if package in group)


def ours(path: Path) -> set[str]:
    """What a source imports of the project; the root of its errors stands in the package itself, for all of them."""
    return {module for module in imports(path) if module.split(".")[0] in ("runner", "datasets")} - {"runner.Refusal"}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_a_package_imports_only_to_its_left() -> None:
    for path in SOURCES:
        if not name(path).startswith(("runner/", "datasets/")):
            continue
        here = "runner" if name(path) in DOORS else package_of(module_of(path))
        for module in ours(path):
            there = package_of(module)
            assert there == here or layer(there) < layer(here), f"{name(path)} ({here}) imports {module}"


def test_no_module_imports_itself_in_a_circle() -> None:
    """Over modules, not packages, and over all imports, those inside of functions too."""
    sources = {module_of(path): path for path in SOURCES}
    arrows = {
        module: {found if found in sources else found.rpartition(".")[0] for found in ours(path)} & sources.keys()
        for module, path in sources.items()
    }
    while ends := {module for module, to in arrows.items() if not to or module not in set().union(*arrows.values())}:
        arrows = {module: to - ends for module, to in arrows.items() if module not in ends}
    assert not arrows, f"these import each other: {sorted(arrows)}"


def test_tracking_takes_the_journal_and_the_files_and_no_numpy() -> None:
    """The tracking process runs without NumPy and without what trains."""
    for path in SOURCES:
        if name(path).startswith("runner/tracking/"):
            taken = {module for module in ours(path) if package_of(module) != "runner.tracking"}
            others = [each for each in taken if not each.startswith(("runner.runs.journal", "runner.runs.files"))]
            assert not others, f"{name(path)} imports {others}"
            assert "numpy" not in imports(path), name(path)
        if name(path) in ("runner/runs/journal.py", "runner/runs/files.py"):
            assert all(module.startswith("runner.runs.files") for module in ours(path)), name(path)
            assert "numpy" not in imports(path), name(path)


def test_what_stands_directly_in_the_runner_is_rooms_and_doors() -> None:
    entries = [entry for entry in (ROOT / "runner").iterdir() if not entry.name.startswith((".", "__pycache__"))]
    assert len([entry for entry in entries if entry.is_dir()]) <= 12
    for door in (entry for entry in entries if entry.is_file() and not entry.name.startswith("__")):
        assert len(door.read_text().splitlines()) <= 40, f"{door.name}: a door holds no logic"


def test_mathematics_and_data_know_neither_configuration_nor_tracking() -> None:
    for path in SOURCES:
        if package_of(module_of(path)) in PURE:
            allowed = NUMPY_ONLY | ({"numba", "llvmlite"} if name(path).startswith(COMPILED) else set())
            allowed |= READERS if name(path).startswith("datasets/") else set()
            others = {module.split(".")[0] for module in imports(path)} - allowed - set(sys.stdlib_module_names)
            assert not others, f"{name(path)} imports {others}"
            early = {module.split(".")[0] for module in imports(path, only_at_the_top=True)} & (READERS | {"pyarrow"})
            assert not early, f"{name(path)} imports {early} before a file asks for it"


def test_only_the_store_imports_mlflow() -> None:
    for path in SOURCES:
        # model_code.py is what MLflow itself runs: there, and only there, it imports mlflow.
        may = ("runner/tracking/", "runner/runs/model_code.py")
        if not name(path).startswith(may):
            assert not any(module.split(".")[0] == "mlflow" for module in imports(path)), name(path)


def test_only_pictures_import_what_draws() -> None:
    places = {"matplotlib": "runner/plots/", "bokeh": "runner/report/", "jinja2": "runner/report/"}
    for path in SOURCES:
        drawn = {module.split(".")[0] for module in imports(path)} & places.keys()
        assert not [each for each in drawn if not name(path).startswith(places[each])], f"{name(path)} imports {drawn}"


def test_nothing_is_instantiated_by_a_path_in_a_configuration() -> None:
    for path in SOURCES:
        assert "hydra.utils" not in imports(path), name(path)
        if name(path) != "hydra_plugins/stacked.py":  # where Hydra itself wants them
            assert "_target_" not in path.read_text(), name(path)


def test_no_module_is_called_utils() -> None:
    assert not [path for path in SOURCES if path.stem in ("utils", "helpers", "common", "misc")]


def test_functions_fit_a_screen_and_files_are_read_in_one_sitting() -> None:
    for path in SOURCES:
        text = path.read_text()
        assert len(text.splitlines()) <= 400, name(path)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 50, f"{name(path)}: {node.name}"


def test_every_command_goes_through_the_one_door() -> None:
    """What is refused is printed in one place, and a door of its own would have exit codes of its own."""
    for path in SOURCES:
        if '__name__ == "__main__"' in path.read_text() and name(path) != "runner/tracking/follow.py":
            assert "runner.screen.door.door" in imports(path), name(path)
