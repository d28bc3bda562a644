"""Stands in for get-pip.py in ansible-test's cache: bootstraps pip from the wheel that Python itself carries.

ansible-test makes its virtual environments without pip and downloads get-pip.py from a server that is not a package
registry (ansible/ansible#77304). ensurepip does the same without one, and that pip gets the wanted one from the registry.
"""

import os
import subprocess
import sys

# In a process of its own, for ensurepip turns all of pip's settings off in its environment.
subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
arguments = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
os.execv(sys.executable, [sys.executable, "-m", "pip", "install", *arguments])
