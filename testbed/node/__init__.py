"""A real node for the testbed: scheduler, kubelet, containerd and network plugins on this machine, and a notebook image.

All of it runs in a mount and a PID namespace of its own (`supervisor.py`), so that one kill ends every process and every
mount. `lifecycle.up()` and `lifecycle.down()` are its Python interface, `python -m testbed up --node` its command line.
"""
