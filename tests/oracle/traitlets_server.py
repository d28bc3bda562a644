"""Runs configurations as JupyterHub does, with its own traitlets, and answers what they set. JSON lines, as in server.py.

A request is a list of Python texts, which share their names. An answer has the `sections` that they set, or `error`. Values that
are no JSON are texts.
"""

import contextlib
import json
import sys

from traitlets.config import Config

print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    config = Config()
    names = {"c": config, "get_config": lambda config=config: config, "nullcontext": contextlib.nullcontext}
    try:
        for text in json.loads(line):
            exec(text, names)
        sections = {name: dict(value) for name, value in config.items() if isinstance(value, dict)}
        answer = {"sections": sections}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer, default=repr), flush=True)
