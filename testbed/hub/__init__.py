"""A JupyterHub on this machine whose servers are pods on the testbed's node: `lifecycle.up()` and `lifecycle.down()`."""
