"""Run every benchmark: `python -m benchmarks`. Each prints ratios measured in this one run."""

from benchmarks import costs, derive_depth, kernels, precision, readings, training

for benchmark in (derive_depth, readings, costs, precision, kernels, training):
    print(benchmark.__doc__)
    benchmark.run()
