"""Truth: what the servers' own programs say about the rendered texts."""
