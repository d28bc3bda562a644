"""The REST API of AWX, as much of it as the role awx uses, in memory.

It stores what it gets and returns it as AWX does: with defaults, IDs, secrets as `$encrypted$`, and the organization of a job
template from its project. It rejects what AWX rejects: unknown filters, names that exist, missing fields, objects that do not
exist, playbooks that are not in the project, and all of them before its first update. Unknown fields are ignored, as in AWX. It
plans no jobs.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TOKEN = "the-token-of-awx"
ENCRYPTED = "$encrypted$"
PLAYBOOKS = ("drift.yml", "site.yml", "reports.yml")
Row = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of objects: its type, fields with defaults, those that refer to other kinds, and what makes it unique."""

    type: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ("name",)
    unique: tuple[str, ...] = ("name", "organization")
    associations: Mapping[str, str] = field(default_factory=dict)


_NOTIFIED = {
    f"notification_templates_{event}": "notification_templates"
    for event in ("started", "success", "error", "approvals")
}
_JOBS = {"scm_branch": "", "limit": "", "job_tags": "", "skip_tags": "", "allow_simultaneous": False}
_ASKED = {
    f"ask_{what}_on_launch": False
    for what in ("variables", "limit", "tags", "skip_tags", "inventory", "credential", "job_type")
}
_NODES = dict.fromkeys(("success_nodes", "failure_nodes", "always_nodes"), "workflow_job_template_nodes")
_ORGANIZATION = {"organization": "organizations"}
_ENVIRONMENT = {"execution_environment": "execution_environments"}

KINDS: Mapping[str, Kind] = {
    "organizations": Kind(
        "organization",
        {"description": "", "max_hosts": 0, "default_environment": None},
        {"default_environment": "execution_environments"},
        unique=("name",),
        associations={"galaxy_credentials": "credentials", "instance_groups": "instance_groups", **_NOTIFIED},
    ),
    "instance_groups": Kind("instance_group", unique=("name",)),
    "execution_environments": Kind(
        "execution_environment",
        {"description": "", "pull": "", "organization": None, "credential": None},
        {**_ORGANIZATION, "credential": "credentials"},
        ("name", "image"),
        ("name",),
    ),
    "credential_types": Kind(
        "credential_type",
        {"description": "", "managed": False, "inputs": {}, "injectors": {}, "namespace": None},
        required=("name", "kind"),
        unique=("name", "kind"),
    ),
    "credentials": Kind(
        "credential",
        {"description": "", "organization": None, "inputs": {}, "managed": False},
        {**_ORGANIZATION, "credential_type": "credential_types"},
        ("name", "credential_type"),
        ("name", "organization", "credential_type"),
    ),
    "projects": Kind(
        "project",
        {
            **dict.fromkeys(("description", "scm_type", "scm_url", "scm_branch", "scm_refspec", "local_path"), ""),
            **dict.fromkeys(("scm_update_on_launch", "scm_clean", "allow_override"), False),
            **{"credential": None, "organization": None, "default_environment": None, "timeout": 0},
        },
        {**_ORGANIZATION, "credential": "credentials"},
        associations=_NOTIFIED,
    ),
    "inventories": Kind(
        "inventory",
        {"description": "", "kind": "", "host_filter": None, "variables": ""},
        _ORGANIZATION,
        ("name", "organization"),
        associations={"instance_groups": "instance_groups"},
    ),
    "inventory_sources": Kind(
        "inventory_source",
        {
            **dict.fromkeys(("description", "source_path", "source_vars", "limit", "scm_branch"), ""),
            **dict.fromkeys(("overwrite", "overwrite_vars", "update_on_launch"), False),
            **{"source_project": None, "execution_environment": None, "update_cache_timeout": 0},
        },
        {"inventory": "inventories", "source_project": "projects", **_ENVIRONMENT},
        ("name", "inventory", "source"),
        ("name", "inventory"),
        _NOTIFIED,
    ),
    "notification_templates": Kind(
        "notification_template",
        {"description": "", "messages": dict.fromkeys(("started", "success", "error", "workflow_approval"))},
        _ORGANIZATION,
        ("name", "organization", "notification_type", "notification_configuration"),
    ),
    "job_templates": Kind(
        "job_template",
        {
            **{**_JOBS, **_ASKED, "description": "", "job_type": "run", "extra_vars": "", "diff_mode": False},
            **{"inventory": None, "execution_environment": None, "forks": 0, "verbosity": 0},
        },
        {"inventory": "inventories", "project": "projects", **_ENVIRONMENT},
        ("name", "project", "playbook"),
        associations={"credentials": "credentials", "instance_groups": "instance_groups", **_NOTIFIED},
    ),
    "workflow_job_templates": Kind(
        "workflow_job_template",
        {**_JOBS, **_ASKED, "description": "", "extra_vars": "", "inventory": None, "organization": None},
        {**_ORGANIZATION, "inventory": "inventories"},
        associations=_NOTIFIED,
    ),
    "workflow_job_template_nodes": Kind(
        "workflow_job_template_node",
        {"extra_data": {}, "all_parents_must_converge": False, "unified_job_template": None},
        {"workflow_job_template": "workflow_job_templates", "unified_job_template": "unified_job_templates"},
        ("workflow_job_template", "identifier"),
        ("workflow_job_template", "identifier"),
        _NODES,
    ),
    "workflow_approval_templates": Kind("workflow_approval_template", {"description": "", "timeout": 0}, unique=()),
    "schedules": Kind(
        "schedule",
        {"description": "", "enabled": True, "extra_data": {}, "inventory": None},
        {"unified_job_template": "unified_job_templates"},
        ("name", "rrule", "unified_job_template"),
        ("name", "unified_job_template"),
    ),
    "project_updates": Kind(
        "project_update", {"status": "successful", "failed": False, "scm_revision": "", "finished": "now"}, unique=()
    ),
}
#: What the API lists as one kind, with IDs in common.
UNIFIED = ("projects", "inventory_sources", "job_templates", "workflow_job_templates", "workflow_approval_templates")

