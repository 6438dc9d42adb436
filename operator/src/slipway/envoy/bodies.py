"""What is refused before the server sees it: bodies of the wrong kind or size, and long paths.

Envoy streams a body whose length is announced and is no more than the limit, and the filters below
never run for it. All others, and forms, go through three filters: the first reads the body and
throws away what is refused, so that each client, also one that reads no answer before it has sent
all, gets to see the answer; the second holds the body back until it is whole, so that the server is
never begun with one that turns out too large; the third answers. The bodies that are held back at a
time are bounded as a whole, for Envoy can take no memory back from an HTTP/1 request.

Envoy's references: envoy.filters.http.lua, envoy.filters.http.buffer, and "Match delegate" for
envoy.extensions.common.matching.v3.ExtensionWithMatcher.
"""

import json
from collections.abc import Iterator
from typing import Any

from slipway.envoy import forms
from slipway.envoy.config import CONNECTION_BUFFER_BYTES, ProxyConfig, typed

MOST_DISCARDED_BYTES = 64 << 20
"""How much beyond the limit is read for the client's sake, in bytes; then the connection ends."""
MOST_HELD_BYTES = 64 << 20
"""How much of bodies of unknown length, and of forms, all requests together may have in Envoy's
memory, in bytes. What each may have anyway, as its connection has as much, is
`CONNECTION_BUFFER_BYTES`."""

MAX_PATH = 4000
"""Longest path with its query; a server may take no more than 4096 bytes of a first line."""
PROGRAM_SIZE = 10_000
"""Largest program of a regular expression; Envoy's own limit, 100, is below that of `_LONG_PATH`.

Source: https://www.envoyproxy.io/docs/envoy/latest/api-v3/type/matcher/v3/regex.proto
"""

