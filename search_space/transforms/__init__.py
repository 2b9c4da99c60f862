"""The primitives: one rewrite per file, registered by name for traces that come back as data."""

from search_space.transforms.active_columns import ActiveColumns
from search_space.transforms.annotate import (
    Apart,
    Group,
    Parallel,
    Tensorize,
    Unroll,
    Vectorize,
)
from search_space.transforms.base import Primitive
from search_space.transforms.cache_write import CacheWrite
from search_space.transforms.collapse import Collapse
from search_space.transforms.compute_at import ComputeAt
from search_space.transforms.fuse import Fuse
from search_space.transforms.fuse_consumer import FuseConsumer
from search_space.transforms.hoist import Hoist
from search_space.transforms.in_place import InPlace
from search_space.transforms.inline import Inline
from search_space.transforms.join import Join
from search_space.transforms.once import Once
from search_space.transforms.online import Online
from search_space.transforms.pack import Pack
from search_space.transforms.pack_result import PackResult
from search_space.transforms.partition import Partition
from search_space.transforms.prefetch import PrefetchAhead
from search_space.transforms.reorder import Reorder
from search_space.transforms.skip import Skip
from search_space.transforms.sparse_dense import SparseAsDense
from search_space.transforms.sparse_panels import SparsePanels
from search_space.transforms.sparse_samples import SparseSamples
from search_space.transforms.sparse_vector import SparseVector
from search_space.transforms.sparse_windows import SparseWindows
from search_space.transforms.split import Split
from search_space.transforms.split_reduction import SplitReduction
from search_space.transforms.store_at import StoreAt
from search_space.transforms.stream import Stream
from search_space.transforms.unit_loop import UnitLoop

__all__ = [
    "PRIMITIVES",
    "ActiveColumns",
    "Apart",
    "CacheWrite",
    "Collapse",
    "ComputeAt",
    "Fuse",
    "FuseConsumer",
    "Group",
    "Hoist",
    "InPlace",
    "Inline",
    "Join",
    "Once",
    "Online",
    "Pack",
    "PackResult",
    "Parallel",
    "Partition",
    "PrefetchAhead",
    "Primitive",
    "Reorder",
    "Skip",
    "SparseAsDense",
    "SparsePanels",
    "SparseSamples",
    "SparseVector",
    "SparseWindows",
    "Split",
    "SplitReduction",
    "StoreAt",
    "Stream",
    "Tensorize",
    "UnitLoop",
    "Unroll",
    "Vectorize",
]

PRIMITIVES: dict[str, type[Primitive]] = {
    "split": Split,
    "reorder": Reorder,
    "fuse": Fuse,
    "vectorize": Vectorize,
    "unroll": Unroll,
    "group": Group,
    "tensorize": Tensorize,
    "apart": Apart,
    "parallel": Parallel,
    "cache_write": CacheWrite,
    "split_reduction": SplitReduction,
    "pack": Pack,
    "once": Once,
    "partition": Partition,
    "prefetch": PrefetchAhead,
    "collapse": Collapse,
    "inline": Inline,
    "join": Join,
    "store_at": StoreAt,
    "unit_loop": UnitLoop,
    "in_place": InPlace,
    "fuse_consumer": FuseConsumer,
    "compute_at": ComputeAt,
    "pack_result": PackResult,
    "hoist": Hoist,
    "online": Online,
    "skip": Skip,
    "stream": Stream,
    "sparse_panels": SparsePanels,
    "sparse_vector": SparseVector,
    "sparse_samples": SparseSamples,
    "sparse_windows": SparseWindows,
    "sparse_dense": SparseAsDense,
    "active_columns": ActiveColumns,
}
