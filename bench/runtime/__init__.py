"""How fast the libraries are, beside those that do a part of the same: `python -m bench.runtime` (docs/speed-runtime.md)."""
