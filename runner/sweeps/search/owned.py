"""A search in a ledger of its own: one process at a time resumes it.

The sampler draws from its seed and from what it was told, in this order. So a search is resumed by asking and
telling again what the ledger holds: the next batch is the one that a search never stopped would have asked for.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from runner.sweeps.search.ledger import Ledger, Trial
from runner.sweeps.search.loop import Search
from runner.sweeps.search.sampling import Running, Sampling, tell


class Owned:
    """The trials of a search in a ledger, and the sampler, which is told them batch by batch."""

    def __init__(self, search: Search, ledger: Ledger):
        self.search, self.ledger = search, ledger
        self.sampling = Sampling(search.space, search.options, ["minimize"] * len(search.probe.objectives), shown=False)
        self._told, self._asked = 0, list[Running]()  # how many batches were told; what is asked of the next

    @classmethod
    @contextlib.contextmanager
    def opened(cls, search: Search, ledger: Ledger) -> Iterator["Owned"]:
        """Be the only process at this search. Raises ConfigError where another one is."""
        with ledger.alone():
            yield cls(search, ledger)

    def trials(self) -> list[Trial]:
        """All trials of the search, in their order."""
        return self.ledger.trials()

    def settle(self, trials: Sequence[Trial]) -> None:
        """Keep how these have ended."""
        self.ledger.write(trials)

    def claim(self) -> list[Trial]:
        """The trials that are to be trained now: the rest of a batch that was stopped, or new ones."""
        trials = self.trials()
        while True:
            batch = [trial for trial in trials if trial.batch == self._told] or self._next(trials)
            if not self._asked:
                self._asked = self.sampling.ask(len(batch))
            if left := [trial for trial in batch if trial.status is None]:
                return left
            if not batch:
                return []
            self._tell(batch)

    def _next(self, trials: Sequence[Trial]) -> list[Trial]:
        """A new batch, written down; empty where there are as many trials as wanted."""
        size = min(self.search.options.batch, self.search.wanted - len(trials))
        if size <= 0:
            return []
        self._asked = self.sampling.ask(size)
        drawn = [self.sampling.drawn(trial.params) for trial in self._asked]
        batch = [Trial(len(trials) + place, self._told, one) for place, one in enumerate(drawn)]
        self.ledger.write(batch)
        return batch

    def _tell(self, batch: Sequence[Trial]) -> None:
        for asked, ended in zip(self._asked, batch, strict=True):
            rungs = dict(enumerate(ended.rungs))
            tell(self.sampling.storage, asked._trial_id, str(ended.status), ended.objectives, rungs)
        self._told, self._asked = self._told + 1, []


def first_batch(search: Search) -> list[dict[str, Any]]:
    """What the sampler draws first, when nothing is known."""
    sampling = Sampling(search.space, search.options, ["minimize"] * len(search.probe.objectives), shown=False)
    asked = sampling.ask(min(search.options.batch, search.wanted))
    return [sampling.drawn(trial.params) for trial in asked]
