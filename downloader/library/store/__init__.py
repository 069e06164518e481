"""The store of a models root: each file's bytes once, and folders of links to them.

`Store` is the door. What it promises, and how, stands in the modules: `layout` (where things lie),
`durability` (what survives a power cut), `locks` and `claims` (several processes and machines),
`building` (folders appear whole), `collection` (what may go).
"""

from downloader.library.store.building import Building
from downloader.library.store.claims import Claim
from downloader.library.store.collection import Collected, Terms
from downloader.library.store.layout import MODEL_DESCRIPTOR, REVISION_DESCRIPTOR
from downloader.library.store.locks import Before, Lease
from downloader.library.store.notes import Notes
from downloader.library.store.placing import How
from downloader.library.store.quarantine import Override, Suspect
from downloader.library.store.references import References
from downloader.library.store.signs import Rhythm
from downloader.library.store.store import Store, Usage

__all__ = [
    "MODEL_DESCRIPTOR",
    "REVISION_DESCRIPTOR",
    "Before",
    "Building",
    "Claim",
    "Collected",
    "How",
    "Lease",
    "Notes",
    "Override",
    "References",
    "Rhythm",
    "Store",
    "Suspect",
    "Terms",
    "Usage",
]
