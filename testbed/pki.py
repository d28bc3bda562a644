"""The testbed's certificates and keys, all created once with `cryptography`.

One authority for the API server and its clients, another for etcd, so that clients of one are not trusted by the other,
and a key pair that signs service account tokens. All certificates are for loopback and valid for ten years.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

TEN_YEARS = datetime.timedelta(days=3650)
# The names and addresses of the API server. 10.96.0.1 is the first address of the service range.
SERVER_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
SERVER_ADDRESSES = ("127.0.0.1", "10.96.0.1")
#: The API server's clients, each with its user and groups, and the API server as a client of kubelet.
CLIENTS: dict[str, tuple[str, list[str]]] = {
    "admin": ("testbed-admin", ["system:masters"]),
    "controller-manager": ("system:kube-controller-manager", []),
    "scheduler": ("system:kube-scheduler", []),
    "node": ("system:node:127.0.0.1", ["system:nodes"]),
    "kubelet-client": ("kube-apiserver-kubelet-client", []),
}


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _name(common_name: str, organizations: Iterable[str] = ()) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in organizations]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, both PEM."""

    certificate: bytes
    key: bytes

    def write(self, folder: Path, name: str) -> None:
        (folder / f"{name}.crt").write_bytes(self.certificate)
        (folder / f"{name}.key").write_bytes(self.key)

    @classmethod
    def read(cls, folder: Path, name: str) -> Pair:
        return cls((folder / f"{name}.crt").read_bytes(), (folder / f"{name}.key").read_bytes())


def make_authority(common_name: str) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(_name(common_name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + TEN_YEARS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Pair(certificate.public_bytes(serialization.Encoding.PEM), _pem(key))


def issue(
    authority: Pair,
    common_name: str,
    organizations: Iterable[str] = (),
    *,
    names: Iterable[str] = (),
    addresses: Iterable[str] = (),
    lifetime: datetime.timedelta = TEN_YEARS,
) -> Pair:
    """Return a certificate signed by `authority`: for a client, and also for a server if `names` or `addresses` are given.

    Kubernetes uses the common name as the user and the organizations as the groups. A negative `lifetime` gives a
    certificate that expired that long ago.
    """
    issuer = x509.load_pem_x509_certificate(authority.certificate)
    signer = serialization.load_pem_private_key(authority.key, None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    end = datetime.datetime.now(datetime.timezone.utc) + lifetime
    start = min(end, datetime.datetime.now(datetime.timezone.utc)) - datetime.timedelta(hours=1)
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if alternatives else [])]
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(common_name, organizations))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False)  # type: ignore[arg-type]
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    certificate = builder.sign(signer, hashes.SHA256())
    return Pair(certificate.public_bytes(serialization.Encoding.PEM), _pem(key))


def ensure(folder: Path) -> None:
    """Create the files of the testbed in `folder`, unless it exists. It is created atomically, by a rename.

    Certificates of clients that an older version did not create are added.
    """
    if folder.exists():
        _issue_missing(folder, Pair.read(folder, "ca"))
        return
    temporary = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True, mode=0o700)
    authority, etcd_authority = (
        make_authority("odh-persistency-testbed"),
        make_authority("odh-persistency-testbed-etcd"),
    )
    authority.write(temporary, "ca")
    etcd_authority.write(temporary, "etcd-ca")
    issue(etcd_authority, "etcd", names=["localhost"], addresses=["127.0.0.1"]).write(temporary, "etcd")
    issue(etcd_authority, "kube-apiserver").write(temporary, "etcd-client")
    issue(authority, "kube-apiserver", names=SERVER_NAMES, addresses=SERVER_ADDRESSES).write(temporary, "apiserver")
    _issue_missing(temporary, authority)
    signing_key = ec.generate_private_key(ec.SECP256R1())
    (temporary / "service-accounts.key").write_bytes(_pem(signing_key))
    (temporary / "service-accounts.pub").write_bytes(
        signing_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    for key in temporary.glob("*.key"):
        key.chmod(0o600)
    os.replace(temporary, folder)


def _issue_missing(folder: Path, authority: Pair) -> None:
    for name, (user, groups) in CLIENTS.items():
        if not (folder / f"{name}.crt").exists():
            pair = issue(authority, user, groups)
            (folder / f"{name}.key").touch(0o600)
            # The certificate last, because it shows that both exist.
            (folder / f"{name}.key").write_bytes(pair.key)
            (folder / f"{name}.crt").write_bytes(pair.certificate)
