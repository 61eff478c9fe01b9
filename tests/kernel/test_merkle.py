"""The Merkle tree against RFC 9162's own definition, published vectors and every change an attacker might try."""

import base64
import json
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.kernel.errors import Invalid
from pilothouse.kernel.merkle import (
    EMPTY_ROOT,
    Frontier,
    NodeMissing,
    ProofInvalid,
    completed,
    consistency_proof,
    frontier,
    inclusion_proof,
    leaf_hash,
    node_hash,
    tile_fetch,
    verify_consistency,
    verify_inclusion,
)

VECTORS = Path(__file__).parents[3] / "shared" / "data" / "merkle" / "vectors.jsonl"
LEAVES = [leaf_hash(b"entry %d" % i) for i in range(1100)]
sizes = st.integers(1, 700)


@cache
def mth(start: int, end: int) -> bytes:
    """The tree hash word for word as RFC 9162, 2.1.1 defines it, over LEAVES[start:end]."""
    if start == end:
        return EMPTY_ROOT
    if end - start == 1:
        return LEAVES[start]
    k = 1
    while k * 2 < end - start:
        k *= 2
    return node_hash(mth(start, start + k), mth(start + k, end))


def naive_fetch(level: int, index: int) -> bytes:
    return mth(index << level, (index + 1) << level)


class StoredTree:
    """Grows in batches and keeps only what `grow` says must be kept."""

    def __init__(self) -> None:
        self.edge = Frontier()
        self.rows: dict[int, list[bytes]] = {0: []}

    def add(self, leaves: Sequence[bytes]) -> None:
        self.edge, nodes = self.edge.grow(leaves)
        self.rows[0].extend(leaves)
        for node in nodes:
            row = self.rows.setdefault(node.level, [])
            assert node.position == len(row)
            row.append(node.hash)

    def children(self, level: int, start: int, count: int) -> Sequence[bytes]:
        return self.rows.get(level, [])[start:start + count]


def flipped(value: bytes, bit: int) -> bytes:
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def vectors() -> list[dict[str, Any]]:
    if not VECTORS.exists():
        pytest.skip(f"the published proof vectors are not at {VECTORS}")
    records = [json.loads(line) for line in VECTORS.read_text(encoding="utf8").splitlines()]
    return [record for record in records if record["kind"] in ("inclusion", "consistency")]


def check_vector(record: dict[str, Any]) -> None:
    proof = [base64.b64decode(item) for item in record["proof"] or ()]
    if record["kind"] == "inclusion":
        verify_inclusion(leaf=base64.b64decode(record["leafHash"]), index=record["leafIdx"], size=record["treeSize"],
                         root=base64.b64decode(record["root"]), proof=proof)
    else:
        verify_consistency(size1=record["size1"], size2=record["size2"], root1=base64.b64decode(record["root1"]),
                           root2=base64.b64decode(record["root2"]), proof=proof)


def accepted(record: dict[str, Any]) -> bool:
    try:
        check_vector(record)
    except ProofInvalid:
        return False
    return True


def test_all_39_published_inclusion_and_consistency_vectors_verify_or_fail_as_they_say() -> None:
    records = vectors()
    wrong = [record["id"] for record in records if accepted(record) == record["wantErr"]]
    assert wrong == []
    counts = Counter((record["kind"], record["wantErr"]) for record in records)
    assert counts == {("inclusion", False): 3, ("inclusion", True): 16,
                      ("consistency", False): 3, ("consistency", True): 17}


def test_the_empty_tree_has_the_hash_of_nothing_and_one_leaf_is_its_own_root() -> None:
    assert Frontier().root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert Frontier().append(LEAVES[0]).root() == LEAVES[0]


def test_appending_one_by_one_gives_the_root_of_the_rfc_at_every_size() -> None:
    edge = Frontier()
    for size in range(1, 600):
        edge = edge.append(LEAVES[size - 1])
        assert edge.root() == mth(0, size)


@given(st.lists(st.integers(0, 300), max_size=6))
def test_extending_in_any_batches_is_the_same_as_appending_one_by_one(batches: list[int]) -> None:
    edge, done = Frontier(), 0
    for count in batches:
        batch = LEAVES[done:done + count]
        before, edge = edge, edge.extend(batch)
        assert before.size == done
        done += len(batch)
    assert (edge.size, edge.root()) == (done, mth(0, done))
    assert edge == frontier(done, naive_fetch)


def test_a_frontier_with_hashes_of_another_size_is_refused() -> None:
    with pytest.raises(Invalid, match="3 leaves has 2 complete subtrees"):
        Frontier(3, (LEAVES[0],))


@given(sizes, st.data())
def test_a_proof_of_any_entry_at_any_size_verifies_and_any_changed_bit_fails(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, naive_fetch)
    claim: dict[str, Any] = {"leaf": LEAVES[index], "index": index, "size": size, "root": mth(0, size), "proof": proof}
    verify_inclusion(**claim)
    bit = data.draw(st.integers(0, 255))
    wrong: list[dict[str, Any]] = [
        {"leaf": flipped(LEAVES[index], bit)}, {"root": flipped(mth(0, size), bit)}, {"index": index ^ 1 << bit % 64},
        {"proof": (*proof, LEAVES[0])}, {"proof": (LEAVES[0], *proof)}, {"proof": (b"", *proof)},
        {"index": -1}, {"size": 0}, {"leaf": b""},
    ]
    if proof:
        place = data.draw(st.integers(0, len(proof) - 1))
        wrong += [{"proof": (*proof[:place], flipped(proof[place], bit), *proof[place + 1:])}, {"proof": proof[:-1]}]
    for change in wrong:
        with pytest.raises(ProofInvalid, match="does not hold"):
            verify_inclusion(**(claim | change))


