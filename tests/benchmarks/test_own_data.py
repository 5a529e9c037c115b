"""A file with names, labels and missing values reaches by one command what scikit-learn's pipeline reaches."""

from pathlib import Path

import pytest

from benchmarks import own_data


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_one_command_reaches_what_a_pipeline_reaches(tmp_path: Path) -> None:
    task = own_data.titanic(tmp_path)
    own, peer = own_data.ours(task, tmp_path), own_data.theirs(task)
    assert own.mean() > peer.mean() - 3 * own_data.noise(own, peer) - 0.01
