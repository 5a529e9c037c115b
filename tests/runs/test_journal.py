"""The journal keeps what was written, whatever happens to its writer."""

import json
import math
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.runs import journal
from runner.runs.journal import FILE, Journal, JournalError


def create(directory, **more):
    return Journal.create(directory, name="a run", experiment="an experiment", **more)


def records(directory, offset=0):
    return [record for record, _ in journal.read(directory, offset)]


def script(text, *arguments, **more):
    """Run Python in a process of its own."""
    command = [sys.executable, "-c", textwrap.dedent(text), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **more)


def test_what_is_written_is_read(tmp_path):
    before = time.time_ns() // 1_000_000
    with create(
        tmp_path, params={"optimizer.lr": 0.1, "name": "nan"}, tags={"sweep": "s"}, dataset={"name": "xor"}
    ) as writer:
        writer.row(0, {"train/cost": 0.7, "train/accuracy": 0.5})
        writer.artifact(tmp_path / "plots" / "cost.png", "plots")
        writer.tags({"diagnosis": "none"})
        writer.finding({"symptom": "flat", "evidence": {"slope": math.nan}})
        writer.end("finished", {"best/train/cost": 0.7}, {"target": "met"})
    start, row, artifact, tags, finding, end = records(tmp_path)
    assert (start["kind"], start["uid"], start["pid"]) == ("start", writer.uid, os.getpid())
    assert start["params"] == {"optimizer.lr": 0.1, "name": "nan"}
    assert (row["step"], row["values"]) == (0, {"train/cost": 0.7, "train/accuracy": 0.5})
    assert (artifact["path"], artifact["folder"]) == ("plots/cost.png", "plots")
    assert tags["tags"] == {"diagnosis": "none"}
    assert finding["evidence"] == {"slope": "nan"}
    assert (end["status"], end["metrics"], end["tags"]) == (
        "finished",
        {"best/train/cost": 0.7},
        {"target": "met"},
    )
    assert all(before <= record["time"] <= time.time() * 1000 for record in records(tmp_path))
    assert journal.first(tmp_path) == start
    assert journal.last(tmp_path) == end


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.dictionaries(st.text(max_size=8), st.floats(), max_size=5))
def test_every_float_comes_back(tmp_path_factory, values):
    directory = tmp_path_factory.mktemp("floats")
    with create(directory) as writer:
        writer.row(1, values)
        writer.end("diverged", values)
    _, row, end = records(directory)
    expected = [(key, repr(value)) for key, value in values.items()]
    assert [(key, repr(value)) for key, value in row["values"].items()] == expected
    assert [(key, repr(value)) for key, value in end["metrics"].items()] == expected


def test_non_finite_numbers_are_words_in_the_file(tmp_path):
    with create(tmp_path) as writer:
        writer.row(0, {"a": math.nan, "b": math.inf, "c": -math.inf})
    line = (tmp_path / FILE).read_text().splitlines()[1]
    assert json.loads(line)["values"] == {"a": "nan", "b": "inf", "c": "-inf"}


def test_a_tear_at_any_byte_loses_only_its_line(tmp_path):
    with create(tmp_path / "whole") as writer:
        for step in range(3):
            writer.row(step, {"train/cost": math.inf if step == 1 else 0.5})
        writer.end("finished")
    text = (tmp_path / "whole" / FILE).read_bytes()
    whole = records(tmp_path / "whole")
    torn = tmp_path / "torn"
    torn.mkdir()
    for length in range(len(text) + 1):
        (torn / FILE).write_bytes(text[:length])
        lines = text[:length].count(b"\n")
        assert records(torn) == whole[:lines]
        assert journal.last(torn) == (whole[lines - 1] if lines else None)


def test_a_last_line_that_is_no_json_is_dropped(tmp_path):
    create(tmp_path).close()
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"kind":"row","st\x00\x00\n')
    assert [record["kind"] for record in records(tmp_path)] == ["start"]
    with Journal.reopen(tmp_path) as writer:
        writer.row(0, {"a": 1.0})
    assert [record["kind"] for record in records(tmp_path)] == ["start", "resume", "row"]


