"""A trained network in one file that needs NumPy and SciPy and nothing of the runner.

MLflow keeps a copy of this file beside the weights, and runs the copy wherever the model is loaded (models from code:
no pickle). The runner itself predicts by it too: there is one forward pass for all who have only the weights.
"""

import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
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
    towards for each; `scaling` is (shift, scale), (d,) each, that inputs go through first. `encoding` says what the
    columns of a table are, `target_scaling` how a regression's targets were scaled, `targets` their names if several.
    """

    layers: Sequence[tuple[Array, Array]]
    activation: str
    output: str
    classes: Sequence[Any] | None
    labels: Sequence[float]
    scaling: tuple[Array, Array] | None = None
    encoding: Any = None
    target_scaling: Mapping[str, Any] | None = None
    targets: Sequence[str] = ()

    def outputs(self, X: Any) -> Array:
        """What the network answers to the rows `X`, a table or an array (n, columns), in the units of the data."""
        return self.outputs_of(rows_of(X, self.encoding, len(self.layers[0][0])))

    def outputs_of(self, X: Any) -> Array:
        """What the network answers to the rows of `X` (n, d), encoded and in the units of the data: A (n, outputs).

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
            return A if self.target_scaling is None else _in_units(A, self.target_scaling)

    def answers(self, A: Array) -> Array:
        """What outputs `A` (n, outputs) mean: the class of each row as the data names it, or the number; (n,).

        Of several targets it is all of them, (n, outputs).
        """
        if self.classes is None:
            several = (A > 0.5).astype(np.float64) if self.output == "sigmoid" else A  # labels of 0 and 1, or numbers
            return several if self.targets else A[:, 0]
        if A.shape[1] > 1:
            return np.asarray(self.classes)[A.argmax(axis=1)]
        labels = np.asarray(self.labels, dtype=float)
        return np.asarray(self.classes)[np.searchsorted((labels[1:] + labels[:-1]) / 2, A[:, 0])]

    def predict(self, X: Any) -> Array:
        """The answers (n,) to the rows `X`, a table or an array (n, columns)."""
        return self.answers(self.outputs(X))


def rows_of(X: Any, encoding: Any, width: int) -> Array:
    """The inputs (n, d) of a table, whose columns are found by name, or of an array (n, columns) in their order.

    Raises ValueError, naming row and column, where a cell is missing or cannot be used.
    """
    if encoding is None:
        return _finite(_plain(X), width)
    try:
        return np.asarray(encoding.encoded(table_of(X, [column.name for column in encoding.columns])))
    except KeyError as error:
        given = (
            [str(name) for name in X.columns] if hasattr(X, "columns") else list(X) if isinstance(X, Mapping) else []
        )
        known = {column.name for column in encoding.columns}
        extra = [name for name in given if name not in known]
        raise ValueError(f"Model is missing inputs [{error.args[0]}]. Not among its inputs: {extra}.") from None


def table_of(X: Any, columns: Sequence[str]) -> dict[str, Any]:
    """The columns of a DataFrame, of columns by name, of records, or of an array (n, columns), by their names."""
    if hasattr(X, "columns") or isinstance(X, Mapping):
        names = {str(name).strip(): name for name in (X.columns if hasattr(X, "columns") else X)}
        return {name: _cells(X[names[name]]) for name in columns if name in names}
    if isinstance(X, list) and X and isinstance(X[0], Mapping):
        return {name: [row.get(name) for row in X] for name in columns if any(name in row for row in X)}
    array = np.asarray(X)
    if array.ndim != 2 or array.shape[1] != len(columns):
        raise ValueError(f"X must be (n, {len(columns)}): {', '.join(columns[:12])}. Got {array.shape}.")
    return dict(zip(columns, array.T, strict=True))


def _in_units(Z: Array, scaling: Mapping[str, Any]) -> Array:
    """A = g⁻¹(shift + scale Z), g = log or nothing, as runner.nn.heads has it."""
    A = np.add(np.multiply(Z, np.asarray(scaling["scale"], dtype=Z.dtype)), np.asarray(scaling["shift"], dtype=Z.dtype))
    return np.exp(A) if scaling["log"] else A


def _cells(column: Any) -> Any:
    """A column as an array of numbers, or as the values that it holds."""
    array = np.asarray(column)
    return array if array.dtype.kind in "fiuM" else array.tolist()


def _plain(X: Any) -> Array:
    try:
        return np.asarray(X, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"X must be numbers. Got {np.asarray(X).dtype}.") from None


def _finite(X: Array, width: int) -> Array:
    if X.ndim != 2 or X.shape[1] != width:
        raise ValueError(f"X must be (n, {width}). Got {X.shape}.")
    if not np.isfinite(X).all():
        row, column = np.argwhere(~np.isfinite(X))[0].tolist()
        raise ValueError(f"X must be finite numbers. Row {row}, column {column} (counted from 0) is {X[row, column]}.")
    return X


def arrays_of(path: Path) -> tuple[tuple[tuple[Array, Array], ...], tuple[Array, Array] | None]:
    """The layers of a weights.npz, and the scaling if there is one. Nothing is unpickled."""
    with np.load(path, allow_pickle=False) as arrays:
        depth = sum(name.startswith("W") for name in arrays)
        layers = tuple((arrays[f"W{layer}"], arrays[f"b{layer}"]) for layer in range(1, depth + 1))
        return layers, (arrays["shift"], arrays["scale"]) if "shift" in arrays else None


def read(weights: Path, about: Path, encoding: Path) -> Network:
    """The network of a weights.npz, and a JSON file that says what it computes; `encoding` is a copy of that module."""
    layers, scaling = arrays_of(weights)
    said = json.loads(about.read_text(encoding="utf-8"))
    return network_of(said, layers, scaling, _module(encoding).from_json if said.get("encoding") else None)


def network_of(said: Mapping[str, Any], layers: Any, scaling: Any, encoding_of: Callable[[Any], Any] | None) -> Network:
    """The network that a run's record describes, with these weights; `encoding_of` reads what it says of columns."""
    return Network(
        layers,
        said["activation"],
        said["output"],
        said["classes"],
        said["labels"],
        scaling,
        encoding_of(said["encoding"]) if encoding_of and said.get("encoding") else None,
        said.get("target_scaling"),
        said.get("targets", ()),
    )


def _module(path: Path) -> Any:
    """The module in a file, under a name of its own: models of several versions live side by side."""
    spec = importlib.util.spec_from_file_location(f"encoding_{abs(hash(str(path.absolute())))}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _serve() -> None:
    """Give MLflow what it loads: `predict` answers with labels or numbers, with params={"outputs": True} with A."""
    from mlflow.exceptions import MlflowException
    from mlflow.models import set_model
    from mlflow.pyfunc import PythonModel

    class Model(PythonModel):
        def load_context(self, context: Any) -> None:
            self.network = read(*(Path(context.artifacts[name]) for name in ("weights", "network", "encoding")))

        # MLflow warns where there is no hint, and makes a schema of most: not of this one.
        def predict(self, context: Any, model_input: np.ndarray, params: dict[str, Any] | None = None) -> Any:
            try:
                A = self.network.outputs(model_input)
            except ValueError as error:  # whoever serves the model returns 400 with these words
                raise MlflowException.invalid_parameter_value(str(error)) from error
            if (params or {}).get("outputs"):
                return A
            return self.network.answers(A)

    set_model(Model())


if not __name__.startswith("runner."):  # MLflow runs its copy under a name of its own
    _serve()
