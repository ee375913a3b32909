"""What the services share: structured logs and dead letters, as `observability.yaml` declares them."""
