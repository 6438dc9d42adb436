"""Images in, the most probable class of each pixel out."""

from typing import Any

import torch
from ts.torch_handler.transforms import Lazily, imagenet
from ts.torch_handler.vision_handler import VisionHandler


class ImageSegmenter(VisionHandler):
    """Answers for each image of shape (H, W) a list of shape (H, W, 2): class and probability."""

    image_processing: Any = Lazily(imagenet)

    def postprocess(self, data: Any) -> Any:
        """Return the classes of the model's ``out``, of shape (N, K, H, W)."""
        best = torch.nn.functional.softmax(data["out"], dim=1).max(dim=1)
        return torch.stack([best.indices.type(best.values.dtype), best.values], dim=3).tolist()
