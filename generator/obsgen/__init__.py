"""obsgen: one observability.yaml, rendered into what the logging, alerting and dead-letter servers read."""
