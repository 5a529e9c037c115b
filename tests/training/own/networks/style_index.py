"""Labels as whole numbers: the probability of the right class is picked out by them. Rows, softmax, L2."""

import numpy as np


class TwoLayerNet:
    def __init__(self, inputs, hidden, outputs, reg=1e-3):
        self.reg = reg
        self.W1, self.b1 = 0.5 * np.random.randn(inputs, hidden[0]), np.zeros((1, hidden[0]))
        self.W2, self.b2 = 0.5 * np.random.randn(hidden[0], outputs), np.zeros((1, outputs))
        self.parameters = {"W1": self.W1, "b1": self.b1, "W2": self.W2, "b2": self.b2}

    def scores(self, X):
        hidden = np.maximum(0, X @ self.W1 + self.b1)
        return hidden, hidden @ self.W2 + self.b2

    def probabilities(self, X):
        hidden, scores = self.scores(X)
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        return hidden, e / e.sum(axis=1, keepdims=True)

    def cost(self, X, y):
        probs = self.probabilities(X)[1]
        data_loss = -np.log(probs[range(len(X)), y]).sum() / len(X)
        return data_loss + 0.5 * self.reg * (np.sum(self.W1**2) + np.sum(self.W2**2))

    def gradients(self, X, y):
        hidden, dscores = self.probabilities(X)
        dscores[range(len(X)), y] -= 1
        dscores /= len(X)
        dhidden = dscores @ self.W2.T
        dhidden[hidden <= 0] = 0
        return {
            "W2": hidden.T @ dscores + self.reg * self.W2,
            "b2": dscores.sum(axis=0, keepdims=True),
            "W1": X.T @ dhidden + self.reg * self.W1,
            "b1": dhidden.sum(axis=0, keepdims=True),
        }

    def predict(self, X):
        return np.argmax(self.scores(X)[1], axis=1)
