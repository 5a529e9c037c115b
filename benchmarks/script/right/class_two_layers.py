import numpy as np


class NeuralNetwork:
    def __init__(self, n_inputs, n_hidden, n_outputs, lr=0.5):
        rs = np.random.RandomState(2)
        self.W1 = rs.normal(0, 0.6, (n_inputs, n_hidden))
        self.b1 = np.zeros((1, n_hidden))
        self.W2 = rs.normal(0, 0.6, (n_hidden, n_outputs))
        self.b2 = np.zeros((1, n_outputs))
        self.lr = lr

    def sigmoid(self, z):
        return 1.0 / (1.0 + np.exp(-z))

    def forward(self, X):
        self.z1 = X @ self.W1 + self.b1
        self.a1 = np.tanh(self.z1)
        self.z2 = self.a1 @ self.W2 + self.b2
        self.a2 = self.sigmoid(self.z2)
        return self.a2

    def loss(self, y):
        return np.mean((self.a2 - y) ** 2)

    def backward(self, X, y):
        n = y.size
        delta2 = 2 * (self.a2 - y) / n * self.a2 * (1 - self.a2)
        self.dW2 = self.a1.T @ delta2
        self.db2 = delta2.sum(axis=0, keepdims=True)
        delta1 = (delta2 @ self.W2.T) * (1 - np.tanh(self.z1) ** 2)
        self.dW1 = X.T @ delta1
        self.db1 = delta1.sum(axis=0, keepdims=True)

    def step(self):
        self.W1 -= self.lr * self.dW1
        self.b1 -= self.lr * self.db1
        self.W2 -= self.lr * self.dW2
        self.b2 -= self.lr * self.db2

    def fit(self, X, y, epochs):
        history = []
        for epoch in range(epochs):
            self.forward(X)
            history.append(self.loss(y))
            self.backward(X, y)
            self.step()
        return history


rs = np.random.RandomState(0)
X = rs.uniform(-1, 1, (120, 2))
y = (X[:, :1] ** 2 + X[:, 1:] ** 2 < 0.5).astype(float)
net = NeuralNetwork(2, 10, 1, lr=2.0)
history = net.fit(X, y, 2000)
print(history[0], history[-1])
