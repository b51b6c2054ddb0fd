"""The review loop: what looks wrong comes first to a person, whose decision returns to the model."""
