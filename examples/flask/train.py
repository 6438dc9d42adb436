"""Train a classifier of irises and pickle it: ``python train.py model.pkl``."""

import pickle
import sys
from pathlib import Path

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

rows, classes = load_iris(return_X_y=True)
model = LogisticRegression(max_iter=1000).fit(rows, classes)
Path(sys.argv[1]).write_bytes(pickle.dumps(model))
print(f"accuracy {model.score(rows, classes):.3f}")
