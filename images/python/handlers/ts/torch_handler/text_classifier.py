"""A text in, the probabilities of its classes out."""

from typing import Any

import torch
from ts.torch_handler.text_handler import TextHandler, ngrams
from ts.utils.util import map_class_to_label


class TextClassifier(TextHandler):
    """Answers one text at a time, by single words and pairs of the vocabulary."""

    ngrams = 2

    def preprocess(self, data: Any) -> Any:
        """Return the first request's tokens as numbers, and as words."""
        text = data[0].get("data") or data[0].get("body")
        if isinstance(text, bytes | bytearray):
            text = text.decode()
        text = self._expand_contractions(self._remove_html_tags(text).lower())
        words = self._tokenize(self._remove_punctuation(self._remove_accented_characters(text)))
        numbers = [self.source_vocab[token] for token in ngrams(words, self.ngrams)]
        return torch.as_tensor(numbers, device=self.device), words

    def inference(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        """Return what the model makes of the tokens and their offsets."""
        return super().inference(data[0], torch.as_tensor([0], device=self.device))

    def postprocess(self, data: Any) -> Any:
        """Return the probabilities of the classes."""
        return map_class_to_label(torch.nn.functional.softmax(data, dim=-1).tolist(), self.mapping)
