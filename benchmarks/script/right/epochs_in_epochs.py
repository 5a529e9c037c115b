import numpy as np

rs = np.random.RandomState(6)
X = rs.randn(100, 2)
y = (np.abs(X[:, 0]) + np.abs(X[:, 1]) > 1.2).astype(float)[:, None]


class Net:
    def __init__(self, hidden, seed):
        r = np.random.RandomState(seed)
        self.p = {"w1": r.randn(2, hidden) * 0.8, "b1": np.zeros(hidden), "w2": r.randn(hidden, 1) * 0.5, "b2": np.zeros(1)}

    def forward(self, X):
        self.h = np.maximum(X @ self.p["w1"] + self.p["b1"], 0)
        self.o = 1 / (1 + np.exp(-(self.h @ self.p["w2"] + self.p["b2"])))
        return self.o

    def gradients(self, X, y):
        g = {}
        d = (self.o - y) / len(y)
        g["w2"] = self.h.T @ d
        g["b2"] = d.sum(0)
        dh = (d @ self.p["w2"].T) * (self.h > 0)
        g["w1"] = X.T @ dh
        g["b1"] = dh.sum(0)
        return g


for rate in [0.5, 1.0]:
    net = Net(16, 0)
    for epoch in range(20):
        for step in range(25):
            o = net.forward(X)
            loss = -np.mean(y * np.log(o) + (1 - y) * np.log(1 - o))
            grads = net.gradients(X, y)
            for name in net.p:
                net.p[name] -= rate * grads[name]
        print(rate, epoch, loss)
