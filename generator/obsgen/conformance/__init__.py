"""Real log lines held to the contract: `obsgen logs check`, and `obsgen.testing` in a service's own tests.

`frames` takes off what a container runtime put around a line, `checker` judges it, `tally` counts, `report` says it. The
rules are the rows of `rules.RULES`, each with a page in docs/checks/logs.
"""
