"""Where people are sent to see runs in MLflow."""

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest

from runner.tracking.links import links, ui_command, write_comparison
from runner.tracking.state import public, resolve

# mlflow and what it needs warn about each other; that is not ours to fail for
pytestmark = pytest.mark.filterwarnings("ignore")


def test_the_page_of_a_comparison_leads_to_the_runs_best_first(tmp_path):
    page = write_comparison(tmp_path, "http://box:80", "3", [f"r{number}" for number in range(300)])
    (address,) = re.findall(r'url=(.*)"', page.read_text())
    query = parse_qs(urlsplit(address.replace("/#/", "/")).query)
    assert address.startswith("http://box:80/#/compare-runs?")
    assert json.loads(query["runs"][0]) == [f"r{number}" for number in range(200)]
    assert json.loads(query["experiments"][0]) == ["3"]


def test_links_and_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    local, server = "sqlite:///mlflow.db", "http://me:secret@box:80/"
    learning = "workflowType=machine_learning"
    assert links(local, "3", "ab") == f"http://127.0.0.1:5000/#/experiments/3/runs/ab?{learning}"
    assert links(server, "3") == f"http://me@box:80/#/experiments/3?{learning}"
    assert links(local, "3", sweep="s1") == (
        "http://127.0.0.1:5000/#/experiments/3/runs?workflowType=machine_learning"
        "&compareRunsMode=CHART&searchFilter=tags.sweeps%20LIKE%20%27%25s1%25%27"
        "&orderByKey=metrics.%60best%2Ftrain%2Fcost%60&orderByAsc=true"
    )
    best = "&orderByKey=metrics.%60best%2Fval%2Faccuracy%60&orderByAsc=false"
    assert links(local, "3", None, "s1", "val/accuracy", "max").endswith(best)
    assert ui_command(local) == "mlflow ui --backend-store-uri sqlite:///mlflow.db"
    assert ui_command("sqlite:////data/m.db") == "mlflow ui --backend-store-uri sqlite:////data/m.db"
    assert ui_command(server) is None
    assert resolve(local) == f"sqlite:///{tmp_path}/mlflow.db"
    assert public("postgresql://me:secret@box/db") == "postgresql://me@box/db"
