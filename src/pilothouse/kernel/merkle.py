"""The Merkle tree of RFC 9162 over SHA-256: its right edge as a value, proofs, and which nodes are kept.

Only hashes at levels that are multiples of eight are stored (level 0 are the leaves); all between are folded again from
at most 256 stored children, so a tree of n leaves costs n/255 stored hashes beside its leaves.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from pilothouse.kernel.errors import Invalid, Missing

HASH_BYTES = 32
TILE_HEIGHT = 8
EMPTY_ROOT = sha256().digest()

Fetch = Callable[[int, int], bytes]
"""`fetch(level, index)` gives the hash of the complete subtree number `index` of those over 2**level leaves."""

Children = Callable[[int, int, int], Sequence[bytes]]
"""`children(level, start, count)` reads stored hashes of a tile level (0, 8, 16, …); fewer than `count` if they end."""


class ProofInvalid(Invalid):
    """The proof does not show what it claims; `facts["because"]` says at which check it failed."""

    code = "ledger.proof_invalid"


class NodeMissing(Missing):
    """A stored hash that the tree's size promises is not there."""

    code = "ledger.node_missing"


def leaf_hash(data: bytes) -> bytes:
    """Hash an entry as a leaf; the prefix keeps leaves and nodes apart (RFC 9162, 2.1.1)."""
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two neighbouring subtrees into their parent."""
    return sha256(b"\1" + left + right).digest()


class Node(NamedTuple):
    """One hash to store: of the complete subtree number `position` of those over 2**level leaves."""

    level: int
    position: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a tree: the roots of its complete subtrees from left (largest) to right (smallest)."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size.bit_count() != len(self.hashes):
            raise Invalid(f"a tree of {self.size} leaves has {self.size.bit_count()} complete subtrees at its edge, "
                          f"not {len(self.hashes)}; read the frontier again with `frontier`", field="hashes")

    def append(self, leaf: bytes) -> "Frontier":
        """Return the frontier with one more leaf hash."""
        hashes, size = self.hashes, self.size
        while size & 1:
            leaf = node_hash(hashes[-1], leaf)
            hashes, size = hashes[:-1], size >> 1
        return Frontier(self.size + 1, (*hashes, leaf))

    def extend(self, leaves: Iterable[bytes]) -> "Frontier":
        """Return the frontier with these leaf hashes added in order."""
        return self.grow(leaves)[0]

    def grow(self, leaves: Iterable[bytes]) -> tuple["Frontier", tuple[Node, ...]]:
        """Return the extended frontier and every node above the leaves that must now be stored.

        The nodes are those at the places that `completed` names, so a writer needs to read nothing back.
        """
        row, edge = list(leaves), list(self.hashes)
        size, level, before = self.size + len(row), 0, self.size
        loose: list[bytes] = []
        stored: list[Node] = []
        while row:
            if level and level % TILE_HEIGHT == 0:
                stored.extend(Node(level, before + i, made) for i, made in enumerate(row))
            if before & 1:
                row.insert(0, edge.pop())
            if len(row) & 1:
                loose.append(row.pop())
            row = [sha256(b"\1" + left + right).digest() for left, right in zip(row[::2], row[1::2], strict=True)]
            before, level = before >> 1, level + 1
        return Frontier(size, (*edge, *reversed(loose))), tuple(stored)

    def root(self) -> bytes:
        """Return the tree's root hash; of the empty tree, the hash of nothing."""
        return _join(self.hashes) if self.hashes else EMPTY_ROOT


def completed(before: int, after: int) -> tuple[tuple[int, range], ...]:
    """Return (level, indexes) of the nodes above the leaves that must be stored when a tree grows between two sizes."""
    levels = range(TILE_HEIGHT, after.bit_length(), TILE_HEIGHT)
    grown = ((level, range(before >> level, after >> level)) for level in levels)
    return tuple((level, places) for level, places in grown if places)


def tile_fetch(children: Children) -> Fetch:
    """Make a `fetch` that folds what lies between tile levels; it raises NodeMissing where the store has a gap."""

    def fetch(level: int, index: int) -> bytes:
        above = level % TILE_HEIGHT
        width = 1 << above
        row = children(level - above, index * width, width)
        if len(row) != width:
            raise NodeMissing(f"the ledger's tree lacks {width - len(row)} of {width} stored hashes; rebuild them from "
                              "the entries, then verify", level=level - above, start=index * width)
        return fold(row)

    return fetch


def fold(hashes: Sequence[bytes]) -> bytes:
    """Return the root over a complete row of 2**k sibling hashes."""
    while len(hashes) > 1:
        hashes = [node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]


def frontier(size: int, fetch: Fetch) -> Frontier:
    """Read back the frontier of the tree's first `size` leaves; its `root()` is that tree's root."""
    return Frontier(size, _pieces(0, size, fetch))


