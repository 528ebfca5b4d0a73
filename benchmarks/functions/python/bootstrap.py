"""The least that a Python function needs to take work from the Lambda Runtime API: bootstrap.py MODULE."""

import http.client
import importlib
import json
import os
import sys

handler = importlib.import_module(sys.argv[1]).handler
runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    runtime.request("GET", "/2018-06-01/runtime/invocation/next")
    work = runtime.getresponse()
    request_id = work.headers["Lambda-Runtime-Aws-Request-Id"]
    try:
        outcome, body = "response", handler(json.loads(work.read()))
    except Exception as error:
        outcome, body = "error", {"errorType": type(error).__name__, "errorMessage": str(error)}
    path = f"/2018-06-01/runtime/invocation/{request_id}/{outcome}"
    runtime.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    runtime.getresponse().read()
