"""Sources: anything that looks at documents and votes."""
