"""Which files a network of the user's own is made of."""

import sys
from pathlib import Path

import pytest

from runner.nn import optimizers
from runner.nn.architectures import Own
from runner.training.own.source import executed, sources

ROOT = Path(__file__).resolve().parents[3]


def test_a_network_that_imports_us_leaves_our_modules_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a checkout of ours: executed again, our classes would be others than those that everybody else has."""
    file = ROOT / "network_that_imports_us.py"
    monkeypatch.chdir(ROOT)
    try:
        file.write_text(
            "from datasets import xor\nfrom runner.nn import optimizers\nStateless = optimizers.Stateless\n"
        )
        own = Own(network="network_that_imports_us:Stateless")
        assert sources(own) == [file]
        assert executed(own).Stateless is optimizers.Stateless
        assert sys.modules["runner.nn.optimizers"] is optimizers
    finally:
        file.unlink()
        sys.modules.pop("network_that_imports_us", None)
