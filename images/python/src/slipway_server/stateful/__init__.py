"""Models whose requests belong together: sequence batching, continuous batching, and both.

**Sequence batching** (``sequenceBatching`` in model-config.yaml): requests that name the same
sequence, by the header ``ts_request_sequence_id``, go to one worker, one after the other. A batch
has at most one request of each sequence. A request without that header begins a sequence of its
own, and its handler reads ``ts_request_sequence_start: true``.

**Continuous batching** (``continuousBatching``): the worker is asked step after step, with all
requests that go on and with new ones for the places that are free; what goes on comes without
inputs. ``context.stopping_criteria`` says of each answer whether it goes on (False): it is sent as
a part then. True or None ends it.

**Both**: requests of one sequence begin in their order, one a step, while earlier ones go on.

TorchServe 0.12 (frontend/server/src/main/java/org/pytorch/serve) has this in wlm/Model.java
(``addJobInGroup``, ``pollInferJob``), job/JobGroup.java, wlm/SequenceBatching.java,
wlm/ContinuousBatching.java, wlm/SequenceContinuousBatching.java, wlm/WorkerThread.java, and, for
the workers, ts/protocol/otf_message_handler.py (``create_predict_response``). As there:

- A new sequence beyond ``maxNumSequence``, or a request beyond ``maxSequenceJobQueueSize`` that
  wait in one sequence, gets 503.
- A sequence is over when it had nothing to do for ``sequenceMaxIdleMSec``, when it is older than
  ``sequenceTimeoutMSec`` and has nothing to do, or when an answer has its name in the header
  ``ts_request_sequence_end``, of which several are divided by ``;``.
- An empty batch waits for its first request, and then ``maxBatchDelay`` for others; one in which
  requests go on is joined without waiting, as far as there are places: ``batchSize`` of them, or
  twice that for both kinds together.
- A client that has gone is not asked for again; an error is that of all requests of the step.

Otherwise than there:

- A sequence goes to the worker that has the fewest, and a worker may have any number of them; there
  each worker polls only ``batchSize`` sequences at once, and each poll takes up to the idle time.
- What a worker knew of its sequences dies with it. Begun ones are over: what they have in the
  worker or in the queue gets 500, and one that has neither is told by its next request. There the
  next process goes on with requests whose beginning it has not seen.
- Requests that wait in a sequence that a handler ends begin it anew; there they are never answered.
- ``maxNumSequence`` is at least ``batchSize`` for each worker, which is what Model.java means: when
  it asks, both are still zero.
- A stream that ends with its first step is an ordinary answer; there it has no status line.
- ``sequenceBatching`` without ``sequenceMaxIdleMSec`` is refused; there every request gets 503.
"""
