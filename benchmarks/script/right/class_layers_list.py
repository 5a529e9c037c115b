import numpy as np

np.random.seed(7)


class Dense:
    def __init__(self, n_in, n_out):
        self.weights = np.random.randn(n_in, n_out) / np.sqrt(n_in)
        self.bias = np.zeros(n_out)

    def forward(self, x):
        self.x = x
        return x @ self.weights + self.bias

    def backward(self, grad, lr):
        grad_in = grad @ self.weights.T
        dw = self.x.T @ grad
        db = grad.sum(axis=0)
        self.weights = self.weights - lr * dw
        self.bias = self.bias - lr * db
        return grad_in


class Tanh:
    def forward(self, x):
        self.out = np.tanh(x)
        return self.out

    def backward(self, grad, lr):
        return grad * (1 - self.out**2)


def mse(pred, target):
    return np.mean((pred - target) ** 2)


def mse_grad(pred, target):
    return 2 * (pred - target) / target.size


layers = [Dense(1, 16), Tanh(), Dense(16, 16), Tanh(), Dense(16, 1)]
x_train = np.linspace(-3, 3, 80).reshape(-1, 1)
y_train = np.sin(x_train)

for epoch in range(1500):
    out = x_train
    for layer in layers:
        out = layer.forward(out)
    loss = mse(out, y_train)
    grad = mse_grad(out, y_train)
    for layer in reversed(layers):
        grad = layer.backward(grad, 0.1)
    if (epoch + 1) % 500 == 0:
        print("epoch %d loss %.5f" % (epoch + 1, loss))