@pytest.mark.parametrize("text", ["hello\n", "hello", '{"kind":"row","step":0}\n', "[1]\n"])
def test_a_file_that_is_no_journal_is_refused(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(JournalError, match="not a journal"):
        records(tmp_path)


def test_damage_in_the_middle_is_an_error_that_names_the_byte(tmp_path):
    with create(tmp_path) as writer:
        size = (tmp_path / FILE).stat().st_size
        writer.row(0, {"a": 1.0})
        writer.row(1, {"a": 1.0})
    text = bytearray((tmp_path / FILE).read_bytes())
    text[size + 3] = 0
    (tmp_path / FILE).write_bytes(text)
    with pytest.raises(JournalError, match=f"byte {size}$"):
        records(tmp_path)


def test_no_journal_is_a_clear_error(tmp_path):
    for ask in (records, journal.first, journal.last, journal.writing, journal.status, Journal.reopen):
        with pytest.raises(JournalError, match=r"journal\.jsonl: No such file"):
            ask(tmp_path)


def test_a_tailer_goes_on_where_it_stopped(tmp_path):
    seen, offset = [], 0
    with create(tmp_path) as writer:
        for step in range(5):
            writer.row(step, {"a": float(step)})
            for record, after in journal.read(tmp_path, offset):
                seen.append(record)
                offset = after
    assert seen == records(tmp_path)
    assert records(tmp_path, offset) == []
    with pytest.raises(JournalError, match="shorter"):
        records(tmp_path, offset + 1)


def test_a_second_journal_in_the_same_directory_is_refused(tmp_path):
    create(tmp_path).close()
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(JournalError, match="exists"):
        create(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_two_writers_of_one_journal_are_refused(tmp_path):
    with create(tmp_path), pytest.raises(JournalError, match="being written by another process"):
        Journal.reopen(tmp_path)
    Journal.reopen(tmp_path).close()


def test_nothing_follows_the_end_or_the_close(tmp_path):
    with create(tmp_path) as writer:
        writer.end("finished")
        with pytest.raises(JournalError, match="ended"):
            writer.row(0, {})
    with create(tmp_path / "other") as writer, pytest.raises(ValueError, match="status must be one of"):
        writer.end("done")
    resumed = Journal.reopen(tmp_path)
    resumed.close()
    with pytest.raises(JournalError, match="closed"):
        resumed.row(0, {})


def test_what_was_made_of_a_run_follows_its_end(tmp_path):
    with create(tmp_path) as writer:
        writer.row(0, {"a": 1.0})
        writer.end("finished", {"best/a": 1.0})
        end = journal.last(tmp_path)
        writer.tags({"at": "once"})
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"kind":"artifact","path":"torn')  # whoever drew pictures was killed
    with Journal.supplement(tmp_path) as writer:
        assert journal.writing(tmp_path)
        writer.artifact("cost.png", "plots")
        writer.finding({"symptom": "flat"})
        for refused in (lambda: writer.row(1, {"a": 2.0}), lambda: writer.end("error")):
            with pytest.raises(JournalError, match="ended"):
                refused()
        assert journal.status(tmp_path) == "finished"
    assert [record["kind"] for record in records(tmp_path)] == ["start", "row", "end", "tags", "artifact", "finding"]
    assert journal.ending(tmp_path) == end
    with Journal.reopen(tmp_path) as writer:
        assert journal.ending(tmp_path) is None
        assert journal.status(tmp_path) == "running"
        writer.row(1, {"a": 2.0})
    assert journal.status(tmp_path) == "killed"


def test_a_run_without_an_end_is_not_supplemented(tmp_path):
    create(tmp_path).close()
    with pytest.raises(JournalError, match="has no end"):
        Journal.supplement(tmp_path)
    assert not journal.writing(tmp_path)
    with Journal.reopen(tmp_path), pytest.raises(JournalError, match="another process"):
        Journal.supplement(tmp_path)


@pytest.mark.parametrize("late", [0, 1, 500])
def test_the_end_is_found_however_much_follows_it(tmp_path, late):
    with create(tmp_path) as writer:
        writer.end("diverged")
        for number in range(late):
            writer.tags({"note": "x" * 1000 + str(number)})
    assert journal.status(tmp_path) == "diverged"


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("lr is odd"), "error"), (KeyboardInterrupt(), "interrupted")]
)
def test_an_exception_ends_the_run(tmp_path, error, status):
    def run():
        with create(tmp_path):
            raise error

    with pytest.raises(type(error)):
        run()
    assert journal.status(tmp_path) == status
    assert journal.last(tmp_path)["tags"] == ({"error": "ValueError: lr is odd"} if status == "error" else {})


