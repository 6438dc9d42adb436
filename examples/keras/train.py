"""Train a small network on a line and save it as Keras does, in the output of the training."""

import os
from pathlib import Path

import keras
import numpy as np

keras.utils.set_random_seed(0)
rows = np.linspace(-1, 1, 256, dtype="float32").reshape(-1, 1)
model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
model.compile(optimizer=keras.optimizers.SGD(0.5), loss="mse")
history = model.fit(rows, 2 * rows + 1, epochs=20, verbose=0)
model.save(Path(os.environ["SLIPWAY_OUTPUT_DIR"], "model.keras"))
print(f"loss {history.history['loss'][-1]:.6f}")
