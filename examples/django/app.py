"""The pickled model behind Django: POST /api/predict with rows gives a list of classes."""

import json
import os
import pickle
from pathlib import Path

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY=os.urandom(32).hex())
django.setup()
# Unpickling runs what the file says: the operator has compared its digest with the spec's.
model = pickle.loads(Path(os.environ["SLIPWAY_MODEL_DIR"], "model.pkl").read_bytes())  # noqa: S301


def predict(request: HttpRequest) -> HttpResponse:
    """Return the classes of the rows."""
    return JsonResponse(model.predict(json.loads(request.body)).tolist(), safe=False)


def healthy(_: HttpRequest) -> HttpResponse:
    """Tell that the model is loaded."""
    return HttpResponse("ok")


urlpatterns = [path("api/predict", predict), path("healthz", healthy)]
application = WSGIHandler()