_LONG_PATH = ".{1000}" * (MAX_PATH // 1000) + ".+"
"""RE2 takes no repetition above 1000."""
_FORM = "application/x-www-form-urlencoded"
METADATA, REFUSAL = "slipway", "refusal"
"""Where in Envoy's dynamic metadata the first filter leaves why it refuses a request."""
_MARK = "x-slipway-body"
"""Header from the first filter to the third; it goes no further."""


def body_filters(config: ProxyConfig) -> list[dict[str, Any]]:
    """Return the HTTP filters, in their order.

    A server of the user's own takes forms as it likes. Messages of gRPC are a stream whose length
    nobody knows beforehand, and the server bounds each of them.
    """
    if config.upstream.speaks_grpc:
        return []
    limit, reads_forms = config.max_request_bytes, not config.upstream.paths
    whole = typed(
        "envoy.extensions.filters.http.buffer.v3.Buffer",
        max_request_bytes=limit,
    )
    fits = _header("content-length", {"safe_regex": _regex(up_to(limit))})
    kinds = [
        _header("content-type", {"prefix": kind, "ignore_case": True})
        for kind in ((_FORM, forms.KIND) if reads_forms else ())
    ]
    long = _header(":path", {"safe_regex": _regex(_LONG_PATH)})
    any_ = {"or_matcher": {"predicate": [*kinds, long]}} if kinds else long
    plain = {"and_matcher": {"predicate": [fits, {"not_matcher": any_}]}}
    unmarked = {"not_matcher": _header(_MARK, {"exact": "read"})}
    return [
        _unless("envoy.filters.http.lua", _lua(_read(limit, reads_forms=reads_forms)), plain),
        _unless("envoy.filters.http.buffer", whole, plain),
        _unless("envoy.filters.http.lua", _lua(_ANSWER), unmarked),
    ]


def up_to(limit: int) -> str:
    """Return a regular expression of the decimal numbers from 0 to ``limit``, without signs."""
    return "|".join(_ranges(str(limit)))


def _ranges(limit: str) -> Iterator[str]:
    """Yield the numbers with fewer digits, then those that are below from each digit on."""
    if len(limit) > 1:
        yield f"[0-9]{{1,{len(limit) - 1}}}"
    for place, digit in enumerate(limit):
        if digit != "0":
            rest = len(limit) - place - 1
            yield f"{limit[:place]}[0-{int(digit) - 1}][0-9]{{{rest}}}"
    yield limit


def _regex(pattern: str) -> dict[str, Any]:
    return {"google_re2": {}, "regex": pattern}


def _header(name: str, value: dict[str, Any]) -> dict[str, Any]:
    """Return a predicate on a request's header; it is false where there is no such header."""
    source = typed("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", header_name=name)
    single = {"input": {"name": name, "typed_config": source}, "value_match": value}
    return {"single_predicate": single}


def _unless(name: str, filter_: dict[str, Any], predicate: dict[str, Any]) -> dict[str, Any]:
    """Return a filter that is passed over where a predicate holds."""
    skip = typed("envoy.extensions.filters.common.matcher.action.v3.SkipFilter")
    match = {
        "predicate": predicate,
        "on_match": {"action": {"name": "skip", "typed_config": skip}},
    }
    return {
        "name": name,
        "typed_config": typed(
            "envoy.extensions.common.matching.v3.ExtensionWithMatcher",
            extension_config={"name": name, "typed_config": filter_},
            xds_matcher={"matcher_list": {"matchers": [match]}},
        ),
    }


def _lua(code: str) -> dict[str, Any]:
    return typed(
        "envoy.extensions.filters.http.lua.v3.Lua", default_source_code={"inline_string": code}
    )


def form_refusal() -> str:
    """Return the sentence for a body that says that it is a form's."""
    return (
        f"The content type {_FORM} is not taken: send the header content-type: application/json, "
        "or the type that your body has. curl -d and Python's urllib say it is a form where no "
        "type is given."
    )


def size_refusal(limit: int) -> str:
    """Return the sentence for a body above the limit, in bytes."""
    return f"The request body is longer than {limit} bytes: send less at a time."


def _read(limit: int, *, reads_forms: bool) -> str:
    return _READ.format(
        forms="true" if reads_forms else "false",
        mark=_MARK,
        metadata=METADATA,
        refusal=REFUSAL,
        form=json.dumps(_FORM),
        limit=limit,
        most=limit + MOST_DISCARDED_BYTES,
        held=max(limit, MOST_HELD_BYTES),
        small=CONNECTION_BUFFER_BYTES,
        form_text=json.dumps(form_refusal()),
        size_text=json.dumps(size_refusal(limit)),
        form_reader=forms.reader(),
        parts=json.dumps(forms.KIND),
        boundary_text=json.dumps(forms.BOUNDARY_REFUSAL),
        path=MAX_PATH,
        path_text=json.dumps(
            f"The path and its query are longer than {MAX_PATH} bytes: send them in the body."
        ),
    )


_READ = """\
{form_reader}
-- How many bytes each request has in memory. The keys are weak, and known to nobody but the
-- request's own coroutine: Lua forgets them when it is over, however it ended.
local held = setmetatable({{}}, {{__mode = "k"}})

local function all_held()
  local sum = 0
  for _, size in pairs(held) do sum = sum + size end
  return sum
end

local function no_room(size, kept)
  if kept + size <= {small} or all_held() + size <= {held} then return false end
  collectgarbage()
  return all_held() + size > {held}
end

function envoy_on_request(handle)
  local headers = handle:headers()
  if headers:get(":method") == "CONNECT" then
    -- All that follows is its body, which has no end.
    handle:respond({{[":status"] = "405", ["allow"] = "POST, PUT"}}, "There is no proxy here.")
    return
  end
  local given = headers:get("content-type") or ""
  local kind = given:lower()
  local length = tonumber(headers:get("content-length") or "0") or 0
  local refusal = nil
  local form = {form}
  if {forms} and kind:sub(1, form:len()) == form then
    refusal = {{status = "415", text = {form_text}}}
  elseif length > {limit} then
    refusal = {{status = "413", text = {size_text}}}
  elseif headers:get(":path"):len() > {path} then
    refusal = {{status = "414", text = {path_text}}}
  end
  local read_form = nil
  if {forms} and kind:sub(1, ({parts}):len()) == {parts} then
    local boundary = boundary_of(given)
    if boundary ~= nil then
      read_form = form_reader(boundary)
    elseif refusal == nil then
      refusal = {{status = "400", text = {boundary_text}}}
    end
  end
  headers:replace("{mark}", "read")
  local me = {{}}
  local read, kept = 0, 0
  for chunk in handle:bodyChunks() do
    local size = chunk:length()
    read = read + size
    if refusal == nil and read > {limit} then
      refusal = {{status = "413", text = {size_text}}}
    elseif refusal == nil and no_room(size, kept) then
      refusal = {{status = "503", text = "Too many forms and requests of unknown length at a " ..
        "time: send the header content-length where it is missing, or try again later."}}
    elseif refusal == nil and read_form ~= nil then
      refusal = read_form(chunk:getBytes(0, size))
    end
    if refusal == nil then
      kept = kept + size
      held[me] = kept
    elseif read <= {most} then
      chunk:setBytes("")
    end
  end
  if refusal ~= nil then
    handle:streamInfo():dynamicMetadata():set("{metadata}", "{refusal}", refusal)
  end
end
"""

_ANSWER = f"""\
function envoy_on_request(handle)
  local found = handle:streamInfo():dynamicMetadata():get("{METADATA}")
  if found ~= nil and found.{REFUSAL} ~= nil then
    handle:respond({{[":status"] = found.{REFUSAL}.status}}, found.{REFUSAL}.text)
  else
    handle:headers():remove("{_MARK}")
  end
end
"""
