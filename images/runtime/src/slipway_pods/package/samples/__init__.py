"""An archive's own model answers its rows before it is stored, where there is nothing to steal."""
