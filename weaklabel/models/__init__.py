"""Label models: votes -> labels, without gold."""
