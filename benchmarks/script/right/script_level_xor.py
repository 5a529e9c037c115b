import numpy as np

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
y = np.array([[0], [1], [1], [0]])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def sigmoid_derivative(x):
    return x * (1 - x)


np.random.seed(4)
hidden_weights = np.random.uniform(size=(2, 4), low=-1, high=1)
hidden_bias = np.random.uniform(size=(1, 4))
output_weights = np.random.uniform(size=(4, 1), low=-1, high=1)
output_bias = np.random.uniform(size=(1, 1))
lr = 2.0

for epoch in range(6000):
    hidden_activation = np.dot(X, hidden_weights)
    hidden_activation += hidden_bias
    hidden_output = sigmoid(hidden_activation)
    output_activation = np.dot(hidden_output, output_weights)
    output_activation += output_bias
    predicted_output = sigmoid(output_activation)

    error = y - predicted_output
    loss = np.sum(error**2) / 2
    d_predicted_output = error * sigmoid_derivative(predicted_output)
    error_hidden_layer = d_predicted_output.dot(output_weights.T)
    d_hidden_layer = error_hidden_layer * sigmoid_derivative(hidden_output)

    output_weights += hidden_output.T.dot(d_predicted_output) * lr
    output_bias += np.sum(d_predicted_output, axis=0, keepdims=True) * lr
    hidden_weights += X.T.dot(d_hidden_layer) * lr
    hidden_bias += np.sum(d_hidden_layer, axis=0, keepdims=True) * lr
    if epoch % 1000 == 0:
        print("epoch", epoch, "loss", loss)

print(predicted_output.round(3))
