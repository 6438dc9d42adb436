"""What is refused of forms (multipart/form-data): too many parts, and what hides their number.

TorchServe's Java makes some objects of each part, however small it is: 8 forms of 6 MB with 120,000
parts each, which came at a time, ended it with a full heap. So Envoy counts the parts.

The parts are those of netty 4.1.53, which reads forms for TorchServe, or more: what might be read
in two ways is refused. A part begins where its boundary stands, at the begin of a line or not.
Source: https://www.rfc-editor.org/rfc/rfc2046#section-5.1 and netty's
HttpPostMultipartRequestDecoder.
"""

import json

KIND = "multipart/form-data"
MOST_PARTS = 256
"""Most parts of a form, as many as fields in slipway_server."""
MOST_HEAD_BYTES = 8192
"""Longest headers of a form's part, in bytes."""

BOUNDARY_REFUSAL = (
    f"The content type {KIND} needs a boundary of up to 70 letters, digits and '()+_./:=?- behind "
    "it, and no other parameter than charset=utf-8: leave the header to the library that makes the "
    "form."
)
PARTS_REFUSAL = f"The form has more than {MOST_PARTS} parts: send several requests."
HEAD_REFUSAL = (
    f"The headers of a part of the form are longer than {MOST_HEAD_BYTES} bytes, or no empty line "
    "ends them."
)
NESTED_REFUSAL = "A form within a form is not read: send its parts as they are."


def reader() -> str:
    """Return Lua's ``boundary_of`` and ``form_reader``, which Envoy's filter of bodies calls."""
    return _READER.format(
        most_parts=MOST_PARTS,
        parts_text=json.dumps(PARTS_REFUSAL),
        most_head=MOST_HEAD_BYTES,
        head_text=json.dumps(HEAD_REFUSAL),
        nested_text=json.dumps(NESTED_REFUSAL),
    )


_READER = """\
-- Returns the boundary that a form's content type names; nil for one that we might not read as
-- others do.
local function boundary_of(kind)
  local lower, name = kind:lower(), " *; *boundary="
  local _, last = lower:find("^multipart/form%-data" .. name)
  if last == nil then
    _, last = lower:find("^multipart/form%-data *; *charset=utf%-8" .. name)
  end
  if last == nil then return nil end
  local value, rest = kind:match("^([%w'()+_./:=?-]+)(.*)$", last + 1)
  if value == nil then
    value, rest = kind:match([[^"([%w'()+_./:=?-]+)"(.*)$]], last + 1)
  end
  if value == nil or value:len() > 70 then return nil end
  if rest ~= "" and not rest:lower():find("^ *; *charset=utf%-8$") then return nil end
  return value
end

-- Returns a function that takes a form's bytes as they come; it returns why the form is refused.
local function form_reader(boundary)
  local delimiter, parts, in_head, rest = "--" .. boundary, 0, false, ""
  return function(bytes)
    local text, at = rest .. bytes, 1
    while true do
      if in_head and text:sub(at, at + 1) == "--" then
        in_head, at = false, at + 2
      elseif in_head then
        local first, last = text:find("\\n\\r?\\n", at)
        local head = text:sub(at, first):lower()
        if head:len() > {most_head} then return {{status = "400", text = {head_text}}} end
        if first == nil then
          rest = text:sub(at)
          return nil
        end
        parts = parts + 1
        if parts > {most_parts} then return {{status = "413", text = {parts_text}}} end
        if head:find("content%-type[%s%c]*:[%s%c]*multipart/") then
          return {{status = "400", text = {nested_text}}}
        end
        in_head, at = false, last + 1
      else
        local first, last = text:find(delimiter, at, true)
        if first == nil then
          rest = text:sub(math.max(at, text:len() - delimiter:len() + 2))
          return nil
        end
        in_head, at = true, last + 1
      end
    end
  end
end
"""
