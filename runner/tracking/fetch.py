"""A run back out of a store, as a folder that can be read like the run's own."""

from __future__ import annotations

import atexit
import json
import math
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runner.runs import journal
from runner.tracking.state import public, sqlite_path
from runner.tracking.store import Store, own_directory, tell_summary
from runner.tracking.translation import HOST, PID, UID


def fetch(run_id: str, uri: str) -> Path:
    """A local folder with the journal and the artifacts of a run in a store: the run's own directory if it is here.

    Else a temporary one, gone when this process ends: the artifacts downloaded, and a journal made of what the store
    has. In it non-finite values are missing (NaN in a trace), and there are no findings. Raises NoRun
    where there is no such store or run.
    """
    database = sqlite_path(uri)
    if database and not database.exists():
        raise journal.NoRun(f"There is no run {run_id}: {public(uri)} does not exist.")
    store = Store(uri)
    try:
        run = store.client.get_run(run_id)
    except Exception as error:
        if getattr(error, "error_code", None) not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        raise journal.NoRun(f"There is no run {run_id} in {public(uri)}.") from None
    if (own := own_directory(run.data.tags)) is not None:
        return own
    directory = Path(tempfile.mkdtemp(prefix="runner-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    if store.client.list_artifacts(run_id):
        store.client.download_artifacts(run_id, "", str(directory))
    if not (directory / journal.FILE).exists():
        lines = [json.dumps(record, separators=(",", ":")) + "\n" for record in records(store.client, run)]
        (directory / journal.FILE).write_text("".join(lines))
    tell_summary(directory, run_id)
    return directory


def records(client: Any, run: Any) -> Iterator[journal.Record]:
    """A journal made of what the store has of a run (an mlflow `Run`), in the journal's own words."""
    info, tags = run.info, {key: value for key, value in run.data.tags.items() if not key.startswith("mlflow.")}
    experiment = client.get_experiment(info.experiment_id).name
    named = {"uid": tags.get(UID, info.run_id), "pid": int(tags.get(PID, 0)), "host": tags.get(HOST, "")}
    inputs = [entry.dataset for entry in run.inputs.dataset_inputs]
    dataset = {key: getattr(inputs[0], key) for key in ("name", "digest", "source", "profile")} if inputs else {}
    more = {"name": info.run_name, "experiment": experiment, "params": run.data.params, "tags": tags}
    yield {"kind": "start", "time": info.start_time, **named, **more, "dataset": dataset, "command": ""}
    rows: dict[tuple[int, int], dict[str, float | str]] = {}
    final: dict[str, float | str] = {}
    for key in run.data.metrics:
        history = client.get_metric_history(info.run_id, key)
        for point in history:
            value = point.value if math.isfinite(point.value) else "nan"
            if len(history) == 1 and (point.step, point.timestamp) == (0, info.end_time):
                final[key] = value  # what a journal's end has, such as best/...
            else:
                rows.setdefault((point.step, point.timestamp), {})[key] = value
    for (step, time), values in sorted(rows.items()):
        yield {"kind": "row", "time": time, "step": step, "values": values}
    if info.end_time is not None:
        status = tags.get("status", "killed")
        yield {"kind": "end", "time": info.end_time, "status": status, "metrics": final, "tags": {}}
