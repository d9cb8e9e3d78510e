"""Run every benchmark: `python -m benchmarks`. Each prints ratios measured in this one run."""

from benchmarks import derive_depth, precision, readings

for benchmark in (derive_depth, readings, precision):
    print(benchmark.__doc__)
    benchmark.run()
