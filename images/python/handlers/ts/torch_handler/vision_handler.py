"""What handlers of images inherit: reading images into a batch."""

import base64
import io
from typing import Any

import torch

from ts.torch_handler.base_handler import BaseHandler


class VisionHandler(BaseHandler):
    """Reads images: bytes of a picture file, base64 of one, or a list of pixels.

    torchvision and Pillow are imported by the handlers that name transforms of theirs; captum only
    where an explanation is asked for.
    """

    image_processing: Any = None

    def initialize(self, context: Any) -> None:
        """Load the model; torchvision's transforms are the subclass's."""
        super().initialize(context)
        self.ig: Any = None

    def preprocess(self, data: Any) -> Any:
        """Return the images as one tensor on the model's device."""
        images = [self._image(row.get("data") or row.get("body")) for row in data]
        return torch.stack(images).to(self.device)

    def _image(self, image: Any) -> Any:
        if isinstance(image, str):
            image = base64.b64decode(image)
        if not isinstance(image, bytearray | bytes):
            return torch.FloatTensor(image)
        from PIL import Image

        return self.image_processing(Image.open(io.BytesIO(image)))

    def get_insights(self, tensor_data: Any, _: Any, target: Any = 0) -> Any:
        """Return integrated gradients of the images, by captum."""
        if self.ig is None:
            from captum.attr import IntegratedGradients

            self.ig = IntegratedGradients(self.model)
        return self.ig.attribute(tensor_data, target=target, n_steps=15).tolist()
