import numpy as np

rng = np.random.RandomState(4)
X = rng.randn(2, 100)
T = np.sign(X[0:1] * X[1:2])
V = rng.randn(12, 2) * 0.8
c = np.zeros((12, 1))
U = rng.randn(1, 12) * 0.3
d = np.zeros((1, 1))
error = 1.0
iteration = 0

while error > 0.02:
    H = np.tanh(np.dot(V, X) + c)
    O = np.tanh(np.dot(U, H) + d)
    E = O - T
    error = 0.5 * np.mean(E**2)
    if iteration % 500 == 0:
        print(iteration, error)
    if iteration > 5000:
        break
    gO = E / E.size * (1 - O**2)
    gU = np.dot(gO, H.T)
    gd = np.sum(gO, axis=1, keepdims=True)
    gH = np.dot(U.T, gO) * (1 - H**2)
    gV = np.dot(gH, X.T)
    gc = np.sum(gH, axis=1, keepdims=True)
    U = U - 0.8 * gU
    d = d - 0.8 * gd
    V = V - 0.8 * gV
    c = c - 0.8 * gc
    iteration += 1
