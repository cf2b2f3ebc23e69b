"""What a model computes, as `torch.export` records it, and which module each operation belongs to.

Not `torch.fx.symbolic_trace`: it runs the model on a stand-in that has no shape, so that whatever asks for one ends
it (the padding of timm's `Conv2dSame`, an `if x.shape[1] == ...`): of 156 CNNs of timm and torchvision it traces 143,
the export 155 and the last at a larger size. And it records Python's calls in all their spellings, while the export's
operations have schemas. Either knows the modules' own names.
"""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.export.graph_signature import InputKind

from scripts.pytorch.failures import explained, failing_quietly, innermost_module
from scripts.structured_images import Images

BATCH = 3
"""Images in the traced batch: no channels and no pixels of a usual network are three times as many in one
dimension as in the other, and a model that treats one image alone otherwise is seen as it treats several."""

IDENTITIES = frozenset(
    (
        "_assert_tensor_metadata",
        "_to_copy",
        "alias",
        "alpha_dropout",
        "clone",
        "contiguous",
        "detach",
        "dropout",
        "feature_dropout",
        "lift_fresh_copy",
        "to",
    )
)
"""Operations that leave every value as it is, a dropout in inference."""


@dataclass(frozen=True)
class Scope:
    """A call of a module."""

    key: str
    path: str
    """The module's name in the model; empty for the model itself."""
    call: int
    """Which call of it, counted from 1."""
    leaf: bool
    """Whether no module in it computes anything."""
    kind: str
    """The module's class."""

    @property
    def name(self) -> str:
        return self.path if self.call == 1 or not self.path else f"{self.path}#{self.call}"


@dataclass
class Traced:
    """A model and what it computes."""

    model: nn.Module
    graph_module: fx.GraphModule
    stored: dict[str, str]
    """What the model calls the tensor that a placeholder stands for."""
    learnt: frozenset[str]
    """Those that are parameters."""
    owned: frozenset[str]
    """Those and its buffers: what has a name in the model."""
    tensors: dict[str, torch.Tensor]
    """The model's tensors and what it holds besides, by those names."""
    input_node: fx.Node
    input_shape: list[int]
    """Of one image: channels, height, width."""
    outputs: list[fx.Node]
    scopes: dict[fx.Node, Scope]
    overwritten: dict[fx.Node, str]
    """Operations that write into a part of a tensor that is read again whole."""


def word(node: fx.Node) -> str:
    """What PyTorch calls the operation: `add` for `aten.add_.Tensor`."""
    schema = getattr(node.target, "_schema", None)
    name: str = schema.name.split("::")[1] if schema else getattr(node.target, "__name__", str(node.target))
    return name.rstrip("_") if not name.startswith("_") else name


def check_signature(model: nn.Module) -> None:
    """See that the model takes one tensor.

    Raises:
        ValueError: it needs several, or none.
    """
    parameters = inspect.signature(model.forward).parameters.values()
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [p.name for p in parameters if p.default is p.empty and p.kind in (*positional, p.KEYWORD_ONLY)]
    if len(needed) > 1:
        raise ValueError(
            f"the model has {len(needed)} inputs, {', '.join(f'`{name}`' for name in needed)}; expected one"
        )
    if not needed and not any(p.kind in (*positional, p.VAR_POSITIONAL) for p in parameters):
        raise ValueError("the model has no input; expected one")


