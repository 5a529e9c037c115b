"""Networks as text: forward and backward passes of many kinds of layers, to be set in one of several styles.

`P.W1` is a parameter, `ACT(Z, A)` makes A of Z, `SLOPE(Z, A)` its derivative, LOSS makes the cost `J` of the last `Z`
and `DLOSS` the adjoint of it. All of it is right: mistakes are made by benchmarks.line.mutations.
"""

from typing import NamedTuple


class Body(NamedTuple):
    """`shapes` of the parameters (with d inputs and k outputs), the lines of the forward and of the backward pass."""

    shapes: dict[str, str]
    forward: str
    backward: str
    extra: str = ""  # lines of the cost, after the loss
    inputs: int = 6
    whole: bool = False  # inputs are whole numbers


ACTIVATIONS = {
    "tanh": ("np.tanh({Z})", "(1 - {A} ** 2)"),
    "sigmoid": ("1 / (1 + np.exp(-{Z}))", "{A} * (1 - {A})"),
    "relu": ("np.maximum({Z}, 0)", "({Z} > 0)"),
    "leaky": ("np.where({Z} > 0, {Z}, 0.1 * {Z})", "np.where({Z} > 0, 1.0, 0.1)"),
    "softplus": ("np.log(1 + np.exp({Z}))", "(1 / (1 + np.exp(-{Z})))"),
}

LOSSES = {
    "bce": (
        "out = 1 / (1 + np.exp(-Z))",
        "J = -np.mean(Y * np.log(out) + (1 - Y) * np.log(1 - out))",
        "dZ = (out - Y) / Y.size",
    ),
    "bce_long": (
        "out = 1 / (1 + np.exp(-Z))",
        "J = -np.sum(Y * np.log(out) + (1 - Y) * np.log(1 - out)) / len(Y)",
        "dout = -(Y / out - (1 - Y) / (1 - out)) / len(Y)\ndZ = dout * out * (1 - out)",
    ),
    "mse": ("out = Z", "J = np.mean((out - Y) ** 2)", "dZ = 2 * (out - Y) / Y.size"),
    "half": (
        "out = np.tanh(Z)",
        "J = 0.5 * np.sum((Y - out) ** 2) / len(Y)",
        "error = out - Y\ndZ = error * (1 - out ** 2) / len(Y)",
    ),
    "softmax": (
        "e = np.exp(Z - Z.max(axis=1, keepdims=True))\nout = e / e.sum(axis=1, keepdims=True)",
        "J = -np.mean(np.sum(Y * np.log(out), axis=1))",
        "dZ = (out - Y) / len(Y)",
    ),
    "softmax_picked": (
        "e = np.exp(Z)\nout = e / np.sum(e, axis=1, keepdims=True)",
        "J = -np.log(out[np.arange(len(Y)), Y.argmax(axis=1)]).mean()",
        "dZ = out.copy()\ndZ[np.arange(len(Y)), Y.argmax(axis=1)] -= 1\ndZ /= len(Y)",
    ),
}

