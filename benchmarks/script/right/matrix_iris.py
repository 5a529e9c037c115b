import numpy as np

np.random.seed(5)
n = 100
features = np.random.randn(n, 4)
features[: n // 2] += 1.0
classes = np.zeros((n, 1))
classes[: n // 2] = 1

X = np.matrix(features)
Y = np.matrix(classes)
theta1 = np.matrix(np.random.randn(4, 5) * 0.5)
theta2 = np.matrix(np.random.randn(5, 1) * 0.5)
alpha = 0.5


def g(z):
    return 1 / (1 + np.exp(-z))


J_history = []
for it in range(800):
    a1 = g(X * theta1)
    a2 = g(a1 * theta2)
    J = -1.0 / n * (Y.T * np.log(a2) + (1 - Y).T * np.log(1 - a2))
    J_history.append(J[0, 0])
    delta2 = a2 - Y
    delta1 = np.multiply(delta2 * theta2.T, np.multiply(a1, 1 - a1))
    grad2 = a1.T * delta2 / n
    grad1 = X.T * delta1 / n
    theta1 = theta1 - alpha * grad1
    theta2 = theta2 - alpha * grad2

print("final cost:", J_history[-1])
