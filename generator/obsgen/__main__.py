"""`python -m obsgen`."""

from .cli import main

main(prog_name="obsgen")