def inclusion_proof(index: int, size: int, fetch: Fetch) -> tuple[bytes, ...]:
    """Return the hashes that lead from leaf `index` to the root of the first `size` leaves, lowest first."""
    if not 0 <= index < size:
        raise Invalid(f"there is no leaf {index} among the first {size}; ask for 0 to {size - 1}", field="index")
    proof: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        split = _split(start, end)
        inside, outside = ((start, split), (split, end)) if index < split else ((split, end), (start, split))
        proof.append(_join(_pieces(*outside, fetch)))
        start, end = inside
    return tuple(reversed(proof))


def consistency_proof(size1: int, size2: int, fetch: Fetch) -> tuple[bytes, ...]:
    """Return the hashes which show that the first `size1` leaves of the tree of `size2` are its earlier self."""
    if not 1 <= size1 <= size2:
        raise Invalid(f"no tree of {size2} leaves grew from one of {size1}; ask for sizes from 1 to {size2}",
                      field="size1")
    proof: list[bytes] = []
    start, end = 0, size2
    while end != size1:
        split = _split(start, end)
        inside, outside = ((start, split), (split, end)) if size1 <= split else ((split, end), (start, split))
        proof.append(_join(_pieces(*outside, fetch)))
        start, end = inside
    if start:
        proof.append(_join(_pieces(start, end, fetch)))
    return tuple(reversed(proof))


def verify_inclusion(*, leaf: bytes, index: int, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Return if `leaf` is the hash at `index` under this root; raise ProofInvalid if that is not shown.

    The root does not fix the size, so take both from one signed checkpoint. Source: RFC 9162, 2.1.3.2.
    """
    if not 0 <= index < size:
        raise _refused(f"leaf {index} lies outside a tree of {size}")
    _check_lengths(leaf, root, *proof)
    at, last, made = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise _refused("the proof is too long")
        if at & 1 or at == last:
            made = node_hash(sibling, made)
            at, last = _climb_left(at, last)
        else:
            made = node_hash(made, sibling)
        at, last = at >> 1, last >> 1
    _conclude(last, (made, root))


def verify_consistency(*, size1: int, size2: int, root1: bytes, root2: bytes, proof: Sequence[bytes]) -> None:
    """Return if the tree with `root2` starts with all of that with `root1`; raise ProofInvalid if not shown.

    From the empty tree nothing can be shown, so size 0 is refused. Source: RFC 9162, 2.1.4.2.
    """
    if not 1 <= size1 <= size2:
        raise _refused(f"a tree of {size2} cannot be shown to extend one of {size1}")
    _check_lengths(root1, root2, *proof)
    if size1 == size2:
        return _conclude(len(proof), (root1, root2))
    # A first tree that is one complete subtree is its own starting point, and so is left out of the proof.
    path = list(proof) if size1 & (size1 - 1) else [root1, *proof]
    if not path:
        raise _refused("the proof is empty")
    at, last = _climb_right(size1 - 1, size2 - 1)
    _conclude(*_replay(at, last, path, root1, root2))


def _replay(at: int, last: int, path: Sequence[bytes], root1: bytes,
            root2: bytes) -> tuple[int, tuple[bytes, bytes], tuple[bytes, bytes]]:
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise _refused("the proof is too long")
        if at & 1 or at == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            at, last = _climb_left(at, last)
        else:
            new = node_hash(new, sibling)
        at, last = at >> 1, last >> 1
    return last, (old, root1), (new, root2)


def _climb_left(at: int, last: int) -> tuple[int, int]:
    """Skip the levels at which the right edge has no sibling."""
    while at and not at & 1:
        at, last = at >> 1, last >> 1
    return at, last


def _climb_right(at: int, last: int) -> tuple[int, int]:
    """Skip the levels inside the last complete subtree of the earlier tree."""
    while at & 1:
        at, last = at >> 1, last >> 1
    return at, last


def _conclude(steps_left: int, *made_and_claimed: tuple[bytes, bytes]) -> None:
    if steps_left:
        raise _refused("the proof has the wrong length")
    if any(made != claimed for made, claimed in made_and_claimed):
        raise _refused("it leads to another root")


def _check_lengths(*hashes: bytes) -> None:
    if any(len(given) != HASH_BYTES for given in hashes):
        raise _refused(f"a hash is not {HASH_BYTES} bytes long")


def _refused(because: str) -> ProofInvalid:
    return ProofInvalid(f"the proof does not hold: {because}; fetch proof and checkpoint again from their sources",
                        because=because)


def _split(start: int, end: int) -> int:
    """Return where RFC 9162 cuts [start, end): after the largest power of two smaller than its length."""
    return start + (1 << (end - start - 1).bit_length() - 1)


def _pieces(start: int, end: int, fetch: Fetch) -> tuple[bytes, ...]:
    """Return the roots of the complete subtrees that make up [start, end), whose first is the largest."""
    pieces: list[bytes] = []
    while start < end:
        level = (end - start).bit_length() - 1
        pieces.append(fetch(level, start >> level))
        start += 1 << level
    return tuple(pieces)


def _join(pieces: Sequence[bytes]) -> bytes:
    """Return the root over neighbouring subtrees, largest first."""
    made = pieces[-1]
    for piece in reversed(pieces[:-1]):
        made = node_hash(piece, made)
    return made
