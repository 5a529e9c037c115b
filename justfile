# The habits of this project: `just` lists them. Without just, each is one command to copy.

default:
    @just --list

# style and types, as tests/test_style.py holds them
check:
    uv run ruff check .
    uv run ruff format --check .
    uv run mypy

# everything that CI runs
test:
    uv run pytest -n 2

# minutes: without the tests that are marked slow
fast:
    uv run pytest -n 2 -m "not slow"

# the tables of benchmarks/RESULTS.md; benchmarks/requirements.txt says which environment they want
bench *parts:
    python -m benchmarks {{parts}}

# every command and link in README and docs
docs:
    uv run pytest tests/test_docs.py

# the site of docs/, at http://127.0.0.1:8000
site:
    uv run mkdocs serve
