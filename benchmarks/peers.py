"""Everyone who trains: each makes, for a problem, a function that trains from the initial weights and gives the final
layers. What is prepared once (a compilation) is outside of what is timed.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.problems import Layers, Problem
from runner.nn.types import layers_of
from runner.training.train import End, train

NEVER = 10**9
Training = Callable[[int], Layers]


def ours(problem: Problem) -> Training:
    """runner.training.train: rows only at the start and the end."""

    def run(iterations: int) -> Layers:
        recipe = problem.with_plan(iterations=iterations, log_every=NEVER)
        [end] = [event for event in train([recipe]) if isinstance(event, End)]
        return [(layer.W[0], layer.b[0, 0]) for layer in layers_of(end.theta[None], recipe.widths)]

    return run


def ours_compiled(problem: Problem) -> Training:
    """The same with training.engine=compiled."""
    return ours(replace(problem, recipe=replace(problem.recipe, engine="compiled")))


def ours_unshrunk(problem: Problem) -> Training:
    """The same with training.shrink=false."""
    return ours(Problem(problem.name, problem.with_plan(shrink=False), problem.activation, problem.lr, 0))


def plain_numpy(problem: Problem) -> Training:
    """As the posts and the course write it: parameters in a dictionary, a column a row, the cost at every iteration."""
    X, Y, depth = problem.X.T.copy(), problem.Y.T.copy(), len(problem.layers)
    n = X.shape[1]

    def activate(Z: np.ndarray) -> np.ndarray:
        if problem.activation == "sigmoid":
            return 1 / (1 + np.exp(-Z))
        return np.tanh(Z) if problem.activation == "tanh" else np.maximum(0, Z)

    def slope(A: np.ndarray) -> np.ndarray:
        if problem.activation == "sigmoid":
            return A * (1 - A)
        return 1 - np.power(A, 2) if problem.activation == "tanh" else (A > 0).astype(A.dtype)

    def forward_propagation(X: np.ndarray, parameters: dict[str, Any]) -> dict[str, Any]:
        cache = {"A0": X}
        for layer in range(1, depth + 1):
            l, before = str(layer), str(layer - 1)  # noqa: E741
            cache["Z" + l] = np.dot(parameters["W" + l], cache["A" + before]) + parameters["b" + l]
            cache["A" + l] = activate(cache["Z" + l]) if layer < depth else 1 / (1 + np.exp(-cache["Z" + l]))
        return cache

    def compute_cost(A: np.ndarray, Y: np.ndarray) -> np.ndarray:
        return np.squeeze(-np.sum(np.multiply(Y, np.log(A)) + np.multiply(1 - Y, np.log(1 - A))) / n)

    def backward_propagation(parameters: dict[str, Any], cache: dict[str, Any]) -> dict[str, Any]:
        grads = {}
        dZ = cache["A" + str(depth)] - Y
        for layer in range(depth, 0, -1):
            l, before = str(layer), str(layer - 1)  # noqa: E741
            grads["dW" + l] = np.dot(dZ, cache["A" + before].T) / n
            grads["db" + l] = np.sum(dZ, axis=1, keepdims=True) / n
            if layer > 1:
                dZ = np.multiply(np.dot(parameters["W" + l].T, dZ), slope(cache["A" + before]))
        return grads

    def update_parameters(parameters: dict[str, Any], grads: dict[str, Any]) -> dict[str, Any]:
        for layer in range(1, depth + 1):
            l = str(layer)  # noqa: E741
            parameters["W" + l] = parameters["W" + l] - problem.lr * grads["dW" + l]
            parameters["b" + l] = parameters["b" + l] - problem.lr * grads["db" + l]
        return parameters

    def run(iterations: int) -> Layers:
        parameters = {}
        for layer, (W, b) in enumerate(problem.layers, 1):
            parameters["W" + str(layer)], parameters["b" + str(layer)] = W.T.copy(), b[:, None].copy()
        for _ in range(iterations):
            cache = forward_propagation(X, parameters)
            compute_cost(cache["A" + str(depth)], Y)
            grads = backward_propagation(parameters, cache)
            parameters = update_parameters(parameters, grads)
        return [(parameters[f"W{layer}"].T, parameters[f"b{layer}"][:, 0]) for layer in range(1, depth + 1)]

    return run


def _torch(problem: Problem, dtype: str, compiled: bool = False) -> Training:
    import torch

    torch.set_num_threads(1)
    kind = getattr(torch, dtype)
    X, Y = torch.tensor(problem.X, dtype=kind), torch.tensor(problem.Y, dtype=kind)
    hidden = {"sigmoid": torch.nn.Sigmoid, "tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[problem.activation]
    loss = torch.nn.BCEWithLogitsLoss()

    def run(iterations: int) -> Layers:
        parts: list[torch.nn.Module] = []
        for W, b in problem.layers:
            linear = torch.nn.Linear(*W.shape, dtype=kind)
            with torch.no_grad():
                linear.weight.copy_(torch.tensor(W.T.copy(), dtype=kind))
                linear.bias.copy_(torch.tensor(b, dtype=kind))
            parts += [linear, hidden()]
        model = torch.nn.Sequential(*parts[:-1])
        network = torch.compile(model) if compiled else model
        optimizer = torch.optim.SGD(model.parameters(), lr=problem.lr)
        for _ in range(iterations):
            optimizer.zero_grad()
            loss(network(X), Y).backward()
            optimizer.step()
        linears = [part for part in parts if isinstance(part, torch.nn.Linear)]
        return [(part.weight.detach().numpy().T.astype(float), part.bias.detach().numpy()) for part in linears]

    return run


def torch_float64(problem: Problem) -> Training:
    """PyTorch eager, float64: nn.Sequential, BCEWithLogitsLoss, SGD."""
    return _torch(problem, "float64")


def torch_float32(problem: Problem) -> Training:
    """PyTorch eager, float32."""
    return _torch(problem, "float32")


def torch_compiled(problem: Problem) -> Training:
    """PyTorch, the model through torch.compile, float64."""
    return _torch(problem, "float64", compiled=True)


def jax_loop(activation: str) -> Any:
    """(layers, X, Y, lr, iterations) -> layers: the whole loop in one jitted function, float64."""
    import jax

    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy
    hidden = {"sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh, "relu": jax.nn.relu}[activation]

    def cost(layers: Any, X: Any, Y: Any) -> Any:
        A = X
        for W, b in layers[:-1]:
            A = hidden(A @ W + b)
        W, b = layers[-1]
        Z = A @ W + b
        return (jnp.logaddexp(0, Z) - Y * Z).mean()

    def run(layers: Any, X: Any, Y: Any, lr: Any, iterations: Any) -> Any:
        def step(_: Any, layers: Any) -> Any:
            return jax.tree.map(lambda part, g: part - lr * g, layers, jax.grad(cost)(layers, X, Y))

        return jax.lax.fori_loop(0, iterations, step, layers)

    return run


def jax_jit(problem: Problem) -> Training:
    """JAX: the loop itself jitted (lax.fori_loop), float64."""
    import jax

    loop = jax.jit(jax_loop(problem.activation))
    layers = [(jax.numpy.array(W), jax.numpy.array(b)) for W, b in problem.layers]
    X, Y = jax.numpy.array(problem.X), jax.numpy.array(problem.Y)

    def run(iterations: int) -> Layers:
        found = jax.block_until_ready(loop(layers, X, Y, problem.lr, iterations))
        return [(np.asarray(W), np.asarray(b)) for W, b in found]

    return run


def scikit_learn(problem: Problem) -> Training:
    """MLPClassifier as plain gradient descent: sgd without momentum, the full batch, no penalty, no early stop."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    class Given(MLPClassifier):
        """Starts from the problem's weights."""

        given: Iterator[Any] = iter(())

        def _init_coef(self, *arguments: Any) -> Any:
            return next(Given.given)

    name = {"sigmoid": "logistic"}.get(problem.activation, problem.activation)
    y = problem.Y[:, 0].astype(int)

    def run(iterations: int) -> Layers:
        Given.given = iter(problem.layers)
        model = Given(
            hidden_layer_sizes=problem.recipe.widths[1:-1],
            activation=name,
            solver="sgd",
            learning_rate_init=problem.lr,
            momentum=0.0,
            alpha=0.0,
            batch_size=len(y),
            max_iter=iterations,
            tol=0.0,
            n_iter_no_change=NEVER,
            shuffle=False,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(problem.X, y)
        return list(zip(model.coefs_, model.intercepts_, strict=True))

    return run


PEERS: dict[str, Callable[[Problem], Training]] = {
    "runner": ours,
    "runner, compiled": ours_compiled,
    "runner, shrink=false": ours_unshrunk,
    "plain NumPy": plain_numpy,
    "PyTorch eager float64": torch_float64,
    "PyTorch eager float32": torch_float32,
    "PyTorch compiled float64": torch_compiled,
    "JAX jitted loop": jax_jit,
    "scikit-learn": scikit_learn,
}