def trace(model: nn.Module, input_shape: tuple[int, int, int]) -> Traced:
    """Record what the model computes in inference, of images of that many channels, rows and columns.

    Raises:
        ValueError: it takes several inputs, fails, computes what depends on the input's numbers, or returns something
            else than tensors.
    """
    check_signature(model)
    model.eval().float()
    images = torch.zeros(BATCH, *input_shape)
    with warnings.catch_warnings(), innermost_module(model) as where:
        warnings.simplefilter("ignore")
        try:
            with failing_quietly():
                program = torch.export.export(model, (images,), strict=False)
        except Exception as error:
            # A user's code may raise anything.
            raise ValueError(explained(error, where())) from error
    graph_module = program.graph_module
    inline(graph_module)
    stored, learnt, owned = {}, set(), set()
    for spec in program.graph_signature.input_specs:
        if spec.target is not None:
            stored[spec.arg.name] = spec.target
            if spec.kind == InputKind.PARAMETER:
                learnt.add(spec.target)
            if spec.kind in (InputKind.PARAMETER, InputKind.BUFFER):
                owned.add(spec.target)
    placeholders = [node for node in graph_module.graph.nodes if node.op == "placeholder"]
    inputs = [node for node in placeholders if node.name not in stored]
    tensors = {**program.state_dict, **program.constants, **dict(model.named_buffers())}
    (output,) = (node for node in graph_module.graph.nodes if node.op == "output")
    overwritten = made_functional(graph_module.graph)
    outputs = [value for value in output.args[0] if isinstance(value, fx.Node)]
    if not outputs:
        raise ValueError("the model returns no tensor that depends on the input")
    scopes = scopes_of(graph_module.graph)
    return Traced(
        model,
        graph_module,
        stored,
        frozenset(learnt),
        frozenset(owned),
        {name: tensor for name, tensor in tensors.items() if isinstance(tensor, torch.Tensor)},
        inputs[0],
        list(input_shape),
        outputs,
        scopes,
        overwritten,
    )


WRAPPED = frozenset(("wrap_with_set_grad_enabled", "wrap_with_autocast"))
"""What the export makes of `with torch.no_grad():` and `with torch.autocast(...):`, graphs of their own."""


def inline(graph_module: fx.GraphModule) -> None:
    """Put in the place of each such graph what it computes."""
    graph = graph_module.graph
    for node in list(graph.nodes):
        if node.op != "call_function" or word(node) not in WRAPPED:
            continue
        place, attribute = next(
            (index, each) for index, each in enumerate(node.args) if isinstance(each, fx.Node) and each.op == "get_attr"
        )
        inner = getattr(graph_module, str(attribute.target))
        inline(inner)
        given = (each for each in inner.graph.nodes if each.op == "placeholder")
        known = dict(zip(given, node.args[place + 1 :], strict=True))
        with graph.inserting_before(node):
            results: Any = graph.graph_copy(inner.graph, known)
        for user in list(node.users):
            user.replace_all_uses_with(results[user.args[1]])
            graph.erase_node(user)
        graph.erase_node(node)
        if not attribute.users:
            graph.erase_node(attribute)
    graph_module.recompile()


def scopes_of(graph: fx.Graph) -> dict[fx.Node, Scope]:
    """The call of the innermost module that each operation belongs to."""
    stacks: dict[fx.Node, list[tuple[str, str, str]]] = {}
    outer: set[str] = set()
    for node in graph.nodes:
        stack = node.meta.get("nn_module_stack") or {}
        entries = [
            (key, path, kind if isinstance(kind, str) else kind.__qualname__) for key, (path, kind) in stack.items()
        ]
        stacks[node] = entries or [("", "", "")]
        if word(node) not in IDENTITIES:
            outer.update(key for key, _, _ in entries[:-1])
    result = {}
    for node, entries in stacks.items():
        key, path, kind = entries[-1]
        _, _, count = key.partition("@")
        # The path that `torch.export` has is the module's, whichever call of it.
        result[node] = Scope(key, path, int(count or 0) + 1, bool(path) and key not in outer, kind.rsplit(".", 1)[-1])
    return result


VIEWS = frozenset(
    (
        "slice",
        "select",
        "view",
        "reshape",
        "permute",
        "transpose",
        "t",
        "flatten",
        "unflatten",
        "squeeze",
        "unsqueeze",
        "narrow",
        "chunk",
        "split",
        "split_with_sizes",
        "unbind",
        "getitem",
        "expand",
        "alias",
        "detach",
        "diagonal",
    )
)


PARTS = frozenset(("chunk", "split", "split_with_sizes", "unbind"))
"""Views that are several, none of which has memory of another."""


def is_view(node: fx.Node) -> bool:
    return node.op == "call_function" and word(node) in VIEWS and isinstance(node.args[0], fx.Node)


