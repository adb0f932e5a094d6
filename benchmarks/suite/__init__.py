"""The machinery of the benchmarks: peers, processes, tables and plots. What is measured stands in `workloads`."""