BODIES = {
    "dense": Body(
        {"W1": "d, 5", "b1": "5", "W2": "5, k", "b2": "k"},
        "Z1 = X @ P.W1 + P.b1\nA1 = ACT(Z1, A1)\nZ = A1 @ P.W2 + P.b2",
        "dW2 = A1.T @ dZ\ndb2 = dZ.sum(axis=0)\ndA1 = dZ @ P.W2.T\ndZ1 = dA1 * SLOPE(Z1, A1)\ndW1 = X.T @ dZ1\n"
        "db1 = np.sum(dZ1, axis=0)",
    ),
    "deep": Body(
        {"W1": "d, 5", "b1": "1, 5", "W2": "5, 4", "b2": "1, 4", "W3": "4, k", "b3": "1, k"},
        "Z1 = np.dot(X, P.W1) + P.b1\nA1 = ACT(Z1, A1)\nZ2 = np.dot(A1, P.W2) + P.b2\nA2 = ACT(Z2, A2)\n"
        "Z = np.dot(A2, P.W3) + P.b3",
        "dW3 = np.dot(A2.T, dZ)\ndb3 = np.sum(dZ, axis=0, keepdims=True)\ndZ2 = np.dot(dZ, P.W3.T) * SLOPE(Z2, A2)\n"
        "dW2 = np.dot(A1.T, dZ2)\ndb2 = np.sum(dZ2, axis=0, keepdims=True)\n"
        "dZ1 = np.dot(dZ2, P.W2.T) * SLOPE(Z1, A1)\ndW1 = np.dot(X.T, dZ1)\ndb1 = np.sum(dZ1, axis=0, keepdims=True)",
    ),
    "late_mean": Body(
        {"W1": "d, 5", "b1": "5", "W2": "5, k", "b2": "k"},
        "m = len(X)\nZ1 = X @ P.W1 + P.b1\nA1 = ACT(Z1, A1)\nZ = A1 @ P.W2 + P.b2",
        "delta2 = dZ * m\ndW2 = A1.T @ delta2 / m\ndb2 = delta2.mean(axis=0)\n"
        "delta1 = delta2 @ P.W2.T * SLOPE(Z1, A1)\ndW1 = X.T @ delta1 / m\ndb1 = delta1.mean(axis=0)",
    ),
    "batch_norm": Body(
        {"W1": "d, 5", "gamma": "5", "beta": "5", "W2": "5, k", "b2": "k"},
        "Z1 = X @ P.W1\nmu = Z1.mean(axis=0)\nvar = Z1.var(axis=0)\ninv = 1 / np.sqrt(var + 1e-5)\n"
        "H = (Z1 - mu) * inv\nN1 = P.gamma * H + P.beta\nA1 = ACT(N1, A1)\nZ = A1 @ P.W2 + P.b2",
        "dW2 = A1.T @ dZ\ndb2 = dZ.sum(axis=0)\ndN1 = (dZ @ P.W2.T) * SLOPE(N1, A1)\ndgamma = (dN1 * H).sum(axis=0)\n"
        "dbeta = dN1.sum(axis=0)\ndH = dN1 * P.gamma\n"
        "dZ1 = inv * (dH - dH.mean(axis=0) - H * (dH * H).mean(axis=0))\ndW1 = X.T @ dZ1",
    ),
    "batch_norm_steps": Body(
        {"W1": "d, 5", "gamma": "5", "beta": "5", "W2": "5, k", "b2": "k"},
        "Z1 = X @ P.W1\nmu = Z1.mean(axis=0)\nC = Z1 - mu\nvar = (C ** 2).mean(axis=0)\nstd = np.sqrt(var + 1e-5)\n"
        "H = C / std\nN1 = P.gamma * H + P.beta\nA1 = ACT(N1, A1)\nZ = A1 @ P.W2 + P.b2",
        "dW2 = A1.T @ dZ\ndb2 = dZ.sum(axis=0)\ndA1 = dZ @ P.W2.T\ndN1 = dA1 * SLOPE(N1, A1)\n"
        "dgamma = np.sum(dN1 * H, axis=0)\ndbeta = np.sum(dN1, axis=0)\ndH = dN1 * P.gamma\ndC = dH / std\n"
        "dstd = -(dH * C).sum(axis=0) / std ** 2\ndvar = 0.5 * dstd / std\ndC += 2 * C * dvar / len(X)\n"
        "dZ1 = dC - dC.mean(axis=0)\ndW1 = X.T @ dZ1",
    ),
    "layer_norm": Body(
        {"W1": "d, 5", "g": "5", "s": "5", "W2": "5, k", "b2": "k"},
        "Z1 = X @ P.W1\nmu = Z1.mean(axis=1, keepdims=True)\nvar = Z1.var(axis=1, keepdims=True)\n"
        "inv = 1 / np.sqrt(var + 1e-5)\nH = (Z1 - mu) * inv\nN1 = H * P.g + P.s\nA1 = ACT(N1, A1)\n"
        "Z = A1 @ P.W2 + P.b2",
        "dW2 = A1.T @ dZ\ndb2 = dZ.sum(axis=0)\ndN1 = dZ @ P.W2.T * SLOPE(N1, A1)\ndg = np.sum(dN1 * H, axis=0)\n"
        "ds = np.sum(dN1, axis=0)\ndH = dN1 * P.g\nfirst = dH.mean(axis=1, keepdims=True)\n"
        "second = H * (dH * H).mean(axis=1, keepdims=True)\ndZ1 = (dH - first - second) * inv\ndW1 = X.T @ dZ1",
    ),
    "residual": Body(
        {"W0": "d, 5", "W1": "5, 5", "b1": "5", "W2": "5, k", "b2": "k"},
        "H0 = X @ P.W0\nZ1 = H0 @ P.W1 + P.b1\nA1 = ACT(Z1, A1)\nH1 = H0 + A1\nZ = H1 @ P.W2 + P.b2",
        "dW2 = H1.T @ dZ\ndb2 = dZ.sum(axis=0)\ndH1 = dZ @ P.W2.T\ndZ1 = dH1 * SLOPE(Z1, A1)\ndW1 = H0.T @ dZ1\n"
        "db1 = dZ1.sum(axis=0)\ndH0 = dH1 + dZ1 @ P.W1.T\ndW0 = X.T @ dH0",
    ),
    "l2": Body(
        {"W1": "d, 5", "b1": "5", "W2": "5, k", "b2": "k"},
        "lam = 0.1\nZ1 = X @ P.W1 + P.b1\nA1 = ACT(Z1, A1)\nZ = A1 @ P.W2 + P.b2",
        "dW2 = A1.T @ dZ + lam * P.W2 / len(X)\ndb2 = dZ.sum(axis=0)\ndA1 = dZ @ P.W2.T\ndZ1 = dA1 * SLOPE(Z1, A1)\n"
        "dW1 = X.T @ dZ1\ndW1 += lam * P.W1 / len(X)\ndb1 = dZ1.sum(axis=0)",
        "J = J + 0.1 / (2 * len(X)) * (np.sum(P.W1 ** 2) + np.sum(P.W2 ** 2))",
    ),
    "dropout": Body(
        {"W1": "d, 7", "b1": "7", "W2": "7, k", "b2": "k"},
        "keep = 0.7\nZ1 = X @ P.W1 + P.b1\nA1 = ACT(Z1, A1)\nmask = np.random.rand(*A1.shape) < keep\n"
        "D1 = A1 * mask / keep\nZ = D1 @ P.W2 + P.b2",
        "dW2 = D1.T @ dZ\ndb2 = dZ.sum(axis=0)\ndD1 = dZ @ P.W2.T\ndA1 = dD1 * mask / keep\ndZ1 = dA1 * SLOPE(Z1, A1)\n"
        "dW1 = X.T @ dZ1\ndb1 = dZ1.sum(axis=0)",
    ),
    "recurrent": Body(
        {"Wx": "2, 4", "Wh": "4, 4", "bh": "4", "Wy": "4, k", "by": "k"},
        "S = X.reshape(len(X), -1, 2)\nT = S.shape[1]\nh = [np.zeros((len(X), 4))]\n"
        "for t in range(T):\n    h.append(np.tanh(S[:, t] @ P.Wx + h[-1] @ P.Wh + P.bh))\nZ = h[-1] @ P.Wy + P.by",
        "dWy = h[-1].T @ dZ\ndby = dZ.sum(axis=0)\ndWx = np.zeros_like(P.Wx)\ndWh = np.zeros_like(P.Wh)\n"
        "dbh = np.zeros_like(P.bh)\ndh = dZ @ P.Wy.T\nfor t in reversed(range(T)):\n"
        "    da = dh * (1 - h[t + 1] ** 2)\n    dWx += S[:, t].T @ da\n    dWh += h[t].T @ da\n"
        "    dbh += da.sum(axis=0)\n    dh = da @ P.Wh.T",
    ),
    "recurrent_outputs": Body(
        {"Wx": "2, 4", "Wh": "4, 4", "Wy": "4, k", "by": "k"},
        "S = X.reshape(len(X), -1, 2)\nT = S.shape[1]\nh = np.zeros((T + 1, len(X), 4))\n"
        "for t in range(T):\n    h[t + 1] = np.tanh(S[:, t] @ P.Wx + h[t] @ P.Wh)\nm = h[1:].sum(axis=0)\n"
        "Z = m @ P.Wy + P.by",
        "dWy = m.T @ dZ\ndby = dZ.sum(axis=0)\ndm = dZ @ P.Wy.T\ndWx, dWh = np.zeros_like(P.Wx), np.zeros_like(P.Wh)\n"
        "carry = np.zeros_like(dm)\nfor t in range(T, 0, -1):\n    dh = dm + carry\n    dz = dh * (1 - h[t] ** 2)\n"
        "    dWx += S[:, t - 1].T @ dz\n    dWh += h[t - 1].T @ dz\n    carry = dz @ P.Wh.T",
    ),
    "lstm": Body(
        {"Wf": "6, 4", "Wi": "6, 4", "Wo": "6, 4", "Wc": "6, 4", "Wy": "4, k", "by": "k"},
        "S = X.reshape(len(X), -1, 2)\nT = S.shape[1]\nh, c, kept = np.zeros((len(X), 4)), np.zeros((len(X), 4)), []\n"
        "for t in range(T):\n    x = np.concatenate([S[:, t], h], axis=1)\n    f = 1 / (1 + np.exp(-(x @ P.Wf)))\n"
        "    i = 1 / (1 + np.exp(-(x @ P.Wi)))\n    o = 1 / (1 + np.exp(-(x @ P.Wo)))\n    g = np.tanh(x @ P.Wc)\n"
        "    before = c\n    c = f * before + i * g\n    h = o * np.tanh(c)\n"
        "    kept.append((x, f, i, o, g, before, c))\n"
        "Z = h @ P.Wy + P.by",
        "dWy = h.T @ dZ\ndby = dZ.sum(axis=0)\ndWf, dWi = np.zeros_like(P.Wf), np.zeros_like(P.Wi)\n"
        "dWo, dWc = np.zeros_like(P.Wo), np.zeros_like(P.Wc)\ndh = dZ @ P.Wy.T\ndc = np.zeros_like(dh)\n"
        "for x, f, i, o, g, before, c in reversed(kept):\n    tc = np.tanh(c)\n    do = dh * tc\n"
        "    dc = dc + dh * o * (1 - tc ** 2)\n    df = dc * before\n    di = dc * g\n    dg = dc * i\n"
        "    dzf = df * f * (1 - f)\n    dzi = di * i * (1 - i)\n    dzo = do * o * (1 - o)\n"
        "    dzg = dg * (1 - g ** 2)\n"
        "    dWf += x.T @ dzf\n    dWi += x.T @ dzi\n    dWo += x.T @ dzo\n    dWc += x.T @ dzg\n"
        "    dx = dzf @ P.Wf.T + dzi @ P.Wi.T + dzo @ P.Wo.T + dzg @ P.Wc.T\n    dh = dx[:, 2:]\n    dc = dc * f",
    ),
    "attention": Body(
        {"Wq": "2, 3", "Wk": "2, 3", "Wv": "2, 3", "Wy": "3, k", "by": "k"},
        "S = X.reshape(len(X), -1, 2)\nQ, K, V = S @ P.Wq, S @ P.Wk, S @ P.Wv\n"
        "scores = Q @ K.transpose(0, 2, 1) / np.sqrt(3)\nea = np.exp(scores - scores.max(axis=2, keepdims=True))\n"
        "A = ea / ea.sum(axis=2, keepdims=True)\nO = A @ V\nm = O.mean(axis=1)\nZ = m @ P.Wy + P.by",
        "dWy = m.T @ dZ\ndby = dZ.sum(axis=0)\ndm = dZ @ P.Wy.T\n"
        "dO = np.repeat(dm[:, None, :], S.shape[1], axis=1) / S.shape[1]\n"
        "dA = dO @ V.transpose(0, 2, 1)\ndV = A.transpose(0, 2, 1) @ dO\n"
        "dscores = A * (dA - np.sum(dA * A, axis=2, keepdims=True)) / np.sqrt(3)\ndQ = dscores @ K\n"
        "dK = dscores.transpose(0, 2, 1) @ Q\ndWq = np.einsum('nti,nto->io', S, dQ)\n"
        "dWk = np.einsum('nti,nto->io', S, dK)\ndWv = np.tensordot(S, dV, axes=([0, 1], [0, 1]))",
    ),
    "embedding": Body(
        {"E": "9, 4", "W1": "4, 5", "b1": "5", "W2": "5, k", "b2": "k"},
        "I = (np.abs(X) * 3).astype(int) % 9\nV = P.E[I]\nm = V.mean(axis=1)\nZ1 = m @ P.W1 + P.b1\nA1 = ACT(Z1, A1)\n"
        "Z = A1 @ P.W2 + P.b2",
        "dW2 = A1.T @ dZ\ndb2 = dZ.sum(axis=0)\ndZ1 = dZ @ P.W2.T * SLOPE(Z1, A1)\ndW1 = m.T @ dZ1\n"
        "db1 = dZ1.sum(axis=0)\ndm = dZ1 @ P.W1.T\ndE = np.zeros_like(P.E)\n"
        "np.add.at(dE, I, np.repeat(dm[:, None, :], I.shape[1], axis=1) / I.shape[1])",
    ),
    "convolution": Body(
        {"K": "3, 2, 2", "c": "3", "W": "27, k", "b": "k"},
        "M = X.reshape(len(X), 4, 4)\nC = np.zeros((len(X), 3, 3, 3))\nfor i in range(3):\n    for j in range(3):\n"
        "        patch = M[:, i:i + 2, j:j + 2]\n"
        "        C[:, :, i, j] = np.tensordot(patch, P.K, axes=([1, 2], [1, 2])) + P.c\n"
        "A1 = ACT(C, A1)\nF = A1.reshape(len(X), -1)\nZ = F @ P.W + P.b",
        "dW = F.T @ dZ\ndb = dZ.sum(axis=0)\ndF = dZ @ P.W.T\ndC = dF.reshape(C.shape) * SLOPE(C, A1)\n"
        "dK = np.zeros_like(P.K)\ndc = dC.sum(axis=(0, 2, 3))\nfor i in range(3):\n    for j in range(3):\n"
        "        dK += np.tensordot(dC[:, :, i, j], M[:, i:i + 2, j:j + 2], axes=([0], [0]))",
        inputs=16,
    ),
    "two_convolutions": Body(
        {"K1": "2, 2, 2", "K2": "3, 2, 2, 2", "W": "12, k", "b": "k"},
        "M = X.reshape(len(X), 4, 4)\nwin = np.lib.stride_tricks.sliding_window_view(M, (2, 2), axis=(1, 2))\n"
        "C1 = np.einsum('nhwij,fij->nfhw', win, P.K1)\nA1 = ACT(C1, A1)\n"
        "win2 = np.lib.stride_tricks.sliding_window_view(A1, (2, 2), axis=(2, 3))\n"
        "C2 = np.einsum('nchwij,fcij->nfhw', win2, P.K2)\nF = C2.reshape(len(X), -1)\nZ = F @ P.W + P.b",
        "dW = F.T @ dZ\ndb = dZ.sum(axis=0)\ndC2 = (dZ @ P.W.T).reshape(C2.shape)\n"
        "dK2 = np.einsum('nchwij,nfhw->fcij', win2, dC2)\nwide = np.pad(dC2, ((0, 0), (0, 0), (1, 1), (1, 1)))\n"
        "win3 = np.lib.stride_tricks.sliding_window_view(wide, (2, 2), axis=(2, 3))\n"
        "turned = P.K2[:, :, ::-1, ::-1]\ndA1 = np.einsum('nfhwij,fcij->nchw', win3, turned)\n"
        "dC1 = dA1 * SLOPE(C1, A1)\ndK1 = np.einsum('nhwij,nfhw->fij', win, dC1)",
        inputs=16,
    ),
    "max_pool": Body(
        {"K": "2, 3", "W": "8, k", "b": "k"},
        "M = X.reshape(len(X), 8, 2)\nC = M @ P.K[:, :2]\nB = C.reshape(len(X), 4, 2, 2)\npooled = B.max(axis=2)\n"
        "F = pooled.reshape(len(X), -1)\nZ = F @ P.W + P.b",
        "dW = F.T @ dZ\ndb = dZ.sum(axis=0)\ndpooled = (dZ @ P.W.T).reshape(pooled.shape)\n"
        "top = B == pooled[:, :, None, :]\ndB = top * dpooled[:, :, None, :]\ndC = dB.reshape(C.shape)\n"
        "dK = np.zeros_like(P.K)\ndK[:, :2] = np.tensordot(M, dC, axes=([0, 1], [0, 1]))",
        inputs=16,
    ),
    "two_heads": Body(
        {"W1": "d, 5", "b1": "5", "U": "5, k", "V": "5, k"},
        "Z1 = X @ P.W1 + P.b1\nA1 = ACT(Z1, A1)\nside = A1 @ P.V\nZ = A1 @ P.U",
        "dside = 2 * side / side.size\ndU = A1.T @ dZ\ndV = A1.T @ dside\ndA1 = dZ @ P.U.T + dside @ P.V.T\n"
        "dZ1 = dA1 * SLOPE(Z1, A1)\ndW1 = X.T @ dZ1\ndb1 = dZ1.sum(axis=0)",
        "J = J + np.mean(side ** 2)",
    ),
    "tied": Body(
        {"W": "d, 5", "b": "5", "c": "d", "U": "d, k"},
        "Z1 = X @ P.W + P.b\nA1 = ACT(Z1, A1)\nR = A1 @ P.W.T + P.c\nZ = R @ P.U",
        "dU = R.T @ dZ\ndR = dZ @ P.U.T\ndc = dR.sum(axis=0)\ndA1 = dR @ P.W\ndZ1 = dA1 * SLOPE(Z1, A1)\n"
        "dW = dR.T @ A1 + X.T @ dZ1\ndb = dZ1.sum(axis=0)",
    ),
}  # fmt: skip
