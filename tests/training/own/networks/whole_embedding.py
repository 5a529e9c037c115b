"""Words as whole numbers: they stay so with architecture.inputs=as_is."""

import numpy as np


class Net:
    def __init__(self, X, outputs):
        assert X.dtype.kind == "i"
        self.parameters = {"E": np.random.randn(9, 4), "W": np.random.randn(4, outputs)}

    def predict(self, X):
        self.m = self.parameters["E"][X].mean(axis=1)
        return 1 / (1 + np.exp(-(self.m @ self.parameters["W"])))

    def cost(self, X, Y):
        A = self.predict(X)
        return -np.mean(Y * np.log(A) + (1 - Y) * np.log(1 - A))

    def gradients(self, X, Y):
        dZ = (self.predict(X) - Y) / len(X)
        dE = np.zeros_like(self.parameters["E"])
        np.add.at(dE, X, (dZ @ self.parameters["W"].T)[:, None, :] / X.shape[1])
        return {"E": dE, "W": self.m.T @ dZ}
