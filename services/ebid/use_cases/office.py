"""What use cases need of the place they run in, given by the edge."""

from dataclasses import dataclass

from services.ebid.sealing.signing import Signers


@dataclass(frozen=True, slots=True)
class Authority:
    """A time stamping authority: its address, and its root certificates (PEM), which cannot come from its replies."""

    url: str
    roots: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Office:
    """`public_url` as people type it, without a slash at the end; `prefix` of OCDS ids; `signers`: the log's keys; `tsa` who stamps
    its checkpoints at deadlines, if anybody."""

    public_url: str
    prefix: str
    signers: Signers
    tsa: Authority | None = None

    def site(self, code: str) -> str:
        """A municipality's e-bidding."""
        return f"{self.public_url}/t/{code}/ebid"
