import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(150, 5))
y = (np.sin(X[:, 0]) + X[:, 1] * X[:, 2] > 0).astype(float).reshape(-1, 1)

params = {
    "W1": rng.normal(size=(5, 12)) * 0.4,
    "b1": np.zeros((1, 12)),
    "W2": rng.normal(size=(12, 1)) * 0.3,
    "b2": np.zeros((1, 1)),
}
m = {k: np.zeros_like(v) for k, v in params.items()}
v = {k: np.zeros_like(p) for k, p in params.items()}
lr, beta1, beta2, eps = 0.01, 0.9, 0.999, 1e-8

for t in range(1, 801):
    A1 = np.tanh(X @ params["W1"] + params["b1"])
    A2 = 1 / (1 + np.exp(-(A1 @ params["W2"] + params["b2"])))
    loss = -np.mean(y * np.log(A2 + 1e-12) + (1 - y) * np.log(1 - A2 + 1e-12))
    dZ2 = (A2 - y) / len(X)
    dZ1 = dZ2 @ params["W2"].T * (1 - A1**2)
    grads = {
        "W2": A1.T @ dZ2,
        "b2": dZ2.sum(axis=0, keepdims=True),
        "W1": X.T @ dZ1,
        "b1": dZ1.sum(axis=0, keepdims=True),
    }
    for k in params:
        m[k] = beta1 * m[k] + (1 - beta1) * grads[k]
        v[k] = beta2 * v[k] + (1 - beta2) * grads[k] ** 2
        m_hat = m[k] / (1 - beta1**t)
        v_hat = v[k] / (1 - beta2**t)
        params[k] -= lr * m_hat / (np.sqrt(v_hat) + eps)
    if t % 100 == 0:
        print(t, loss)
