"""What handlers of English text inherit: a vocabulary, and texts in one form."""

import re
import string
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from ts.torch_handler.base_handler import BaseHandler
from ts.utils.util import CLEANUP_REGEX

_NOT = re.compile(r"\b(ca|wo|sha|ai)?(\w*?)n't\b", re.IGNORECASE)
_IRREGULAR = {"ca": "can", "wo": "will", "sha": "shall", "ai": "is"}
_ENDINGS = {"'re": " are", "'ll": " will", "'ve": " have", "'d": " would", "'m": " am"}
_IS = re.compile(r"\b(it|he|she|that|what|who|where|when|how|there|here|let)'s\b", re.IGNORECASE)


def _negated(match: "re.Match[str]") -> str:
    return f"{_IRREGULAR.get((match[1] or '').lower(), match[2])} not"


def _stated(match: "re.Match[str]") -> str:
    return f"{match[1]} {'us' if match[1].lower() == 'let' else 'is'}"


class TextHandler(BaseHandler):
    """Loads ``source_vocab.pt``, what maps tokens to numbers, with torch's ``weights_only``."""

    source_vocab: Any = None

    def initialize(self, context: Any) -> None:
        """Load the model and its vocabulary."""
        super().initialize(context)
        self.initialized = False
        self.source_vocab = torch.load(self.get_source_vocab_path(context), weights_only=True)
        self.initialized = True

    def get_source_vocab_path(self, ctx: Any) -> str:
        """Return the vocabulary's file; raises where there is none."""
        folder = Path(ctx.system_properties["model_dir"])
        path = folder / (self.manifest["model"].get("sourceVocab") or "source_vocab.pt")
        if not path.is_file():
            raise FileNotFoundError(
                "There is no source_vocab.pt: name it in the archive's extra files. It holds a "
                "dict of tokens and numbers, saved by torch.save; get_stoi() of a torchtext Vocab "
                "returns one."
            )
        return str(path)

    def _remove_html_tags(self, text: str) -> str:
        return CLEANUP_REGEX.sub("", text)

    def _expand_contractions(self, text: str) -> str:
        """Write contractions out, as *do not* for *don't*."""
        text = _IS.sub(_stated, _NOT.sub(_negated, text))
        for ending, written in _ENDINGS.items():
            text = re.sub(rf"(?<=\w){ending}\b", written, text)
        return text.replace("'", "")

    def _remove_accented_characters(self, text: str) -> str:
        return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()

    def _remove_punctuation(self, text: str) -> str:
        return text.translate(str.maketrans("", "", string.punctuation))

    _remove_puncutation = _remove_punctuation  # TorchServe's older spelling

    def _tokenize(self, text: str) -> list[str]:
        return text.lower().split()

    def get_word_token(self, input_tokens: Sequence[str]) -> list[str]:
        """Return tokens without the mark of byte-pair encodings for a space."""
        return [token.replace("Ġ", "") for token in input_tokens]


def ngrams(tokens: Sequence[str], most: int) -> Iterator[str]:
    """Yield tokens, then each two that follow each other, and so on up to ``most``."""
    for count in range(1, most + 1):
        for begin in range(len(tokens) - count + 1):
            yield " ".join(tokens[begin : begin + count])
