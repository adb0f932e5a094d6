"""The machinery of the GPU benchmark: peers, their processes, the budget, the table. The cases are `workloads.gpu`."""