#: Missing settings of a notification get these.
WEBHOOK = {"http_method": "POST", "disable_ssl_verification": False, "username": "", "password": ""}
SECRET_SETTINGS = ("password", "token", "account_token", "grafana_key", "aws_secret_access_key", "aws_session_token")


class Rejected(Exception):
    """An answer with an error: the status and the body."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status, body)
        self.status, self.body = status, body


@dataclass
class Awx:
    """The objects of an AWX, and the requests that it got."""

    rows: dict[str, dict[int, Row]] = field(default_factory=lambda: {name: {} for name in KINDS})
    linked: dict[tuple[str, int, str], list[int]] = field(default_factory=dict)
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    playbooks: tuple[str, ...] = PLAYBOOKS
    #: The URL of a repository that AWX cannot reach.
    unreachable: str = ""
    address: str = ""
    _last: int = 0

    def __post_init__(self) -> None:
        """Create what every AWX has."""
        galaxy = self.create("credential_types", {"name": "Ansible Galaxy/Automation Hub API Token", "kind": "galaxy"})
        self.create("credentials", {"name": "Ansible Galaxy", "credential_type": galaxy["id"]})
        texts = {name: {"type": "string"} for name in ("host", "bearer_token", "ssl_ca_cert")}
        fields = [{"id": "verify_ssl", "type": "boolean"}, *({"id": name, **spec} for name, spec in texts.items())]
        for spec in fields:
            spec["secret"] = spec["id"] in ("bearer_token", "ssl_ca_cert")
        kubernetes = {"name": "OpenShift or Kubernetes API Bearer Token", "kind": "kubernetes", "managed": True}
        self.create(
            "credential_types", {**kubernetes, "inputs": {"fields": fields, "required": ["host", "bearer_token"]}}
        )
        self.create("instance_groups", {"name": "default"})
        self.requests.clear()

    @property
    def writes(self) -> list[tuple[str, str, Any]]:
        """The requests that could change something."""
        return [request for request in self.requests if request[0] != "GET"]

    def one(self, kind: str, name: str) -> Row:
        """The only object of a kind with this name."""
        (found,) = (row for row in self.rows[kind].values() if row.get("name", row.get("identifier")) == name)
        return found

    def names(self, kind: str, row: Row, association: str) -> list[str]:
        """The names of what is associated with an object."""
        other = self.rows[KINDS[kind].associations[association]]
        found = (other[number] for number in self.linked.get((kind, row["id"], association), []))
        return [item.get("name", item.get("identifier")) for item in found]

    # --- what the API does ---------------------------------------------------------------------------------------------

    def find(self, kind: str, number: int) -> Row:
        for name in UNIFIED if kind == "unified_job_templates" else (kind,):
            if number in self.rows[name]:
                return self.rows[name][number]
        raise Rejected(404, {"detail": "Not found."})

    def select(self, kind: str, query: Mapping[str, str]) -> list[Row]:
        kinds = UNIFIED[:-1] if kind == "unified_job_templates" else (kind,)
        found = [row for name in kinds for row in self.rows[name].values()]
        alternatives = {key[4:]: value for key, value in query.items() if key.startswith("or__")}
        for key, value in query.items():
            if key.startswith("or__") or key in ("page", "page_size", "order_by"):
                continue
            if "__" in key or not (key in ("id", "type", "name") or any(key in row for row in found) or not found):
                raise Rejected(400, {"detail": f"{kind} has no field named '{key}'"})
            found = [row for row in found if str(row.get(key)) == value]
        if alternatives:
            found = [row for row in found if any(str(row.get(key)) == value for key, value in alternatives.items())]
        return found

    def create(self, kind: str, sent: Mapping[str, Any]) -> Row:
        spec = KINDS[kind]
        missing = [name for name in spec.required if sent.get(name) in (None, "")]
        if missing:
            raise Rejected(400, {name: ["This field is required."] for name in missing})
        self._last += 1
        row = {"id": self._last, "type": spec.type, "url": f"/api/v2/{kind}/{self._last}/", "related": {}}
        row |= {"summary_fields": {}, **json.loads(json.dumps(spec.defaults))}
        self._store(kind, row, sent)
        self.rows[kind][row["id"]] = row
        if kind == "projects":
            update = self._update(row)
            row["summary_fields"] = {"current_update": {"id": update["id"]}}
        return row

    def _update(self, project: Row) -> Row:
        """Update a project. It has playbooks from the first time on that it can be updated."""
        reached = project["scm_url"] != self.unreachable
        project["scm_revision"] = "0" * 40 if reached else project.get("scm_revision", "")
        status = {"status": "successful" if reached else "failed", "failed": not reached}
        return self.create(
            "project_updates", {"name": project["name"], "scm_revision": project["scm_revision"], **status}
        )

    def change(self, kind: str, row: Row, sent: Mapping[str, Any]) -> Row:
        changed = dict(row)
        self._store(kind, changed, sent)
        row.update(changed)
        return row

    def _store(self, kind: str, row: Row, sent: Mapping[str, Any]) -> None:
        """Set the fields of an object, or reject them."""
        spec = KINDS[kind]
        known = {*spec.defaults, *spec.references, *spec.required} - {"managed"}
        known |= {"managed"} if "managed" in sent and not self.requests else set()
        before = dict(row)
        row.update({name: value for name, value in sent.items() if name in known})
        for name, other in spec.references.items():
            if row.get(name) is not None:
                try:
                    self.find(other, row[name])
                except Rejected:
                    raise Rejected(400, {name: [f'Invalid pk "{row[name]}" - object does not exist.']}) from None
        check = getattr(self, f"_check_{spec.type}", None)
        if check is not None:
            check(row, before)
        same = [r for r in self.rows[kind].values() if all(r.get(name) == row.get(name) for name in spec.unique)]
        if spec.unique and [r for r in same if r["id"] != row["id"]]:
            raise Rejected(400, {"__all__": [f"{spec.type} with this {' and '.join(spec.unique)} already exists."]})

    def _check_inventory(self, row: Row, _before: Row) -> None:
        if row["kind"] is None:
            row["kind"] = ""

    def _check_credential(self, row: Row, before: Row) -> None:
        if self.requests and row["organization"] is None:
            raise Rejected(400, {"detail": "Missing 'user', 'team', or 'organization'."})
        fields = self.find("credential_types", row["credential_type"])["inputs"]
        specs = {spec["id"]: spec for spec in fields.get("fields", [])}
        inputs = dict(row["inputs"])
        for name, value in inputs.items():
            if name not in specs:
                raise Rejected(
                    400, {"inputs": {name: [f"Additional properties are not allowed ('{name}' was unexpected)"]}}
                )
            if not isinstance(value, bool if specs[name]["type"] == "boolean" else str):
                raise Rejected(400, {"inputs": {name: [f"{value!r} is not of type '{specs[name]['type']}'"]}})
            if value == ENCRYPTED:
                inputs[name] = before["inputs"][name]
        missing = [name for name in fields.get("required", []) if not inputs.get(name)]
        if missing:
            raise Rejected(400, {"inputs": {name: ["required for this credential type"] for name in missing}})
        row["inputs"] = inputs

    def _check_notification_template(self, row: Row, before: Row) -> None:
        configuration = dict(row["notification_configuration"])
        if row["notification_type"] == "webhook":
            configuration = {**WEBHOOK, **configuration}
            if not {"url", "headers"} <= set(configuration):
                raise Rejected(400, ["Missing required fields for Notification Configuration"])
        for name in SECRET_SETTINGS:
            if configuration.get(name) == ENCRYPTED:
                configuration[name] = before["notification_configuration"][name]
        row["notification_configuration"] = configuration

    def _check_job_template(self, row: Row, _before: Row) -> None:
        project = self.find("projects", row["project"])
        row["organization"] = project["organization"]
        if row["playbook"] not in self.playbooks or not project["scm_revision"]:
            raise Rejected(400, {"playbook": ["Playbook not found for project."]})

    def _check_schedule(self, row: Row, _before: Row) -> None:
        rule = row["rrule"]
        if len(re.findall(r"DTSTART(?:;[^:]+)?:[0-9]+T[0-9]+Z?", rule)) != 1 or "RRULE:" not in rule:
            raise Rejected(400, {"rrule": ["Valid DTSTART required in rrule."]})
        if "INTERVAL" not in rule or "SECONDLY" in rule:
            raise Rejected(400, {"rrule": ["INTERVAL required in rrule"]})

    def shown(self, row: Row) -> Row:
        """Return an object as the API returns it."""
        row = json.loads(json.dumps(row))
        if row["type"] == "project":
            row["related"]["update"] = row["url"] + "update/"
        if row["type"] == "credential":
            specs = self.find("credential_types", row["credential_type"])["inputs"].get("fields", [])
            secrets: tuple[str, ...] = tuple(spec["id"] for spec in specs if spec.get("secret"))
            values = row["inputs"]
        else:
            secrets, values = SECRET_SETTINGS, row.get("notification_configuration") or {}
        values.update({name: ENCRYPTED for name in secrets if values.get(name)})
        if row["type"] == "workflow_job_template_node" and row["unified_job_template"]:
            row["related"]["unified_job_template"] = self.find("unified_job_templates", row["unified_job_template"])[
                "url"
            ]
        return row

    def answer(self, method: str, path: str, query: Mapping[str, str], sent: Any) -> tuple[int, Any]:
        """Return the status and the body for a request."""
        parts = path.strip("/").split("/")[2:]
        kind = parts[0]
        if kind not in KINDS and kind != "unified_job_templates":
            raise Rejected(404, {"detail": "The requested resource could not be found."})
        if len(parts) == 1:
            if method == "POST":
                return 201, self.shown(self.create(kind, sent))
            return 200, self._listed(self.select(kind, query))
        row = self.find(kind, int(parts[1]))
        if len(parts) == 2:
            return 200, self.shown(self.change(kind, row, sent) if method == "PATCH" else row)
        if parts[2] == "update" and kind == "projects":
            return 202, self._update(row)
        if parts[2] == "create_approval_template" and kind == "workflow_job_template_nodes":
            approval = self.create("workflow_approval_templates", sent)
            row["unified_job_template"] = approval["id"]
            return 201, self.shown(approval)
        if parts[2] not in KINDS[kind].associations:
            raise Rejected(404, {"detail": "The requested resource could not be found."})
        linked = self.linked.setdefault((kind, row["id"], parts[2]), [])
        other = KINDS[kind].associations[parts[2]]
        if method == "GET":
            return 200, self._listed([self.find(other, number) for number in linked])
        self.find(other, sent["id"])
        if sent.get("disassociate"):
            linked.remove(sent["id"])
        else:
            linked.append(sent["id"])
        return 204, None

    def _listed(self, rows: list[Row]) -> Row:
        return {"count": len(rows), "next": None, "previous": None, "results": [self.shown(row) for row in rows]}


class _Handler(BaseHTTPRequestHandler):
    awx: Awx
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _handle(self) -> None:
        url = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        sent = json.loads(self.rfile.read(length) or "null")
        self.awx.requests.append((self.command, url.path, sent))
        try:
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                raise Rejected(401, {"detail": "Authentication credentials were not provided."})
            status, body = self.awx.answer(self.command, url.path, dict(parse_qsl(url.query, True)), sent)
        except Rejected as rejected:
            status, body = rejected.status, rejected.body
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-API-Product-Name", "AWX")
        self.send_header("X-API-Product-Version", "24.6.1")
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = _handle

    def log_message(self, *_words: object) -> None:
        """Print nothing."""


@contextmanager
def running() -> Iterator[Awx]:
    """Run the API on loopback."""
    awx = Awx()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"awx": awx}))
    awx.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield awx
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
