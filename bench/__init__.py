"""How fast obsgen is, beside programs that do a part of the same: `python -m bench` (docs/speed.md)."""