def test_a_resumed_run_writes_no_row_twice(tmp_path):
    with create(tmp_path) as writer:
        for step in (0, 10, 20):
            writer.row(step, {"a": float(step)})
        writer.end("interrupted")
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"kind":"row","step":30,"val')
    with Journal.reopen(tmp_path, {"resumed": "10"}) as writer:
        assert writer.last_step == 20
        for step in (10, 20, 30):
            writer.row(step, {"a": float(step)})
        writer.end("finished")
    kinds = [record["kind"] for record in records(tmp_path)]
    assert kinds == ["start", "row", "row", "row", "end", "resume", "row", "end"]
    assert [record["step"] for record in records(tmp_path) if record["kind"] == "row"] == [0, 10, 20, 30]
    assert journal.status(tmp_path) == "finished"


def test_what_was_written_survives_kill_9(tmp_path):
    process = script(
        """
        import sys
        from runner.runs.journal import Journal
        journal = Journal.create(sys.argv[1], name="n", experiment="e")
        step = 0
        while True:
            journal.row(step, {"a": float(step)})
            print(step, flush=True)
            step += 1
        """,
        tmp_path,
    )
    for _ in range(200):
        process.stdout.readline()
    assert journal.writing(tmp_path)
    assert journal.status(tmp_path) == "running"
    process.send_signal(signal.SIGKILL)
    said = 199 + len(process.stdout.read().splitlines())
    assert not journal.writing(tmp_path)  # although the process is a zombie with its old id
    process.wait()
    process.stdout.close()
    steps = [record["step"] for record in records(tmp_path) if record["kind"] == "row"]
    assert steps == list(range(len(steps)))
    assert len(steps) > said
    assert journal.status(tmp_path) == "killed"


def test_a_full_disk_is_named_and_leaves_whole_lines(tmp_path):
    # A limit on file size stops a write in the middle of a line, as a full disk does, without being root.
    process = script(
        """
        import resource, sys
        from runner.runs.journal import Journal, JournalError
        journal = Journal.create(sys.argv[1], name="n", experiment="e")
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
        for step in range(1000):
            try:
                journal.row(step, {"a": float(step)})
            except JournalError as error:
                print(step, error)
                break
        try:
            journal.row(step, {"a": float(step)})
        except JournalError:
            print("still full")
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        journal.row(step, {"a": float(step)})
        journal.end("finished")
        """,
        tmp_path,
    )
    output = process.communicate()[0].splitlines()
    step, message = output[0].split(" ", 1)
    assert message == f"cannot write {tmp_path / FILE}: File too large"
    assert output[1] == "still full"
    read = records(tmp_path)
    assert [record["step"] for record in read[1:-1]] == list(range(int(step) + 1))
    assert read[-1]["kind"] == "end"


def test_more_journals_than_the_soft_limit_of_open_files(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 300:
        pytest.skip("the hard limit is too low")
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
    writers = []
    try:
        writers += [create(tmp_path / str(number)) for number in range(200)]
    finally:
        for writer in writers:
            writer.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(writers) == 200


def test_the_journal_imports_little(tmp_path):
    process = script(
        """
        import sys
        import runner.runs.journal, runner.tracking.tracker
        print([name for name in ("mlflow", "hydra", "omegaconf", "numpy") if name in sys.modules])
        """
    )
    assert process.communicate()[0].strip() == "[]"
