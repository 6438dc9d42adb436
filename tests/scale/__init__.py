"""How fast the control plane gets things running, with the operator and without it."""
