import numpy as np


class Adam:
    def __init__(self, params, lr=0.02, betas=(0.9, 0.999), eps=1e-8):
        self.params = params
        self.lr, self.betas, self.eps = lr, betas, eps
        self.m = [np.zeros_like(p) for p in params]
        self.v = [np.zeros_like(p) for p in params]
        self.t = 0

    def step(self, grads):
        self.t += 1
        for i, (p, g) in enumerate(zip(self.params, grads)):
            self.m[i] = self.betas[0] * self.m[i] + (1 - self.betas[0]) * g
            self.v[i] = self.betas[1] * self.v[i] + (1 - self.betas[1]) * g * g
            mh = self.m[i] / (1 - self.betas[0] ** self.t)
            vh = self.v[i] / (1 - self.betas[1] ** self.t)
            p -= self.lr * mh / (np.sqrt(vh) + self.eps)


rs = np.random.RandomState(1)
X = rs.uniform(-2, 2, size=(100, 1))
Y = np.cos(2 * X)
W1, b1 = rs.randn(1, 20), rs.randn(20)
W2, b2 = rs.randn(20, 1) / 5, np.zeros(1)
optimizer = Adam([W1, b1, W2, b2])

for epoch in range(1000):
    Z1 = X @ W1 + b1
    A1 = np.maximum(Z1, 0)
    out = A1 @ W2 + b2
    loss = ((out - Y) ** 2).mean()
    dout = 2 * (out - Y) / out.size
    dW2 = A1.T @ dout
    db2 = dout.sum(0)
    dA1 = dout @ W2.T
    dZ1 = dA1 * (Z1 > 0)
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(0)
    optimizer.step([dW1, db1, dW2, db2])
    if epoch % 200 == 0:
        print(f"{epoch} {loss:.6f}")
