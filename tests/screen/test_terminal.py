"""Whatever the output goes to, it can be read: narrow terminals, no colours, files, pipes of few letters."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from runner.screen import terminal

ROOT = Path(__file__).resolve().parents[2]
RUN = ("dataset=xor", "training.iterations=200", "tracking=none", "plots=false")
SWEEP = ("-m", *RUN, "optimizer=gd", "architecture.activation=relu", "init=he_normal,xavier_normal")
SWEEP += ("optimizer.lr=0.1,1e307",)  # the larger diverges


def environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def piped(folder: Path, *words: str, module: str = "runner", **more: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", module, *words]
    return subprocess.run(command, cwd=folder, env=environment(**more), capture_output=True, timeout=300)


def shown(folder: Path, *words: str, **more: str) -> str:
    """What a terminal of 80 columns and 40 lines gets."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "runner", *words],
        cwd=folder,
        env=environment(TERM="xterm-256color", **more),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    text = b""
    while select.select([ours], [], [], 120)[0]:
        try:
            text += os.read(ours, 65536)
        except OSError:  # closed at the other end
            break
    process.wait(60)
    os.close(ours)
    return text.decode()


def plain(text: str) -> list[str]:
    """The lines that stay, without colours and movements."""
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).split("\n")
    return [line.rstrip("\r").rpartition("\r")[2] for line in lines]


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("words", [RUN, SWEEP, ("experiment=posts/xor", "tracking=none", "plots=false")], ids="-".join)
def test_a_pipe_of_any_encoding_gets_every_line_and_no_control_codes(
    encoding: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    done = piped(tmp_path, *words, PYTHONIOENCODING=encoding)
    assert done.returncode == (0 if words == RUN else 1), done.stderr
    assert done.stderr == b""
    text = done.stdout.decode(encoding)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text), "no control codes but the ends of lines"
    # The signs of the curve are chosen from what there is; the Δ of the diagnosis has no other.
    assert "?" not in text.replace("|?W|", "")
    whole = piped(tmp_path, *words, PYTHONIOENCODING="utf-8").stdout.decode()
    if words == RUN:
        assert len(text.splitlines()) == len(whole.splitlines())
        assert ("█" in text) == (encoding == "utf-8")
        assert ("#" in text) == (encoding != "utf-8")


def test_names_that_a_pipe_cannot_show_are_question_marks_in_every_command(tmp_path: Path) -> None:
    (tmp_path / "非.csv").write_text("a,b,label\n" + "1,2,猫\n3,4,q\n" * 9, encoding="utf-8")
    data = ("dataset=csv", "dataset.path=非.csv", "dataset.target=label")
    more = {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "1"}
    done = piped(tmp_path, *data, "training.iterations=5", "tracking=none", "hydra.run.dir=run", **more)
    assert done.returncode == 0, done.stderr.decode()
    assert b"classes: q (9 rows, 50%), ? (9 rows, 50%)" in done.stdout
    for module, words in (
        ("runner.check", data),
        ("runner.replay", ("run",)),
        ("runner.plots", ("run",)),
        ("runner.predict", ("run", "--data", "非.csv")),
        ("runner.sync", ("run", "--store", "sqlite:///store.db")),
    ):
        done = piped(tmp_path, *words, module=module, **more)
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        assert done.returncode == 0, (module, done.stdout, done.stderr)
        assert done.stdout


def test_a_terminal_without_colours_gets_none(tmp_path: Path) -> None:
    for words in (RUN, SWEEP):
        text = shown(tmp_path, *words, NO_COLOR="1")
        styles = [int(n) for found in re.findall(r"\x1b\[([0-9;]*)m", text) for n in found.split(";") if n]
        assert set(styles) <= {0, 1, 2}, "plain, bold and dim"


def test_eighty_columns_hold_the_tables(tmp_path: Path) -> None:
    lines = plain(shown(tmp_path, *SWEEP))
    begin = max(number for number, line in enumerate(lines) if line.startswith("run ") or "run  " in line)
    table = lines[begin : next(n for n, line in enumerate(lines) if line.startswith("diagnosis:"))]
    assert len(table) >= 8
    assert all(len(line) <= 80 for line in table), "\n".join(table)
    for value in ("xavier_normal", "1e+307", "finished", "diverged", "0.75", "missed", "Z of layer 2 at step 1"):
        assert any(value in line for line in table), value


def test_a_file_gets_lines_without_the_movements_of_a_terminal(tmp_path: Path) -> None:
    with (tmp_path / "said").open("wb") as file:
        command = [sys.executable, "-m", "runner", *RUN]
        subprocess.run(command, cwd=tmp_path, env=environment(FORCE_COLOR=""), stdout=file, stderr=file, check=True)
    text = (tmp_path / "said").read_text()
    assert "\x1b" not in text
    assert "\r" not in text
    assert "finished after 200 iterations" in text


def test_signs_are_as_many_in_few_letters() -> None:
    assert len(terminal.BARS) == len(terminal.PLAIN_BARS) == 8
    assert terminal.PLAIN_BARS.isascii()
