import numpy as np

rng = np.random.default_rng(3)
centers = rng.normal(size=(4, 10)) * 1.5
y = rng.integers(0, 4, 400)
X = centers[y] + rng.normal(size=(400, 10))
Y = np.eye(4)[y]

sizes = [10, 16, 4]
W = [rng.normal(size=(a, b)) * np.sqrt(1 / a) for a, b in zip(sizes[:-1], sizes[1:])]
B = [np.zeros(b) for b in sizes[1:]]
batch_size = 32
lr = 0.2


def forward(x):
    h = 1 / (1 + np.exp(-(x @ W[0] + B[0])))
    z = h @ W[1] + B[1]
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return h, e / e.sum(axis=1, keepdims=True)


for epoch in range(30):
    order = rng.permutation(len(X))
    losses = []
    for start in range(0, len(X), batch_size):
        batch = order[start : start + batch_size]
        xb, yb = X[batch], Y[batch]
        h, p = forward(xb)
        losses.append(-np.sum(yb * np.log(p)) / len(xb))
        dz = (p - yb) / len(xb)
        dh = dz @ W[1].T * h * (1 - h)
        W[1] -= lr * (h.T @ dz)
        B[1] -= lr * dz.sum(axis=0)
        W[0] -= lr * (xb.T @ dh)
        B[0] -= lr * dh.sum(axis=0)
    print("epoch", epoch, "loss", np.mean(losses))
