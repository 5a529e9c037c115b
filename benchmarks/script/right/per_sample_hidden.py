import numpy as np


class Perceptron:
    def __init__(self):
        rs = np.random.RandomState(1)
        self.wh = rs.uniform(-1, 1, (4, 2))
        self.bh = rs.uniform(-1, 1, 4)
        self.wo = rs.uniform(-1, 1, 4)
        self.bo = rs.uniform(-1, 1, 1)

    def predict(self, x):
        self.h = 1 / (1 + np.exp(-(self.wh @ x + self.bh)))
        self.o = 1 / (1 + np.exp(-(self.wo @ self.h + self.bo)))
        return self.o

    def train(self, X, Y, lr, epochs):
        errors = []
        for _ in range(epochs):
            sse = 0.0
            for x, y in zip(X, Y):
                o = self.predict(x)
                err = y - o
                sse += 0.5 * np.sum(err**2)
                grad_o = err * o * (1 - o)
                grad_h = grad_o * self.wo * self.h * (1 - self.h)
                self.wo += lr * grad_o * self.h
                self.bo += lr * grad_o
                self.wh += lr * np.outer(grad_h, x)
                self.bh += lr * grad_h
            errors.append(sse)
        return errors


inputs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
labels = np.array([0, 1, 1, 0], dtype=float)
model = Perceptron()
errors = model.train(inputs, labels, lr=1.0, epochs=3000)
print(errors[::500])
