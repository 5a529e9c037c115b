"""One recipe, one stack, one loop: K networks trained as one set of arrays. NumPy only; imports `nn` and `datasets`."""
