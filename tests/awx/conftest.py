"""Jobs of AWX against a real API server, with accounts that have the rights of examples/rbac and no other."""

from __future__ import annotations

from tests.support.awx_fixtures import *  # noqa: F403
from tests.support.fixtures import *  # noqa: F403
