//! Layers in their groups, as their names say.

use super::TraceRow;
use crate::network::layers::SEPARATORS;

/// Groups inside groups that are told apart; what is deeper is one name.
const DEEPEST: usize = 24;

/// A layer, or a group of layers that follow each other.
pub(super) struct Node<'a> {
    /// The last part of its name.
    pub(super) name: &'a str,
    /// Its layers, those of groups inside it included.
    rows: &'a [TraceRow],
    /// What is inside it; nothing of a layer.
    pub(super) children: Vec<Node<'a>>,
}

impl<'a> Node<'a> {
    /// Its layers, those of groups inside it included.
    pub(super) fn layers(&self) -> &'a [TraceRow] {
        self.rows
    }
}

/// The outermost groups and layers. A group that others interrupt comes again.
pub(super) fn of(rows: &[TraceRow]) -> Vec<Node<'_>> {
    level(rows, 0)
}

/// Groups and layers below names of so many parts, which all of `rows` share.
fn level(rows: &[TraceRow], depth: usize) -> Vec<Node<'_>> {
    let mut nodes = Vec::new();
    let mut rest = rows;
    while let Some(first) = rest.first() {
        let name = part(&first.name, depth).unwrap_or_default();
        let is_inside = |row: &TraceRow| {
            part(&row.name, depth) == Some(name) && part(&row.name, depth + 1).is_some()
        };
        let inside = rest.iter().take_while(|row| is_inside(row)).count();
        let (rows, after) = rest.split_at(inside.max(1));
        nodes.push(Node {
            name,
            rows,
            children: match inside {
                0 => Vec::new(),
                _ => level(rows, depth + 1),
            },
        });
        rest = after;
    }
    nodes
}

/// A part of a layer's name, counted from the outermost group.
fn part(name: &str, depth: usize) -> Option<&str> {
    name.splitn(DEEPEST, SEPARATORS).nth(depth)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(names: &[&str]) -> Vec<TraceRow> {
        let row = |name: &&str| TraceRow {
            name: (*name).to_owned(),
            kind: "relu",
            input_shapes: Vec::new(),
            output_shape: Vec::new(),
            window: None,
            groups: None,
            parameters: 0,
            parameter_share: 0.,
            parameter_bytes: 0,
            buffers: 0,
            macs: 0,
            mac_share: 0.,
            output_bytes: 0,
            values: None,
            time_ms: None,
        };
        names.iter().map(row).collect()
    }

    fn shown(nodes: &[Node]) -> String {
        let shown = nodes.iter().map(|node| match &node.children[..] {
            [] => node.name.to_owned(),
            children => format!("{}({})", node.name, shown(children)),
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn layers_that_follow_each_other_are_in_one_group() {
        let rows = rows(&["a", "b.c.d", "b.c.e", "b/f", "g", "b.h", "b", "b.i"]);
        assert_eq!(shown(&of(&rows)), "a b(c(d e) f) g b(h) b b(i)");
        assert!(of(&[]).is_empty());
    }

    #[test]
    fn a_name_of_many_parts_is_no_tree_without_end() {
        let name = "a.".repeat(100_000);
        let rows = rows(&[&name]);
        let mut depth = 0;
        let mut level = &of(&rows)[..];
        while let [node] = level {
            level = &node.children;
            depth += 1;
        }
        assert_eq!(depth, DEEPEST);
    }
}
