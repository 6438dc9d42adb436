"""The development environment: tools, images, a local Kubernetes cluster and the demo.

Only the standard library is used, so that ``python3 -m dev`` runs on a bare machine.
"""
