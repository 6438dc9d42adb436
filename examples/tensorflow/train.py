"""Train a line with plain TensorFlow and save it as a SavedModel, in the output of the training."""

import os
from pathlib import Path

import tensorflow as tf


class Line(tf.Module):
    """A slope and an offset."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = tf.Variable(0.0)
        self.offset = tf.Variable(0.0)

    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32)])
    def __call__(self, rows: tf.Tensor) -> tf.Tensor:
        """Return the line's value for each row."""
        return self.slope * rows + self.offset


rows = tf.linspace(-1.0, 1.0, 256)[:, tf.newaxis]
line = Line()
for _ in range(100):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(line(rows) - (2 * rows + 1)))
    gradients = tape.gradient(loss, line.trainable_variables)
    for variable, gradient in zip(line.trainable_variables, gradients, strict=True):
        variable.assign_sub(0.3 * gradient)
tf.saved_model.save(line, str(Path(os.environ["SLIPWAY_OUTPUT_DIR"], "line")))
print(f"loss {loss:.6f}")
