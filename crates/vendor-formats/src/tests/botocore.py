"""Holds arguments of Converse against botocore's own model of the operation.

Reads a JSON list of argument documents in the spelling of Step Functions from standard input. Translates the members
that the model names back to botocore's spelling, and prints what the model does not take, one line each.
"""

import base64
import json
import re
import sys

import botocore.session
from botocore.validate import ParamValidator

model = botocore.session.Session().get_service_model("bedrock-runtime")
shape = model.operation_model("Converse").input_shape
faults = []


def translated(value, shape, path):
    """The value in botocore's spelling; what the validator does not check is checked here."""
    kind = shape.type_name
    if kind == "structure" and shape.is_document_type:
        return value
    if kind == "structure":
        names = {name[0].upper() + name[1:]: name for name in shape.members}
        result = {}
        for name, field in value.items():
            if name not in names:
                faults.append(f"{path}.{name} is no member of {shape.name}")
                continue
            result[names[name]] = translated(field, shape.members[names[name]], f"{path}.{name}")
        return result
    if kind == "list":
        return [translated(item, shape.member, f"{path}[{index}]") for index, item in enumerate(value)]
    if kind == "map":
        return {
            translated(key, shape.key, path): translated(field, shape.value, f"{path}.{key}")
            for key, field in value.items()
        }
    if kind == "blob":
        return base64.b64decode(value, validate=True)
    if kind == "string":
        pattern = shape.metadata.get("pattern")
        if shape.enum and value not in shape.enum:
            faults.append(f"{path} is {value!r}, which is none of {shape.enum}")
        if pattern and not re.search(f"^(?:{pattern})$", value):
            faults.append(f"{path} is {value!r}, which is not of the pattern {pattern}")
        if len(value) > shape.metadata.get("max", len(value)):
            faults.append(f"{path} has {len(value)} characters")
    return value


documents = json.load(sys.stdin)
for index, document in enumerate(documents):
    arguments = translated(document, shape, f"[{index}]")
    report = ParamValidator().validate({"modelId": "a.b", **arguments}, shape)
    if report.has_errors():
        faults.append(f"[{index}] {report.generate_report()}")
print(f"{len(documents)} documents", *faults, sep="\n")
