"""Credentials that open one namespace of the store: how they are made, renewed and taken away.

This package talks to the store and to nothing else; what it must know of the cluster it is told by
`slipway.controller`.
"""
