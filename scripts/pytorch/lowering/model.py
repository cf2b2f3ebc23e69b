"""A traced model as a graph: every operation lowered, the layers named, all that cannot be said at once."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import fx

from scripts.graph_file import Graph
from scripts.pytorch.failures import first_line
from scripts.pytorch.lowering import channels, convolutions, elementwise, pools, views
from scripts.pytorch.lowering.axes import View
from scripts.pytorch.lowering.call import LOWERINGS, Call, Lowering, UnsupportedError, describe, shown
from scripts.pytorch.lowering.channels import Part
from scripts.pytorch.lowering.draft import Constant, Draft, Value, blocks_of, names_of
from scripts.pytorch.lowering.spellings import respelled
from scripts.pytorch.tracing import BATCH, IDENTITIES, Scope, Traced, in_double, word

BY_THEME = (channels, convolutions, elementwise, pools, views)
"""Whose functions are registered by being imported."""

SAME_NUMBERS = frozenset(("view", "reshape", "flatten", "unsqueeze", "squeeze", "expand", "unflatten"))
"""Views of a constant that leave its numbers in their order, where they leave how many there are."""

AT_MOST = 3
"""Modules that are named of those with one thing that cannot be said."""


class Unknown:
    """What an operation would have made that cannot be said."""

    said = "unknown"


@dataclass
class Lowered:
    """A graph, and what of the traced program its values are."""

    graph: Graph
    outputs: list[str]
    """The layer of each tensor that the model returns; one that it returns twice is one output of the graph."""
    exact: dict[str, torch.Tensor]
    """The graph's tensors before they are rounded to the file's float32."""
    shows: dict[fx.Node, list[tuple[str, View]]]
    """The layers whose values a node's result has, and how."""


@torch.no_grad()
def lower(traced: Traced, name: str) -> Lowered:
    """The graph of a traced model.

    Raises:
        ValueError: the model does what the graph has no word for; all of that is named, and where.
    """
    walk = Walk(traced)
    walk.run()
    outputs = walk.outputs()
    if walk.refused:
        raise ValueError(refusal(walk.refused))
    drafts = needed(respelled(walk.drafts), outputs)
    return named(traced, name, walk.input, drafts, outputs)


def refusal(refused: list[tuple[Scope, str]]) -> str:
    """One line that names all that cannot be said and where."""
    where: dict[str, list[str]] = {}
    for scope, text in refused:
        paths = where.setdefault(text, [])
        path = f"`{scope.name}`" if scope.name else "the model's `forward`"
        if path not in paths:
            paths.append(path)
    parts = []
    for text, paths in where.items():
        more = f" and {len(paths) - AT_MOST} more" if len(paths) > AT_MOST else ""
        parts.append(f"{', '.join(paths[:AT_MOST])}{more}: {text}")
    return f"no layer of a graph does this: {'; '.join(parts)}"


