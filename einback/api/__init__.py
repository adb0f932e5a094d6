"""The face: tensors with names, the functions on them, derivatives, layers, compilation and checks."""
