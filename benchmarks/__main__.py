"""Run every benchmark: `python -m benchmarks`. Each prints ratios measured in this one run."""

from benchmarks import derive_depth, kernels, precision, readings

for benchmark in (derive_depth, readings, precision, kernels):
    print(benchmark.__doc__)
    benchmark.run()
