"""Run every benchmark: `python -m benchmarks`. Each prints ratios measured in this one run."""

from benchmarks import derive_depth, kernels, precision, readings, training

for benchmark in (derive_depth, readings, precision, kernels, training):
    print(benchmark.__doc__)
    benchmark.run()
