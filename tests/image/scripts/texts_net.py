# mypy: ignore-errors
# It runs where torch is, which has no types here.
from torch import nn


class Texts(nn.Module):
    """From numbers of words to the logits of two classes, by a layer of attention."""

    def __init__(self, words):
        super().__init__()
        self.words = nn.Embedding(words, 64, padding_idx=0)
        self.layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)
        self.classes = nn.Linear(64, 2)

    def forward(self, numbers):
        return self.classes(self.layer(self.words(numbers)).mean(dim=1))
