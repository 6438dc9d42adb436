"""The pickled model behind Flask: POST /predict with a list of rows gives a list of classes."""

import os
import pickle
from pathlib import Path

from flask import Flask, Response, jsonify, request

app = Flask(__name__)
# Unpickling runs what the file says: the operator has compared its digest with the spec's.
model = pickle.loads(Path(os.environ["SLIPWAY_MODEL_DIR"], "model.pkl").read_bytes())  # noqa: S301


@app.post("/predict")
def predict() -> Response:
    """Return the classes of the rows."""
    return jsonify(model.predict(request.get_json()).tolist())


@app.get("/healthz")
def healthy() -> str:
    """Tell that the model is loaded."""
    return "ok"
