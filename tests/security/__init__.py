"""Attacks of a tenant on the next one, the operator and the node; docs/security.md names them."""
