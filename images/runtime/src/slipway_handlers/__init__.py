"""Handlers for the usual cases, which ``spec.package.handler`` names.

They become part of each archive that uses them, with all that they import of this package, so that
an archive stays what it was and runs on any TorchServe 0.12: they need the standard library, torch,
NumPy, Pillow for images, ONNX Runtime for ONNX, and what an estimator is made of.
`slipway_pods.package.built_in` has the registry.

An input that is not valid gets an answer of its own with the code 400, and the others of its batch
are computed without it.
"""
