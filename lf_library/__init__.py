"""Ready-made sources: packs that a job names with ``use:`` and that anyone may read and copy."""
