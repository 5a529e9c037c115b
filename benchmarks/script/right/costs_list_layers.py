import numpy as np

gen = np.random.RandomState(13)
layer_sizes = [3, 9, 7, 2]
weights = [gen.randn(n, m) / np.sqrt(m) for m, n in zip(layer_sizes[:-1], layer_sizes[1:])]
biases = [np.zeros((n, 1)) for n in layer_sizes[1:]]
X = gen.randn(3, 120)
labels = (X[0] * X[1] > X[2]).astype(int)
T = np.eye(2)[labels].T
all_costs = []
momentum = 0.8
velocity_w = [np.zeros_like(w) for w in weights]
velocity_b = [np.zeros_like(b) for b in biases]

for iteration in range(1000):
    activations = [X]
    for w, b in zip(weights[:-1], biases[:-1]):
        activations.append(np.tanh(w @ activations[-1] + b))
    scores = weights[-1] @ activations[-1] + biases[-1]
    scores -= scores.max(axis=0)
    exp_scores = np.exp(scores)
    probabilities = exp_scores / exp_scores.sum(axis=0)
    all_costs.append(-np.sum(T * np.log(probabilities)) / T.shape[1])

    delta = (probabilities - T) / T.shape[1]
    for layer in range(len(weights) - 1, -1, -1):
        grad_w = delta @ activations[layer].T
        grad_b = delta.sum(axis=1, keepdims=True)
        if layer > 0:
            delta = (weights[layer].T @ delta) * (1 - activations[layer] ** 2)
        velocity_w[layer] = momentum * velocity_w[layer] - 0.1 * grad_w
        velocity_b[layer] = momentum * velocity_b[layer] - 0.1 * grad_b
        weights[layer] += velocity_w[layer]
        biases[layer] += velocity_b[layer]

print(all_costs[0], all_costs[-1])
