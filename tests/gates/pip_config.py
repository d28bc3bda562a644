"""Print the effective settings of pip, from its files and from PIP_*, as one configuration file.

ansible-test drops PIP_* and the proxy variables, and with another HOME pip does not find the user's files.
"""

import ast
import configparser
import os
import subprocess
import sys

config = configparser.RawConfigParser()
config.read_dict({"global": {}})
listing = subprocess.run([sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True)
for line in listing.stdout.splitlines():
    name, _, value = line.partition("=")
    section, _, option = name.rpartition(".")
    section = section.replace(":env:", "global")
    if not config.has_section(section):
        config.add_section(section)
    config.set(section, option, ast.literal_eval(value))
for option, variables in {
    "proxy": ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
    "cert": ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"),
}.items():
    found = [os.environ[name] for name in variables if os.environ.get(name)]
    if found and not config.has_option("global", option):
        config.set("global", option, found[0])
config.set("global", "quiet", "1")
config.write(sys.stdout)
