"""Refused by its name: see `ts.refused`."""

from ts.refused import NotServedHereError

raise NotServedHereError(
    "ts.handler_utils.hf_batch_streamer",
    "take a TextIteratorStreamer of transformers for each request, and send what they yield by "
    "send_intermediate_predict_response.",
)
