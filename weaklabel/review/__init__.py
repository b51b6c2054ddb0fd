"""The review loop: what looks wrong comes first to a person; the decision teaches the model."""
