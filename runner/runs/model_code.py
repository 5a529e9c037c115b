"""A trained network in one file that needs NumPy and SciPy and nothing of the runner.

MLflow keeps a copy of this file beside the weights, and runs the copy wherever the model is loaded (models from code:
no pickle). The runner itself predicts by it too: there is one forward pass for all who have only the weights.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.special import erf, expit

Array = np.ndarray[Any, Any]


def leaky_relu(Z: Array) -> Array:
    return np.maximum(Z, Z * 0.01)


def elu(Z: Array) -> Array:
    return np.maximum(Z, np.expm1(np.minimum(Z, 0)))


def gelu(Z: Array) -> Array:
    return Z * ((erf(Z * (1 / np.sqrt(2.0).item())) + 1) * 0.5)


def softmax(Z: Array) -> Array:
    E = np.exp(Z - Z.max(axis=-1, keepdims=True))
    return np.divide(E, E.sum(axis=-1, keepdims=True))


# Those of runner.nn.activations and runner.nn.losses, without their derivatives: the same bits, which a test holds.
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "identity": np.positive,
    "sigmoid": expit,
    "tanh": np.tanh,
    "relu": lambda Z: np.maximum(Z, 0),
    "leaky_relu": leaky_relu,
    "elu": elu,
    "gelu": gelu,
    "softplus": lambda Z: np.logaddexp(0, Z),
}
OUTPUTS: dict[str, Callable[[Array], Array]] = {
    "sigmoid": expit,
    "softmax": softmax,
    "tanh": np.tanh,
    "identity": np.positive,
}


class Network(NamedTuple):
    """A trained network: `layers` (W, b), W (fan_in, fan_out), b (fan_out,); names of its functions; what it answers.

    `classes` are the labels as the data names them (None for a regression), `labels` what a single output was trained
    towards for each; `scaling` is (shift, scale), (d,) each, that inputs go through first.
    """

    layers: Sequence[tuple[Array, Array]]
    activation: str
    output: str
    classes: Sequence[Any] | None
    labels: Sequence[float]
    scaling: tuple[Array, Array] | None = None

    def outputs(self, X: Any) -> Array:
        """What the network answers to the rows of `X` (n, d), in the units of the data: A (n, outputs).

            Z_l = [A_{l-1} 1] [W_l; b_l],   A_l = f(Z_l)

        The arrays lie in memory as in training, so that the sums are made in the same order: the same bits.
        """
        rows = np.asarray(X, dtype=np.float64)
        width = len(self.layers[0][0])
        if rows.ndim != 2 or rows.shape[1] != width:
            raise ValueError(f"X must be (n, {width}). Got {rows.shape}.")
        if self.scaling is not None:
            rows = (rows - self.scaling[0]) / self.scaling[1]
        A = rows.astype(self.layers[0][0].dtype)
        with np.errstate(all="ignore"):
            for number, (W, b) in enumerate(self.layers, 1):
                A1 = np.asarray(np.concatenate([A, np.ones_like(A[:, :1])], axis=1), order="F")  # (n, fan_in + 1)
                Z = np.ones((W.shape[1], len(A)), dtype=A.dtype).T
                np.matmul(A1, np.concatenate([W, b[None]]), Z)  # (n, fan_out)
                A = (ACTIVATIONS[self.activation] if number < len(self.layers) else OUTPUTS[self.output])(Z)
        return A

    def answers(self, A: Array) -> Array:
        """What outputs `A` (n, outputs) mean: the class of each row as the data names it, or the number; (n,)."""
        if self.classes is None:
            return A[:, 0]
        if A.shape[1] > 1:
            return np.asarray(self.classes)[A.argmax(axis=1)]
        labels = np.asarray(self.labels, dtype=float)
        return np.asarray(self.classes)[np.searchsorted((labels[1:] + labels[:-1]) / 2, A[:, 0])]

    def predict(self, X: Any) -> Array:
        """The answers (n,) to the rows of `X` (n, d)."""
        return self.answers(self.outputs(X))


def arrays_of(path: Path) -> tuple[tuple[tuple[Array, Array], ...], tuple[Array, Array] | None]:
    """The layers of a weights.npz, and the scaling if there is one. Nothing is unpickled."""
    with np.load(path, allow_pickle=False) as arrays:
        depth = sum(name.startswith("W") for name in arrays)
        layers = tuple((arrays[f"W{layer}"], arrays[f"b{layer}"]) for layer in range(1, depth + 1))
        return layers, (arrays["shift"], arrays["scale"]) if "shift" in arrays else None


def read(weights: Path, about: Path) -> Network:
    """The network of a weights.npz and of a JSON file that says what it computes."""
    said = json.loads(about.read_text(encoding="utf-8"))
    layers, scaling = arrays_of(weights)
    return Network(layers, said["activation"], said["output"], said["classes"], said["labels"], scaling)


def _serve() -> None:
    """Give MLflow what it loads: `predict` answers with labels or numbers, with params={"outputs": True} with A."""
    from mlflow.models import set_model
    from mlflow.pyfunc import PythonModel

    class Model(PythonModel):
        def load_context(self, context: Any) -> None:
            self.network = read(Path(context.artifacts["weights"]), Path(context.artifacts["network"]))

        # MLflow warns where there is no hint, and makes a schema of most: not of this one.
        def predict(self, context: Any, model_input: np.ndarray, params: dict[str, Any] | None = None) -> Array:
            A = self.network.outputs(model_input)
            return A if (params or {}).get("outputs") else self.network.answers(A)

    set_model(Model())


if not __name__.startswith("runner."):  # MLflow runs its copy under a name of its own
    _serve()
