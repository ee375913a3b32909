"""Kills Redis and its clients, cuts the power, and counts what was acknowledged and isn't there (README.md)."""
