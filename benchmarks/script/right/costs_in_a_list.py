import numpy as np

np.random.seed(21)


def sigmoid(z):
    s = 1 / (1 + np.exp(-z))
    return s


def propagate(w, b, X, Y):
    m = X.shape[1]
    A = sigmoid(np.dot(w.T, X) + b)
    cost = -1 / m * np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A))
    dw = 1 / m * np.dot(X, (A - Y).T)
    db = 1 / m * np.sum(A - Y)
    return {"dw": dw, "db": db}, cost


def optimize(w, b, X, Y, num_iterations, learning_rate):
    costs = []
    for i in range(num_iterations):
        grads, cost = propagate(w, b, X, Y)
        w = w - learning_rate * grads["dw"]
        b = b - learning_rate * grads["db"]
        if i % 100 == 0:
            costs.append(cost)
    return w, b, costs


X_train = np.random.randn(6, 90)
Y_train = (X_train[0:1] + 2 * X_train[1:2] - X_train[3:4] > 0).astype(int)
w, b = np.zeros((6, 1)), 0.0
w, b, costs = optimize(w, b, X_train, Y_train, 800, 0.1)
print(costs)
print("train accuracy", np.mean((sigmoid(np.dot(w.T, X_train) + b) > 0.5) == Y_train))
