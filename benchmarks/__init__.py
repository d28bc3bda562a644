"""How fast the collection is, as ratios to named peers in one run. `bin/dev python -m benchmarks --help`."""
