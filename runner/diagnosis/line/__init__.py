"""Which line of a hand-written backward pass is wrong: cost and gradients are traced, and compared with reverse mode.

    from runner.diagnosis.line.locate import locate
    from runner.diagnosis.line.trace import recording

    with recording([globals()]) as tape:       # np.zeros and its like can be followed, also where they were imported
        W = tape.watch(W, "W")                  # the same memory; every name that is to be followed must be this array
        A = 1 / (1 + np.exp(-(X @ W)))          # any NumPy: views, in-place, out=, indexing, np.matrix, loops
        cost = -np.mean(Y * np.log(A) + (1 - Y) * np.log(1 - A))
        dW = X.T @ (A - Y)                      # the mean is missing
        found = locate(tape, cost, {"W": W}, {"W": dW})
    found.ok                                    # False
    found.arrays[0].rho                         # 1 / len(X): one verdict an array
    found.suspects[0].node.line                 # where to look first; .file, .function, .where (callers), .value
    found.proof                                 # a place where the right adjoint makes all right, or None
    found.lost                                  # why there is no line, where tracing cannot follow

`trace` records on a `tape` (with `follow`, how NumPy's functions are), `adjoints` is reverse mode over it (with
`rules`), `match` says what a value is among the adjoints, `replay` computes a part of a tape again. NumPy only.
"""
