"""The version, in one place; stored samples are keyed by it, so what changes sampled numbers raises it."""

VERSION = "0.3.0"