@given(sizes, st.data())
def test_any_earlier_tree_is_shown_consistent_and_any_changed_bit_fails(size2: int, data: st.DataObject) -> None:
    size1 = data.draw(st.integers(1, size2))
    proof = consistency_proof(size1, size2, naive_fetch)
    claim: dict[str, Any] = {"size1": size1, "size2": size2, "root1": mth(0, size1), "root2": mth(0, size2),
                             "proof": proof}
    verify_consistency(**claim)
    bit = data.draw(st.integers(0, 255))
    wrong: list[dict[str, Any]] = [
        {"root1": flipped(mth(0, size1), bit)}, {"root2": flipped(mth(0, size2), bit)}, {"size1": 0},
        {"size2": size1 - 1}, {"proof": (*proof, LEAVES[0])}, {"proof": (LEAVES[0], *proof)}, {"proof": (b"", *proof)},
    ]
    if proof:
        place = data.draw(st.integers(0, len(proof) - 1))
        wrong += [{"proof": (*proof[:place], flipped(proof[place], bit), *proof[place + 1:])}, {"proof": proof[:-1]}]
    for change in wrong:
        with pytest.raises(ProofInvalid, match="does not hold"):
            verify_consistency(**(claim | change))


@given(sizes, st.data())
def test_a_history_with_one_entry_replaced_has_no_consistency_proof(size2: int, data: st.DataObject) -> None:
    size1 = data.draw(st.integers(1, size2))
    place = data.draw(st.integers(0, size1 - 1))
    forged = Frontier().extend([*LEAVES[:place], leaf_hash(b"forged"), *LEAVES[place + 1:size1]])
    with pytest.raises(ProofInvalid):
        verify_consistency(size1=size1, size2=size2, root1=forged.root(), root2=mth(0, size2),
                           proof=consistency_proof(size1, size2, naive_fetch))


def test_proofs_of_what_does_not_exist_are_refused_with_the_range_to_ask_for() -> None:
    with pytest.raises(Invalid, match="ask for 0 to 4"):
        inclusion_proof(5, 5, naive_fetch)
    with pytest.raises(Invalid, match="sizes from 1 to 5"):
        consistency_proof(6, 5, naive_fetch)
    with pytest.raises(Invalid, match="sizes from 1 to 5"):
        consistency_proof(0, 5, naive_fetch)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=5), st.data())
def test_hashes_folded_from_tiles_equal_the_rfcs(batches: list[int], data: st.DataObject) -> None:
    tree = StoredTree()
    for count in batches:
        tree.add(LEAVES[tree.edge.size:tree.edge.size + count])
    fetch, size = tile_fetch(tree.children), tree.edge.size
    level = data.draw(st.integers(0, size.bit_length() - 1))
    index = data.draw(st.integers(0, (size >> level) - 1))
    assert fetch(level, index) == naive_fetch(level, index)
    assert frontier(size, fetch) == tree.edge


@given(st.integers(0, 1100), st.integers(0, 1100))
def test_growth_stores_exactly_the_nodes_that_become_complete(one: int, other: int) -> None:
    before, after = sorted((one, other))
    _, nodes = Frontier().extend(LEAVES[:before]).grow(LEAVES[before:after])
    expected = [(level, place) for level, places in completed(before, after) for place in places]
    assert [(node.level, node.position) for node in nodes] == expected
    assert all(node.hash == naive_fetch(node.level, node.position) for node in nodes)


def test_the_second_tile_level_is_stored_when_65536_leaves_are_complete() -> None:
    assert completed(65_535, 65_536) == ((8, range(255, 256)), (16, range(0, 1)))
    leaves = [leaf_hash(i.to_bytes(4)) for i in range(66_000)]
    tree = StoredTree()
    tree.add(leaves[:65_535])
    tree.add(leaves[65_535:])
    assert {level: len(row) for level, row in tree.rows.items()} == {0: 66_000, 8: 257, 16: 1}
    fetch = tile_fetch(tree.children)
    proof = inclusion_proof(65_900, 66_000, fetch)
    verify_inclusion(leaf=leaves[65_900], index=65_900, size=66_000, root=tree.edge.root(), proof=proof)
    with pytest.raises(ProofInvalid):
        verify_inclusion(leaf=leaves[65_901], index=65_900, size=66_000, root=tree.edge.root(), proof=proof)


def test_a_gap_in_the_stored_hashes_is_named() -> None:
    tree = StoredTree()
    tree.add(LEAVES[:300])
    with pytest.raises(NodeMissing, match="lacks 1 of 1 stored hashes") as gap:
        tile_fetch(tree.children)(8, 1)
    assert gap.value.facts == {"level": 8, "start": 1}


def test_what_is_no_hash_is_refused_even_where_root_and_leaf_agree() -> None:
    with pytest.raises(ProofInvalid, match="not 32 bytes long"):
        verify_inclusion(leaf=b"same", index=0, size=1, root=b"same", proof=())
    with pytest.raises(ProofInvalid, match="not 32 bytes long"):
        verify_consistency(size1=4, size2=4, root1=b"same", root2=b"same", proof=())


def test_an_endless_proof_is_refused_before_it_is_hashed() -> None:
    endless = [LEAVES[0]] * 100_000
    with pytest.raises(ProofInvalid, match="too long"):
        verify_inclusion(leaf=LEAVES[0], index=0, size=8, root=mth(0, 8), proof=endless)
    with pytest.raises(ProofInvalid, match="too long"):
        verify_consistency(size1=3, size2=8, root1=mth(0, 3), root2=mth(0, 8), proof=endless)
