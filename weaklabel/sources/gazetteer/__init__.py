"""Gazetteers: lists of names, compiled once to a file that is mapped, matched on whole shards."""

from .source import Gazetteer as Gazetteer
