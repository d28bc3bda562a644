"""The duration of runs, as ratios to named peers measured in the same run. `bin/dev python -m benchmarks --help`."""
