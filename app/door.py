"""The app for other computers of the room: https with a certificate made on the spot, and what to tell people about it.

Browsers hand out the microphone only at http://localhost or over https. The certificate vouches for nobody (that takes
a public name and a connection), so each browser warns once; the link is encrypted all the same.
"""

from __future__ import annotations

import datetime
import hmac
import ipaddress
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from audioformer.errors import AudioformerError

DAYS = 30
MIN_LETTERS = 6
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another one when read aloud from the board


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate on disk.

    Attributes:
        certificate: PEM file.
        key: PEM file, readable by its owner only.
        fingerprint: SHA-256 as browsers show it, "AB:CD:...".
    """

    certificate: Path
    key: Path
    fingerprint: str


def own_names() -> tuple[list[str], list[str]]:
    """Host names and IPv4 addresses under which other computers may find this one.

    Nothing is sent anywhere to learn them.
    """
    import psutil

    host = socket.gethostname()
    names = [host] if "." in host else [host, f"{host}.local"]
    up = {name for name, state in psutil.net_if_stats().items() if state.isup}
    found = [
        a.address
        for name, entries in psutil.net_if_addrs().items()
        if name in up
        for a in entries
        if a.family == socket.AF_INET
    ]
    usable = (ipaddress.ip_address(address) for address in found)
    return names, [str(address) for address in usable if not address.is_loopback and not address.is_link_local]


@contextmanager
def certificate(names: list[str], addresses: list[str]) -> Iterator[Certificate]:
    """A certificate for these names and addresses, and for localhost; its files are gone after the block.

    Args:
        names: host names.
        addresses: IP addresses.

    Raises:
        AudioformerError: the files cannot be written.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="audioformer-certificate-"))  # open to us alone
    except OSError as error:
        raise AudioformerError(
            f"no certificate: {tempfile.gettempdir()} cannot be written ({error.strerror}); set TMPDIR"
        ) from error
    try:
        content, key, fingerprint = _sign(["localhost", *names], ["127.0.0.1", *addresses])
        made = Certificate(folder / "certificate.pem", folder / "key.pem", fingerprint)
        made.certificate.write_bytes(content)
        with os.fdopen(os.open(made.key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(key)
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sign(names: list[str], addresses: list[str]) -> tuple[bytes, bytes, str]:
    """Certificate and key as PEM, and the fingerprint: elliptic curve P-256, for servers, 30 days from yesterday on."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "audioformer, made on the spot")])
    known_as = [x509.DNSName(name) for name in dict.fromkeys(names)]
    known_as += [x509.IPAddress(ipaddress.ip_address(address)) for address in dict.fromkeys(addresses)]
    begins = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)  # clocks differ
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + datetime.timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName(known_as), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return made.public_bytes(serialization.Encoding.PEM), secret, made.fingerprint(hashes.SHA256()).hex(":").upper()


def new_password() -> str:
    """Eight letters and digits that can be read aloud: 39 bits."""
    return "".join(secrets.choice(LETTERS) for _ in range(8))


def require_password(password: str) -> Callable[[str, str], bool]:
    """The question that Gradio asks at its door: any name, this password.

    Raises:
        AudioformerError: the password is too short.
    """
    if len(password) < MIN_LETTERS:
        raise AudioformerError(
            f"the password has {len(password)} letters and needs at least {MIN_LETTERS}; `--password` alone makes one"
        )

    def is_right(_name: str, given: str) -> bool:
        return hmac.compare_digest(given.encode(), password.encode())

    return is_right


def what_to_tell(port: int, names: list[str], addresses: list[str], fingerprint: str, password: str | None) -> str:
    """The lines for whoever starts the app: addresses, the browser's warning and why it comes, the password."""
    lines = [f"other computers:  {'  '.join(f'https://{name}:{port}' for name in [*addresses, *names])}"]
    lines += [
        "each browser warns once that the connection is not private: the certificate was made here, just now, "
        "and nobody vouches for it.",
        "go on with Advanced, Proceed (Chrome, Edge), Accept the Risk (Firefox), visit this website (Safari); "
        "the link is encrypted.",
        "it has to be https: browsers give the microphone to no plain http page of another computer.",
        f"to be sure that it is this computer, compare the certificate's SHA-256 fingerprint: {fingerprint}",
    ]
    door = "everybody in this network can open the page; --password asks for one"
    return "\n".join([*lines, f"any name, password: {password}" if password else door])
