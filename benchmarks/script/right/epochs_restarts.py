import numpy as np

np.random.seed(12)
x = np.linspace(-2, 2, 60)[:, None]
t = x**2 / 2


def run(n_hidden, epochs, inner):
    w = np.random.randn(1, n_hidden)
    b = np.random.randn(n_hidden)
    v = np.random.randn(n_hidden, 1) / n_hidden
    a = np.zeros(1)
    curve = []
    for epoch in range(epochs):
        for k in range(inner):
            hidden = 1 / (1 + np.exp(-(x @ w + b)))
            out = hidden @ v + a
            residual = out - t
            mse = (residual**2).mean()
            g_out = 2 * residual / len(x)
            g_v = hidden.T @ g_out
            g_a = g_out.sum(axis=0)
            g_hidden = (g_out @ v.T) * hidden * (1 - hidden)
            g_w = x.T @ g_hidden
            g_b = g_hidden.sum(axis=0)
            w -= 0.3 * g_w
            b -= 0.3 * g_b
            v -= 0.3 * g_v
            a -= 0.3 * g_a
        curve.append(mse)
    return curve


for trial in range(2):
    print(run(8, 30, 20)[-1])
