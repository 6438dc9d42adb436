"""What handlers of images inherit: reading images into a batch."""

import base64
import io
from typing import Any

import torch
from ts.handler_utils.timer import timed
from ts.torch_handler.base_handler import BaseHandler


class VisionHandler(BaseHandler):
    """Reads images: bytes of a picture file, base64 of one, or a list of pixels.

    torchvision and Pillow are imported by the first picture, captum by the first explanation: an
    archive that needs none of them needs none installed.
    """

    image_processing: Any = None
    _integrated_gradients: Any = None

    @timed
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

    @property
    def ig(self) -> Any:
        """Captum's integrated gradients of the model."""
        if self._integrated_gradients is None:
            from captum.attr import IntegratedGradients

            self._integrated_gradients = IntegratedGradients(self.model)
        return self._integrated_gradients

    @ig.setter
    def ig(self, value: Any) -> None:
        self._integrated_gradients = value

    def get_insights(self, tensor_data: Any, _: Any, target: Any = 0) -> Any:
        """Return integrated gradients of the images, by captum."""
        return self.ig.attribute(tensor_data, target=target, n_steps=15).tolist()
