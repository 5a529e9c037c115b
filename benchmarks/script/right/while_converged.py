import numpy as np

np.random.seed(8)
X = np.c_[np.ones(80), np.random.randn(80, 2)]
y = (X @ np.array([0.3, 1.5, -2.0]) > 0).astype(float)
w = np.zeros(3)
rate = 0.3
previous = np.inf
difference = np.inf
steps = 0

while difference > 1e-5 and steps < 4000:
    p = 1 / (1 + np.exp(-X @ w))
    J = -(y @ np.log(p) + (1 - y) @ np.log(1 - p)) / len(y)
    gradient = X.T @ (p - y) / len(y)
    w = w - rate * gradient
    difference = abs(previous - J)
    previous = J
    steps += 1

print(steps, J, w)
