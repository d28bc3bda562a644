"""Process 1 of a hub: starts it, creates volumes for its claims, and ends when it ends.

Run by `lifecycle.py` under `unshare --pid --fork --kill-child`, so that one kill ends the hub and its proxy too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

# A process of the testbed has none of its caller's environment.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from testbed import state
from testbed.hub.volumes import Provisioner

LOOK_EVERY = 0.5  # seconds


def main() -> int:
    plan = json.loads(Path(sys.argv[1].partition("=")[2]).read_text())
    hub = subprocess.Popen(
        plan["command"], cwd=plan["folder"], env=os.environ | plan["environment"], stdin=subprocess.DEVNULL
    )
    client = state.load(Path(plan["data"])).client()
    provisioner = Provisioner(client, plan["namespace"], Path(plan["volumes"]), plan["labels"])
    while (code := hub.poll()) is None:
        try:
            provisioner.run()
        except Exception as error:
            # The control plane may be down for a moment, and the namespace may be gone.
            print(f"no volumes: {error}", file=sys.stderr, flush=True)
        time.sleep(LOOK_EVERY)
    return code


if __name__ == "__main__":
    sys.exit(main())