class Walk:
    """The operations in their order, and what is known of each result."""

    def __init__(self, traced: Traced) -> None:
        self.traced = traced
        self.drafts: list[Draft] = []
        self.known: dict[fx.Node, Any] = {}
        self.refused: list[tuple[Scope, str]] = []
        node = traced.input_node
        view = View.whole(BATCH, traced.input_shape)
        self.input = Draft("input", [], node, traced.scopes[node], view=view)
        self.known[node] = Value(self.input, view)

    def run(self) -> None:
        for node in self.traced.graph_module.graph.nodes:
            if node.op == "placeholder" and node.name in self.traced.stored:
                called = self.traced.stored[node.name]
                name = called if called in self.traced.owned else None
                self.known[node] = Constant(self.traced.tensors[called], name, called in self.traced.learnt)
            elif node.op == "get_attr":
                self.known[node] = Constant(getattr(self.traced.graph_module, node.target))
            elif node.op == "call_function":
                self.known[node] = self.result(node)

    def result(self, node: fx.Node) -> Any:
        """What the operation makes, or `Unknown` with a refusal noted, if none of its inputs is unknown."""
        arguments = [self.known.get(each) for each in node.all_input_nodes]
        if any(isinstance(each, Unknown) for each in arguments):
            return Unknown()
        try:
            if node in self.traced.overwritten:
                raise UnsupportedError(self.traced.overwritten[node])
            if not any(each is not None and not isinstance(each, Constant) for each in arguments):
                return self.computed(node)
            return self.lowered(node)
        except UnsupportedError as error:
            said = str(error)
        except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError) as error:
            # Arguments that nobody thought of.
            said = f"`{word(node)}` with such arguments ({first_line(error)})"
        self.refused.append((self.traced.scopes[node], said))
        return Unknown()

    def computed(self, node: fx.Node) -> Any:
        """What depends on no input, computed in float64."""
        if node.target is operator.getitem:
            return self.element(node)
        if word(node) == "_assert_tensor_metadata":
            return None
        schema = getattr(node.target, "_schema", None)
        if schema is None or not callable(node.target) or "rand" in schema.name or "bernoulli" in schema.name:
            raise UnsupportedError(f"{word(node)}, which draws or is no operation of PyTorch's")
        inputs = [self.known.get(each) for each in node.all_input_nodes]
        before = inputs[0] if len(inputs) == 1 else None
        if word(node) in IDENTITIES and isinstance(before, Constant) and node.meta["val"].is_floating_point():
            return before

        def tensor(each: fx.Node) -> Any:
            known = self.known[each]
            if not isinstance(known, Constant):
                return known
            value = in_double(known.value)
            return value.clone() if schema.is_mutable else value

        args, kwargs = fx.node.map_arg((node.args, node.kwargs), tensor)
        made = node.target(*args, **kwargs)
        keeps = before is not None and word(node) in SAME_NUMBERS

        def constant(value: Any) -> Any:
            if not isinstance(value, torch.Tensor):
                return value
            if keeps and isinstance(before, Constant) and value.numel() == before.value.numel():
                return Constant(before.value.reshape(value.shape), before.name, before.learnt)
            return Constant(in_double(value))

        return [constant(value) for value in made] if isinstance(made, list | tuple) else constant(made)

    def element(self, node: fx.Node) -> Any:
        """What `getitem` takes out of several results."""
        several, place = node.args
        assert isinstance(several, fx.Node)
        return self.known[several][place]

    def lowered(self, node: fx.Node) -> Any:
        call = self.call(node)
        if node.target is operator.getitem:
            made = self.element(node)
            return made.taken(call) if isinstance(made, Part) else made
        if call.word in IDENTITIES:
            return self.identity(call)
        function: Lowering | None = LOWERINGS.get(call.word)
        if function is None:
            raise UnsupportedError(f"`{call.word}`")
        return function(call)

    def identity(self, call: Call) -> Any:
        if call.word == "_assert_tensor_metadata":
            return None
        if call.word.endswith("dropout") and call.arguments.get("train"):
            raise UnsupportedError("a dropout that drops in inference too")
        if call.node.meta["val"].dtype in (torch.float16, torch.bfloat16):
            raise UnsupportedError("numbers in half precision")
        return self.known[call.node.all_input_nodes[0]]

    def call(self, node: fx.Node) -> Call:
        schema = getattr(node.target, "_schema", None)
        arguments: dict[str, Any] = {}
        if schema:
            for place, argument in enumerate(schema.arguments):
                if place < len(node.args):
                    value = node.args[place]
                else:
                    value = node.kwargs.get(argument.name, argument.default_value)
                arguments[argument.name] = fx.node.map_arg(value, lambda each: self.known[each])
        return Call(node, self.traced.scopes[node], arguments, self.drafts, self.input, BATCH)

    def outputs(self) -> list[Draft]:
        """The layers whose values the model returns."""
        found = []
        for node in self.traced.outputs:
            value = self.known[node]
            if isinstance(value, Unknown):
                continue
            if not isinstance(value, Value) or value.border or not value.view.is_whole():
                said = f"[N, C, H, W] or [N, C], found {shown(value) if isinstance(value, Value) else describe(value)}"
                self.refused.append((Scope("", "", 1, False, ""), f"an output that is not {said}"))
            elif value.draft is self.input:
                self.refused.append((Scope("", "", 1, False, ""), "an output that is the input"))
            else:
                found.append(value.draft)
        return found


def needed(drafts: list[Draft], outputs: Iterable[Draft]) -> list[Draft]:
    """The layers that the outputs depend on."""
    wanted = set(outputs)
    for draft in reversed(drafts):
        if draft in wanted:
            wanted.update(draft.inputs)
    return [draft for draft in drafts if draft in wanted]


def named(traced: Traced, name: str, image: Draft, drafts: list[Draft], outputs: list[Draft]) -> Lowered:
    """The graph, each layer and tensor by its name."""
    input_name = traced.input_node.name
    names = names_of(drafts, input_name) | {image: input_name}
    graph = Graph(name, input_name, traced.input_shape, "chw")
    exact: dict[str, torch.Tensor] = {}
    shows: dict[fx.Node, list[tuple[str, View]]] = {}
    for draft in drafts:
        shared = {}
        for role, constant in draft.tensors.items():
            called = constant.name or f"{names[draft]}.{role}"
            if called in exact and not same_tensor(exact[called], constant.value):
                called = f"{names[draft]}.{role}"
            if called not in exact:
                exact[called] = constant.value
                graph.tensors[called] = np.asarray(constant.value.detach().cpu().float().numpy(), np.float32, order="C")
            shared[role] = called
        graph.add(names[draft], draft.op, [names[each] for each in draft.inputs], shared=shared, **draft.attributes)
        if draft.view:
            shows.setdefault(draft.origin, []).append((names[draft], draft.view))
    graph.outputs = list(dict.fromkeys(names[draft] for draft in outputs))
    graph.blocks = blocks_of(drafts, names)
    return Lowered(graph, [names[draft] for draft in outputs], exact, shows)


def same_tensor(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.shape == other.shape and (one is other or torch.equal(one, other.to(one.dtype)))
