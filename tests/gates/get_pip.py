"""Replaces get-pip.py in ansible-test's cache: bootstraps pip from the wheel that Python contains.

ansible-test creates virtual environments without pip and downloads get-pip.py from a server that is not a package registry
(ansible/ansible#77304). ensurepip needs no server, and its pip installs the required version from the registry.
"""

import os
import subprocess
import sys

# In its own process, because ensurepip disables pip's settings in its environment.
subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
arguments = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
os.execv(sys.executable, [sys.executable, "-m", "pip", "install", *arguments])
