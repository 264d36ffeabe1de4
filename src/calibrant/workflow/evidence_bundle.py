"""The evidence bundle: everything on record about one artifact, with proofs, in one zip that needs no Calibrant.

    index.html, evidence.html     for people
    verify.py, __main__.py        the verification, of the standard library alone
    artifact/                     artifact.json, evidence.json, model.sig, signatures/
    keys/                         the trust policy and its public keys
    decisions/                    every revision of what was decided about it
    audit/                        their entries with inclusion proofs, the signed checkpoint, the reasons given
    software.json                 versions that fitted it and that wrote the bundle
    manifest.json                 the SHA-256 of every other file

The same state of the registry gives the same files: the time of the export is not in it. Hashes of API keys, addresses
of clients and words that were erased are not in it either.
"""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources as packaged
from pathlib import Path
from typing import Any, Final

from calibrant.artifacts import bundle as signature_files
from calibrant.artifacts import document, folder, trust
from calibrant.audit import entries, proof_file
from calibrant.frames import atomic
from calibrant.ports import contents, control_store
from calibrant.registry import approvals, artifacts, bindings, environments, refusals, resources
from calibrant.registry import trust as trusted
from calibrant.workflow import artifact_files, audit_log, evidence_pages, fitted_artifacts

SCHEMA: Final = "calibrant.evidence-bundle/1"
MANIFEST: Final = "manifest.json"
_MAIN: Final = '''"""Lets ``python bundle.zip`` run verify.py."""

import sys

sys.dont_write_bytecode = True

import verify

sys.exit(verify.main())
'''
#: The time of every file in the zip: the earliest that a zip can say.
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_FILES_OF: Final[Mapping[str, str]] = {
    approvals.KIND: "approvals",
    artifacts.KIND: "artifact",
    bindings.KIND: "bindings",
    environments.KIND: "environments",
    trusted.KIND: "trust",
}


def collect(reader: control_store.ControlReader, kept: contents.Contents, name: str) -> dict[str, bytes]:
    """The files of the bundle of an artifact, by name.

    Raises RefusedError (CAL-920) for one that nobody signed, UsageError (CAL-889) while no checkpoint covers what was
    decided last.
    """
    with reader.snapshot() as view:
        found = refusals.present(view.get(artifacts.KIND, name), kind=artifacts.KIND, name=name)
        status = artifacts.read(found)
        revisions = _revisions(view, status)
        proofs = [audit_log.prove(view, one.index) for one in revisions]
        words = dict(_words(view, proofs))
        policy = artifact_files.trust_policy(view)
    files = {
        **_artifact(kept, status),
        **_keys(policy),
        **_decisions(revisions),
        **_audit(proofs, words),
        **_software(document.loads(kept.get(status.digest))),
        "verify.py": packaged.files("calibrant.workflow.bundle").joinpath("verify.py").read_bytes(),
        "__main__.py": _MAIN.encode(),
    }
    known = evidence_pages.Known(
        document.loads(files["artifact/artifact.json"]), status, revisions,
        [entries.loads(one.entry) for one in proofs], {key: said.text for key, said in words.items()}, policy,
        files.get("artifact/evidence.json"),
    )  # fmt: skip
    files |= {"index.html": evidence_pages.index(known), "evidence.html": evidence_pages.evidence(known)}
    return {**files, MANIFEST: manifest(name, files)}


def manifest(name: str, files: Mapping[str, bytes]) -> bytes:
    """The list of all files with their digests."""
    listed = {file: document.digest(data) for file, data in files.items() if file != MANIFEST}
    return _json({"schema": SCHEMA, "artifact": name, "files": listed})


def write(files: Mapping[str, bytes], target: Path) -> None:
    """Write the zip, whole or not at all; the same files give the same bytes."""
    with atomic.replacing(target) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            place = zipfile.ZipInfo(name, _EPOCH)
            place.compress_type, place.external_attr, place.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
            archive.writestr(place, files[name])


# ------------------------------------------------------------------ what belongs to an artifact


