"""Images in, the most probable classes out."""

from typing import Any

import torch
from ts.handler_utils.timer import timed
from ts.torch_handler.transforms import Lazily, imagenet
from ts.torch_handler.vision_handler import VisionHandler
from ts.utils.util import map_class_to_label


class ImageClassifier(VisionHandler):
    """Answers the ``topk`` most probable classes of each image, by ImageNet's transforms."""

    topk = 5
    image_processing: Any = Lazily(imagenet)

    def set_max_result_classes(self, topk: int) -> None:
        """Set how many classes are answered."""
        self.topk = topk

    def get_max_result_classes(self) -> int:
        """Return how many classes are answered."""
        return self.topk

    @timed
    def postprocess(self, data: Any) -> Any:
        """Return each image's classes and their probabilities."""
        probabilities = torch.nn.functional.softmax(data, dim=1)
        probs, classes = torch.topk(probabilities, self.topk, dim=1)
        return map_class_to_label(probs.tolist(), self.mapping, classes.tolist())
