import numpy as np

np.random.seed(11)
data = np.random.randn(60, 3)
target = (data.sum(axis=1) > 0).astype(float)

w = np.random.randn(3) * 0.1
b = 0.0
eta = 0.1


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


for epoch in range(40):
    total = 0
    for i in range(len(data)):
        x = data[i]
        t = target[i]
        z = np.dot(w, x) + b
        p = sigmoid(z)
        total += -(t * np.log(p) + (1 - t) * np.log(1 - p))
        d = p - t
        w = w - eta * d * x
        b = b - eta * d
    print("epoch", epoch, "loss", total / len(data))
