"""Stands in for get-pip.py in ansible-test's cache: bootstraps pip from the wheel that Python itself carries.

ansible-test makes its virtual environments without pip and downloads get-pip.py from a server that is not a package
registry (ansible/ansible#77304). ensurepip does the same without one, and that pip gets the wanted one from the registry.
"""

import ensurepip
import os
import sys

environment = dict(os.environ)
ensurepip.bootstrap()  # turns pip's settings off in this process's environment
arguments = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
os.execve(sys.executable, [sys.executable, "-m", "pip", "install", *arguments], environment)