def _revisions(view: control_store.ControlReader, status: artifacts.Status) -> list[resources.Resource]:
    """Every revision of what was decided about an artifact, in the order of the log."""
    bound = [
        history
        for one in view.browse(bindings.KIND, prefix=status.stream + "/")
        if _ever_held(history := view.history(bindings.KIND, one.name), status.name)
    ]
    asked = [
        view.history(approvals.KIND, one.name)
        for one in view.browse(approvals.KIND)
        if approvals.read(one).artifact == status.name
    ]
    where = sorted({history[0].name.partition("/")[2] for history in bound})
    every = [
        view.history(artifacts.KIND, status.name),
        view.history(trusted.KIND, trusted.NAME),
        *bound,
        *asked,
        *(view.history(environments.KIND, environment) for environment in where),
    ]
    return sorted((one for history in every for one in history), key=lambda one: one.index)


def _ever_held(history: Sequence[resources.Resource], name: str) -> bool:
    refs = (getattr(bindings.read(one), slot) for one in history for slot in bindings.SLOTS)
    return any(ref is not None and ref.artifact == name for ref in refs)


def _words(
    view: control_store.ControlReader, proofs: Sequence[proof_file.Proof]
) -> Iterator[tuple[str, control_store.Said]]:
    """The reasons that were given and not erased, by commitment. Addresses of clients stay where they are."""
    for proof in proofs:
        reason = entries.loads(proof.entry).reason
        said = None if reason is None else view.said(reason)
        if reason is not None and said is not None:
            yield reason, said


# ------------------------------------------------------------------ files


def _artifact(kept: contents.Contents, status: artifacts.Status) -> dict[str, bytes]:
    """The artifact as a folder that ``calibrant artifact verify`` takes too."""
    first, *further = artifact_files.signatures_of(kept, status)
    others = {f"{folder.SIGNATURES}/{signature_files.loads(one).keyid}.sig": one for one in further}
    files = {**artifact_files.files_of(kept, status), folder.SIGNATURE: first, **others}
    return {f"artifact/{name}": data for name, data in files.items()}


def _keys(policy: trust.TrustPolicy) -> dict[str, bytes]:
    pems = {f"keys/{key.public.keyid}.pem": key.public.pem for key in policy.keys}
    return {"keys/trust.json": trust.dumps(policy), **pems}


def _decisions(revisions: Sequence[resources.Resource]) -> dict[str, bytes]:
    """A file for each kind. What has no file here (people, keys) does not belong into a bundle."""
    listed: dict[str, list[dict[str, Any]]] = {file: [] for file in _FILES_OF.values()}
    for one in revisions:
        held = None if one.body is None else dict(one.body)
        listed[_FILES_OF[one.kind]].append({"kind": one.kind, "name": one.name, "revision": one.revision, "body": held})
    return {
        f"decisions/{file}.json": _json({"schema": "calibrant.decisions/1", "revisions": every})
        for file, every in listed.items()
        if every
    }


def _audit(proofs: Sequence[proof_file.Proof], words: Mapping[str, control_store.Said]) -> dict[str, bytes]:
    listed = [
        {"entry": one.entry.decode(), "proof": [base64.b64encode(value).decode() for value in one.path]}
        for one in proofs
    ]
    said = [
        {"commitment": key, "salt": base64.b64encode(one.salt).decode(), "text": one.text}
        for key, one in sorted(words.items())
    ]
    return {
        "audit/checkpoint.txt": proofs[-1].checkpoint.encode(),
        "audit/entries.json": _json({"schema": "calibrant.audit-slice/1", "entries": listed}),
        "audit/words.json": _json({"schema": "calibrant.words/1", "words": said}),
    }


def _software(artifact: document.Artifact) -> dict[str, bytes]:
    versions = {"fitted_with": artifact.provenance.code, "exported_with": fitted_artifacts.code()}
    named = {
        when: {name: getattr(code, name) for name in ("calibrant", "python", "numpy", "scipy")}
        for when, code in versions.items()
    }
    return {"software.json": _json({"schema": "calibrant.software/1", **named})}


def _json(value: Any) -> bytes:
    """JSON that people can read, in one form."""
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()
