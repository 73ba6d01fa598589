"""The electronic seal of the office: PAdES signatures on notices (ETSI EN 319 142-1), with the office's certificate, or
with one of a test CA that says so wherever it is shown."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, pkcs12
from cryptography.x509.oid import NameOID
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko.sign.timestamps import HTTPTimeStamper

from libs.common.keys import write_once, written_beside

TEST_SIGNER = "試験用の署名（法的効力なし）"
TEST_NAME = "TEST - NO LEGAL EFFECT 試験用（法的効力なし）"
_YEARS = timedelta(days=5 * 365)


@dataclass(frozen=True)
class Seal:
    """Signs documents as `name`. `test`: with the test CA."""

    name: str
    test: bool
    _signer: signers.Signer
    _stamps: HTTPTimeStamper | None

    def sign(self, document: bytes) -> bytes:
        """The document with a signature that lets no later change pass unseen."""
        writer = IncrementalPdfFileWriter(BytesIO(document))
        about = signers.PdfSignatureMetadata(
            field_name="Seal",
            md_algorithm="sha256",
            subfilter=fields.SigSeedSubFilter.PADES,
            certify=True,
            docmdp_permissions=fields.MDPPerm.NO_CHANGES,
        )
        unseen = fields.InvisSigSettings(
            box_out_of_bounds=True
        )  # in the page PDF/UA would have it in the reading order
        signer = signers.PdfSigner(
            about,
            signer=self._signer,
            timestamper=self._stamps,
            new_field_spec=fields.SigFieldSpec("Seal", invis_sig_settings=unseen),
        )
        signed = signer.sign_pdf(writer)
        return signed.getvalue()


def load(pkcs12_file: Path | None, password: str, stamps_url: str | None, keys: Path) -> Seal:
    """The seal of the settings; without a certificate, the test CA's, made in `keys` when it is not there."""
    test = pkcs12_file is None
    path = pkcs12_file or _test_seal(keys)
    signer = signers.SimpleSigner.load_pkcs12(str(path), passphrase=password.encode() or None)
    if signer is None:
        raise ValueError(f"the certificate in {path} cannot be read: is the password right?")
    stamps = HTTPTimeStamper(stamps_url) if stamps_url else None
    return Seal(TEST_SIGNER if test else signer.subject_name or "", test, signer, stamps)


def ends(pkcs12_file: Path, password: str) -> datetime:
    """When the certificate in the file ends (UTC)."""
    certificate = pkcs12.load_key_and_certificates(pkcs12_file.read_bytes(), password.encode() or None)[1]
    if certificate is None:
        raise ValueError(f"{pkcs12_file} holds no certificate")
    return certificate.not_valid_after_utc


def test_root(keys: Path) -> Path:
    """The certificate of the test CA (PEM)."""
    return keys / "notice-test-ca.pem"


def _test_seal(keys: Path) -> Path:
    """The test CA's seal: one for all processes that share the keys. Its CA's certificate is read from the seal that was kept, so
    that of two processes that make one at once neither leaves its own CA beside the other's seal."""
    path = keys / "notice-test.p12"
    root = _root_in(path.read_bytes() if path.exists() else write_once(path, _test_certificates()))
    if not test_root(keys).exists() or test_root(keys).read_bytes() != root:
        written_beside(test_root(keys), root).replace(test_root(keys))
    return path


def _root_in(packed: bytes) -> bytes:
    """The certificate (PEM) of the CA that issued the seal in a PKCS #12."""
    [issuer] = pkcs12.load_key_and_certificates(packed, None)[2]
    return issuer.public_bytes(Encoding.PEM)


def _test_certificates() -> bytes:
    """A PKCS #12 of a seal with its CA's certificate. The CA's key is not kept: it signs nothing else."""
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name, name = _name("Test CA"), _name("Office seal")
    root = _certificate(ca_name, ca_name, ca_key.public_key(), is_ca=True).sign(ca_key, hashes.SHA256())
    seal = _certificate(name, ca_name, key.public_key(), is_ca=False).sign(ca_key, hashes.SHA256())
    return pkcs12.serialize_key_and_certificates(b"seal", key, seal, [root], NoEncryption())


def _name(what: str) -> x509.Name:
    attributes = {NameOID.COUNTRY_NAME: "JP", NameOID.ORGANIZATION_NAME: TEST_NAME, NameOID.COMMON_NAME: f"TEST {what}"}
    return x509.Name([x509.NameAttribute(kind, text) for kind, text in attributes.items()])


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, is_ca: bool
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=not is_ca, content_commitment=not is_ca, key_cert_sign=is_ca, crl_sign=is_ca,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _YEARS)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=0 if is_ca else None), critical=True)
        .add_extension(usage, critical=True)
    )
