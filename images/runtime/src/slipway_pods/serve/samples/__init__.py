"""Whether a model that is served answers its rows as it did when it was packaged."""
