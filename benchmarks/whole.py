"""The same small job as a whole program, as one writes it in each library: `python -m benchmarks.whole PEER`."""

import sys

ITERATIONS = 10_000
SCRIPTS: dict[str, list[str]] = {
    "runner": ["-m", "runner", "experiment=cured/xor", f"training.iterations={ITERATIONS}", "tracking=none"],
    **{name: ["-m", "benchmarks.whole", name] for name in ("plain NumPy", "PyTorch", "JAX", "scikit-learn")},
}
X, Y, LR, SEED = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0], 2.0, 0


def plain_numpy() -> float:
    import numpy as np

    rng = np.random.RandomState(SEED)
    inputs, targets = np.array(X, dtype=float), np.array(Y, dtype=float)[:, None]
    W1, b1, W2, b2 = 0.5 * rng.randn(2, 4), np.zeros(4), 0.5 * rng.randn(4, 1), np.zeros(1)
    for _ in range(ITERATIONS):
        A1 = 1 / (1 + np.exp(-(inputs @ W1 + b1)))
        A2 = 1 / (1 + np.exp(-(A1 @ W2 + b2)))
        dZ2 = (A2 - targets) / 4
        dZ1 = dZ2 @ W2.T * A1 * (1 - A1)
        W2, b2 = W2 - LR * A1.T @ dZ2, b2 - LR * dZ2.sum(axis=0)
        W1, b1 = W1 - LR * inputs.T @ dZ1, b1 - LR * dZ1.sum(axis=0)
    return float(-(targets * np.log(A2) + (1 - targets) * np.log(1 - A2)).mean())


def pytorch() -> float:
    import torch

    torch.manual_seed(SEED)
    inputs, targets = torch.tensor(X, dtype=torch.float64), torch.tensor(Y, dtype=torch.float64)[:, None]
    model = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Sigmoid(), torch.nn.Linear(4, 1)).double()
    loss, optimizer = torch.nn.BCEWithLogitsLoss(), torch.optim.SGD(model.parameters(), lr=LR)
    for _ in range(ITERATIONS):
        optimizer.zero_grad()
        cost = loss(model(inputs), targets)
        cost.backward()
        optimizer.step()
    return float(cost)


def jax_jit() -> float:
    import jax

    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy
    inputs, targets = jnp.array(X, dtype=float), jnp.array(Y, dtype=float)[:, None]
    one, two = jax.random.split(jax.random.key(SEED))
    layers = (0.5 * jax.random.normal(one, (2, 4)), jnp.zeros(4), 0.5 * jax.random.normal(two, (4, 1)), jnp.zeros(1))

    def cost(layers):  # type: ignore[no-untyped-def]
        W1, b1, W2, b2 = layers
        Z = jax.nn.sigmoid(inputs @ W1 + b1) @ W2 + b2
        return (jnp.logaddexp(0, Z) - targets * Z).mean()

    def step(_, layers):  # type: ignore[no-untyped-def]
        return jax.tree.map(lambda part, g: part - LR * g, layers, jax.grad(cost)(layers))

    return float(cost(jax.jit(lambda layers: jax.lax.fori_loop(0, ITERATIONS, step, layers))(layers)))


def scikit_learn() -> float:
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        (4,),
        activation="logistic",
        solver="sgd",
        learning_rate_init=LR,
        momentum=0.0,
        alpha=0.0,
        batch_size=4,
        max_iter=ITERATIONS,
        tol=0.0,
        n_iter_no_change=10**9,
        random_state=SEED,
    )
    return float(model.fit(X, Y).loss_)


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    run = {"plain NumPy": plain_numpy, "PyTorch": pytorch, "JAX": jax_jit, "scikit-learn": scikit_learn}[sys.argv[1]]
    print(f"cost {run():.6f}")