def readers_of_more(changed: fx.Node) -> Iterator[fx.Node]:
    """All that reads a tensor of which this is a part, or another view of it that may have the same memory."""
    part = changed
    while is_view(part):
        whole = part.args[0]
        assert isinstance(whole, fx.Node)
        if word(whole) not in PARTS:
            for user in whole.users:
                if user is not part:
                    yield user
                    yield from family(user) if is_view(user) else ()
        part = whole


def made_functional(graph: fx.Graph) -> dict[fx.Node, str]:
    """Have whatever reads a tensor after an operation that changed it read that operation's result.

    Returns those that change a part of a tensor that is read afterwards, which no graph says.
    """
    overwritten = {}
    order = {node: index for index, node in enumerate(graph.nodes)}
    for node in list(graph.nodes):
        schema = getattr(node.target, "_schema", None)
        if not schema or not schema.is_mutable or not isinstance(node.args[0], fx.Node):
            continue
        changed = node.args[0]
        later = [user for user in changed.users if order[user] > order[node]]
        for user in later:
            user.replace_input_with(changed, node)
        if any(order[user] > order[node] for user in readers_of_more(changed)):
            overwritten[node] = "writes into a part of a tensor; `torch.cat` of new parts says the same"
    return overwritten


def family(base: fx.Node) -> Iterator[fx.Node]:
    """All that reads the tensor or a view of it."""
    for user in base.users:
        yield user
        if user.op == "call_function" and word(user) in VIEWS:
            yield from family(user)


class Run(fx.Interpreter):
    """The recorded calls, all in the precision of what goes in, though the model rounds to another in between."""

    def __init__(self, traced: Traced, keep: Callable[[fx.Node, torch.Tensor], None]) -> None:
        super().__init__(traced.graph_module)
        self.traced = traced
        self.keep = keep

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, torch.Tensor):
            self.keep(n, result)
        return result

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        schema = getattr(target, "_schema", None)
        name = schema.name if schema else ""
        if name in ("aten::to", "aten::_to_copy") and isinstance(args[0], torch.Tensor) and args[0].is_floating_point():
            return args[0]
        if name == "aten::_assert_tensor_metadata":
            return None
        return super().call_function(target, args, kwargs)


@torch.no_grad()
def run_calls(
    traced: Traced,
    images: Images,
    keep: Callable[[fx.Node, torch.Tensor], None],
    dtype: torch.dtype = torch.float64,
) -> list[torch.Tensor]:
    """The outputs for NCHW images of the recorded calls themselves; `keep` sees every value on the way."""
    tensors = {
        name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in traced.tensors.items()
    }
    values = [
        tensors[traced.stored[node.name]].clone() if node.name in traced.stored else torch.from_numpy(images).to(dtype)
        for node in traced.graph_module.graph.nodes
        if node.op == "placeholder"
    ]
    kept: dict[fx.Node, torch.Tensor] = {}

    def note(node: fx.Node, value: torch.Tensor) -> None:
        if node in traced.outputs:
            kept[node] = value.clone()
        keep(node, value)

    Run(traced, note).run(*values)
    return [kept[node] for node in traced.outputs]


@torch.no_grad()
def run_model(model: nn.Module, images: Images, dtype: torch.dtype) -> list[torch.Tensor]:
    """The outputs of the model itself, in that precision; it is in float32 afterwards, as it was."""
    # Not a copy: some modules cannot be copied.
    try:
        return tensors_in(model.to(dtype)(torch.from_numpy(images).to(dtype)))
    finally:
        model.float()


def tensors_in(output: object) -> list[torch.Tensor]:
    """The tensors that a model returned, in their order."""
    leaves = torch.utils._pytree.tree_leaves(output)
    return [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]


def in_double(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.double() if tensor.is_floating_point() else tensor


def with_tensors(traced: Traced, tensors: Mapping[str, torch.Tensor]) -> Traced:
    """The same calls with other numbers."""
    other = copy.copy(traced)
    other.tensors = {**traced.tensors, **tensors}
    return other
