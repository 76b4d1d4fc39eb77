"""Lines of the JSON access log against docs/log.schema.json: as much of JSON Schema as that file uses, so that every play
can afford to check every line. Whether it reads the schema as others do is shown by timing/test_log_schema.py."""
import json
import re
from functools import lru_cache
from pathlib import Path

PATH = Path(__file__).resolve().parents[3] / "docs" / "log.schema.json"
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
KNOWN = {"$schema", "$id", "title", "description", "type", "properties", "required", "minProperties", "items", "minItems",
         "maxItems", "minLength", "pattern", "minimum", "maximum", "enum", "const"}


@lru_cache(maxsize=None)
def log_schema():
    return json.loads(PATH.read_text())


def _is_type(value, name):
    return isinstance(value, TYPES[name]) and not (name == "integer" and isinstance(value, bool))


def _simple_faults(value, schema):
    if "type" in schema and not _is_type(value, schema["type"]):
        yield f"is no {schema['type']}"
        return
    if "const" in schema and (value != schema["const"] or type(value) is not type(schema["const"])):
        yield f"is not {schema['const']}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"is none of {schema['enum']}"
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        yield f"does not match {schema['pattern']}"
    if isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield "is too small or too large"
    if isinstance(value, (str, list, dict)):
        least = max(schema.get(key, 0) for key in ("minLength", "minItems", "minProperties"))
        if not least <= len(value) <= schema.get("maxItems", len(value)):
            yield "is too short or too long"


def faults(value, schema, where="", strict=True):
    """What is wrong, as sentences. Strict: a member that the schema does not know is wrong, too."""
    assert set(schema) <= KNOWN, set(schema) - KNOWN
    yield from (f"{where or 'it'} {fault}" for fault in _simple_faults(value, schema))
    if isinstance(value, dict) and "properties" in schema:
        yield from (f"{where}.{key} is missing" for key in schema.get("required", ()) if key not in value)
        for key, part in value.items():
            if key in schema["properties"]:
                yield from faults(part, schema["properties"][key], f"{where}.{key}", strict)
            elif strict:
                yield f"{where}.{key} is not in docs/log.schema.json"
    if isinstance(value, list) and "items" in schema:
        for i, part in enumerate(value):
            yield from faults(part, schema["items"], f"{where}[{i}]", strict)


def check_log(lines):
    """Each line that is an object; plays about broken outputs have others."""
    for line in lines:
        try:
            value = json.loads(line)
        except ValueError:
            continue
        found = list(faults(value, log_schema())) if isinstance(value, dict) else []
        assert not found, f"{found}: {line}"
