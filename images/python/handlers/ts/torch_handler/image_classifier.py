"""Images in, the most probable classes out."""

from typing import Any

import torch

from ts.torch_handler.vision_handler import VisionHandler
from ts.utils.util import map_class_to_label


class ImageClassifier(VisionHandler):
    """Answers the ``topk`` most probable classes of each image, by ImageNet's transforms."""

    topk = 5

    @property
    def image_processing(self) -> Any:
        """Torchvision's transforms for ImageNet: 256, then the middle 224, normalised."""
        from torchvision import transforms

        return transforms.Compose(
            [
                transforms.Resize(256),
                transforms.CenterCrop(224),
                transforms.ToTensor(),
                transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
            ]
        )

    def set_max_result_classes(self, topk: int) -> None:
        """Set how many classes are answered."""
        self.topk = topk

    def get_max_result_classes(self) -> int:
        """Return how many classes are answered."""
        return self.topk

    def postprocess(self, data: Any) -> Any:
        """Return each image's classes and their probabilities."""
        probabilities = torch.nn.functional.softmax(data, dim=1)
        probs, classes = torch.topk(probabilities, self.topk, dim=1)
        return map_class_to_label(probs.tolist(), self.mapping, classes.tolist())
