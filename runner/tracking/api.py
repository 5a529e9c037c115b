"""One batch of one run at a time, by MLflow's own client: what any store takes, a server too.

The other writer is `runner.tracking.tables`; both are asked the same and given the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runner.tracking.translation import DIRECTORY, HOST, UID, Found, Work, addressed, dataset_of


class Api:
    """An `MlflowClient`, as a writer of journals."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def find(self, wanted: Mapping[str, Iterable[str]]) -> dict[str, Found]:
        """The runs of these journals, by uid; ``wanted``: the experiments that each may be in."""
        from mlflow.entities import ViewType

        found = {}
        for uid, where in wanted.items():
            runs = self.client.search_runs(
                list(where), f"tags.`{UID}` = '{uid}'", ViewType.ALL, max_results=1, order_by=["start_time ASC"]
            )
            for run in runs:
                active = run.info.lifecycle_stage == "active"
                found[uid] = Found(run.info.run_id, run.info.experiment_id, active)
        return found

    def running(self, host: str) -> dict[str, Mapping[str, str]]:
        """The tags of the runs that are RUNNING on ``host``, by run id."""
        query = f"attributes.status = 'RUNNING' and tags.`{HOST}` = '{host}'"
        experiments = [experiment.experiment_id for experiment in self.client.search_experiments()]
        runs = self.client.search_runs(experiments, query, max_results=1000) if experiments else ()
        return {run.info.run_id: run.data.tags for run in runs}

    def write(self, work: Sequence[Work]) -> dict[str, str | None]:
        """One after the other; returns each uid's run id. A run may come several times, in the order of its journal."""
        ids: dict[str, str | None] = {}
        for item in work:
            ids[item.uid] = self._log(item, ids.get(item.uid) or item.run_id)
        return ids

    def _log(self, item: Work, run_id: str | None) -> str:
        """One batch: at most one call each to create, log, and end the run."""
        from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

        batch, tags, params = item.batch, item.batch.tags, item.batch.params
        if run_id is None:
            created = self.client.create_run(item.experiment_id, item.started, {**item.tags, **tags}, item.name)
            run_id, tags = str(created.info.run_id), {}
        elif batch.resumed or batch.started:
            self.client.update_run(run_id, "RUNNING")
            tags = {DIRECTORY: item.tags[DIRECTORY], **tags}
            if params:  # what it has of them cannot change
                params = {key: params[key] for key in params.keys() - self.client.get_run(run_id).data.params.keys()}
        self.client.log_batch(
            run_id,
            [Metric(*metric) for metric in batch.metrics],
            [Param(*param) for param in params.items()],
            [RunTag(*tag) for tag in addressed(tags, run_id).items()],
        )
        if batch.dataset:
            named = dataset_of(batch)
            entity = Dataset(named["name"], named["digest"], "local", named["source"], profile=named["profile"])
            self.client.log_inputs(run_id, [DatasetInput(entity, [InputTag("mlflow.data.context", "training")])])
        if batch.ended:
            self.client.set_terminated(run_id, *batch.ended)
        return run_id
