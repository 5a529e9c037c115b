import numpy as np

rng = np.random.default_rng(1)


def make_data(n=90):
    centers = np.array([[0, 2], [2, -1], [-2, -1]])
    X = np.concatenate([c + 0.7 * rng.normal(size=(n // 3, 2)) for c in centers])
    y = np.repeat(np.arange(3), n // 3)
    return X, y


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def loss_and_grads(X, y, W1, b1, W2, b2, reg):
    n = X.shape[0]
    h = np.maximum(0, X.dot(W1) + b1)
    probs = softmax(h.dot(W2) + b2)
    data_loss = -np.log(probs[range(n), y]).sum() / n
    loss = data_loss + 0.5 * reg * np.sum(W1 * W1) + 0.5 * reg * np.sum(W2 * W2)
    dscores = probs.copy()
    dscores[range(n), y] -= 1
    dscores /= n
    dW2 = np.dot(h.T, dscores) + reg * W2
    db2 = np.sum(dscores, axis=0)
    dh = np.dot(dscores, W2.T)
    dh[h <= 0] = 0
    dW1 = np.dot(X.T, dh) + reg * W1
    db1 = np.sum(dh, axis=0)
    return loss, dW1, db1, dW2, db2


def train(X, y, hidden=12, step_size=0.5, reg=1e-3, epochs=400):
    W1 = 0.3 * rng.normal(size=(X.shape[1], hidden))
    b1 = np.zeros(hidden)
    W2 = 0.3 * rng.normal(size=(hidden, 3))
    b2 = np.zeros(3)
    for epoch in range(epochs):
        loss, dW1, db1, dW2, db2 = loss_and_grads(X, y, W1, b1, W2, b2, reg)
        if epoch % 50 == 0:
            print(f"epoch {epoch}: loss {loss:.4f}")
        W1 += -step_size * dW1
        b1 += -step_size * db1
        W2 += -step_size * dW2
        b2 += -step_size * db2
    return W1, b1, W2, b2


X, y = make_data()
W1, b1, W2, b2 = train(X, y)
predicted = np.argmax(np.maximum(0, X.dot(W1) + b1).dot(W2) + b2, axis=1)
print("accuracy:", np.mean(predicted == y))
