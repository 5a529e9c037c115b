"""Where MLflow shows what is in a store: addresses in its UI, the page of a comparison, the command that serves it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from runner.runs.files import relative, replace_file
from runner.tracking.state import is_server, public, sqlite_path

WORKFLOW = "workflowType=machine_learning"
COMPARED = 200  # runs: of more, the UI's comparison is neither quick nor legible


def links(
    store_uri: str,
    experiment_id: str,
    run_id: str | None = None,
    sweep: str | None = None,
    objective: str = "train/cost",
    mode: str = "min",
) -> str:
    """The address in MLflow's UI of a run, or of a sweep's runs side by side in the charts, or else of the
    experiment. The charts show ten runs: those whose best ``objective`` is best. Without a workflow type the UI takes
    what it shows for prompts and answers. Local stores are shown by ``mlflow ui`` at its default address (see
    `ui_command`)."""
    page = f"{_host(store_uri)}/#/experiments/{experiment_id}"
    if run_id is not None:
        return f"{page}/runs/{run_id}?{WORKFLOW}"
    if sweep is None:
        return f"{page}?{WORKFLOW}"
    query = quote(f"tags.sweeps LIKE '%{sweep}%'", safe="")
    key, rising = quote(f"metrics.`best/{objective}`", safe=""), str(mode == "min").lower()
    order = f"orderByKey={key}&orderByAsc={rising}"
    return f"{page}/runs?{WORKFLOW}&compareRunsMode=CHART&searchFilter={query}&{order}"


def write_comparison(directory: Path, store_uri: str, experiment_id: str, run_ids: Sequence[str]) -> Path:
    """A page in ``directory`` that leads to the UI's comparison of these runs (of many the first `COMPARED`):
    parallel coordinates, scatter and contour plots. The address has every run's id in it, too long to be shown."""
    runs, experiments = (quote(json.dumps(ids)) for ids in (list(run_ids[:COMPARED]), [experiment_id]))
    address = f"{_host(store_uri)}/#/compare-runs?runs={runs}&experiments={experiments}"
    path = directory / "compare.html"
    replace_file(path, f'<!doctype html>\n<meta http-equiv="refresh" content="0; url={address}">\n')
    return path


def ui_command(store_uri: str) -> str | None:
    """The command that serves the pages `links` points to; None for a server, which serves them itself."""
    if is_server(store_uri):
        return None
    path = sqlite_path(store_uri)
    uri = f"sqlite:///{relative(path)}" if path else public(store_uri)
    return shlex.join(["mlflow", "ui", "--backend-store-uri", uri])


def _host(store_uri: str) -> str:
    return public(store_uri).rstrip("/") if is_server(store_uri) else "http://127.0.0.1:5000"
