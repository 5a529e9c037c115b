import numpy as np

np.random.seed(2)
m = 50
x = np.random.rand(m, 1) * 4
X = np.matrix(np.hstack([np.ones((m, 1)), x, x**2 / 4]))
y = np.matrix(1 + 2 * x - 0.5 * x**2 + 0.1 * np.random.randn(m, 1))
theta = np.matrix(np.zeros((3, 1)))


def compute_cost(X, y, theta):
    err = X * theta - y
    return np.sum(np.power(err, 2)) / (2 * len(X))


def gradient_descent(X, y, theta, alpha, iters):
    cost = np.zeros(iters)
    for i in range(iters):
        error = X * theta - y
        grad = X.T * error / len(X)
        theta = theta - alpha * grad
        cost[i] = compute_cost(X, y, theta)
    return theta, cost


theta, cost = gradient_descent(X, y, theta, 0.08, 3000)
print(theta.T, cost[-1])
