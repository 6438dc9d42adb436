"""Images in, the things seen in them and their boxes out."""

from typing import Any

from ts.torch_handler.transforms import Lazily, tensor
from ts.torch_handler.vision_handler import VisionHandler
from ts.utils.util import map_class_to_label


class ObjectDetector(VisionHandler):
    """Answers for each image its boxes by their classes, those with a score of ``threshold``."""

    image_processing: Any = Lazily(tensor)
    threshold = 0.5

    def postprocess(self, data: Any) -> Any:
        """Return the boxes of the model's rows of ``boxes``, ``labels`` and ``scores``."""
        return [self._seen(row) for row in data]

    def _seen(self, row: Any) -> list[dict[str, Any]]:
        is_shown = row["scores"] >= self.threshold
        columns = (row[key][is_shown].tolist() for key in ("boxes", "labels", "scores"))
        return [
            {**map_class_to_label([[box]], self.mapping, [[label]])[0], "score": score}
            for box, label, score in zip(*columns, strict=True)
        ]
