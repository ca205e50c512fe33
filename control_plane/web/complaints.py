"""What is wrong with a field of a request, in the words that the rest of the portal has for it."""

from collections.abc import Mapping
from typing import Any

# By pydantic's name of the fault; what is not here is told in its own words.
_WORDS: Mapping[str, str] = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "enum": "must be one of {expected}",
    "literal_error": "must be one of {expected}",
    "string_type": "must be text",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match the pattern {pattern}",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "too_long": "must have at most {max_length} parts",
    "too_short": "must have at least {min_length} parts",
    "dict_type": "must be names with values",
    "model_type": "must be names with values",
    "model_attributes_type": "must be names with values",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "datetime_type": "must be a day and a time, by RFC 3339",
    "datetime_parsing": "must be a day and a time, by RFC 3339",
    "datetime_from_date_parsing": "must be a day and a time, by RFC 3339",
    "datetime_object_invalid": "must be a day and a time, by RFC 3339",
    "timezone_aware": "must say its offset from UTC, such as Z",
    "value_error": "{error}",
}


def told(fault: Mapping[str, Any]) -> str:
    """Return a fault that pydantic found as a person is told of it."""
    kind, found = str(fault["type"]), dict(fault.get("ctx", {}))
    if kind == "string_too_short" and found["min_length"] == 1:
        return "must not be empty"
    if "expected" in found:
        found["expected"] = str(found["expected"]).replace("'", "").replace(" or ", ", ")
    return _WORDS[kind].format(**found) if kind in _WORDS else str(fault["msg"])
