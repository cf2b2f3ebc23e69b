//! What of `senet parity`'s answer is about values in isolation.

use std::io::{self, Write};

use super::table::{self, Align};
use crate::parity::Isolated;
use crate::parity::causes::{Element, Explanation, Hypothesis};
use crate::text::{counted, escaped, shown, shown_list};

/// Layers that a line names at most.
const MOST_NAMED: usize = 3;

/// A row for each value.
pub(super) fn write(out: &mut dyn Write, isolated: &[Isolated]) -> io::Result<()> {
    let header = [
        "in isolation",
        "from",
        "layers",
        "max abs",
        "max rel",
        "worst at",
        "",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(isolated.iter().map(|value| {
        let worst = match (&value.worst, &value.reference_shape) {
            (Some(worst), _) => format!("{worst:?}"),
            (None, shape) => {
                let [ours, theirs] = [&value.shape, shape].map(|shape| {
                    shape
                        .as_ref()
                        .map_or("none".to_owned(), |s| format!("{s:?}"))
                });
                format!("shape {ours}, reference {theirs}")
            }
        };
        vec![
            shown(&value.name),
            shown_list(&value.from, MOST_NAMED),
            value.layers.len().to_string(),
            format!("{:.1e}", value.max_abs),
            format!("{:.1e}", value.max_rel),
            worst,
            if value.passed { "ok" } else { "DIFFERS" }.to_owned(),
        ]
    }));
    let (left, right) = (Align::Left, Align::Right);
    table::write(out, &[left, left, right, right, right, left, left], &rows)
}

/// A sentence for each value that differs in isolation, as far as they are explained.
pub(super) fn write_causes(
    out: &mut dyn Write,
    isolated: &[Isolated],
    causes: &[Explanation],
) -> io::Result<()> {
    let differing = isolated.iter().filter(|value| !value.passed).count();
    if differing == 0 {
        return writeln!(
            out,
            "in isolation every value is equal: what differs has grown from layer to layer"
        );
    }
    for explanation in causes {
        let of_value = |value: &&Isolated| value.name == explanation.name;
        let value = isolated.iter().find(of_value);
        write_explanation(out, explanation, value)?;
    }
    match differing.saturating_sub(causes.len()) {
        0 => Ok(()),
        more => writeln!(
            out,
            "in isolation {} differ{}{} (`--isolate` lists all, `--causes N` explains N)",
            counted(more, "value"),
            if more == 1 { "s" } else { "" },
            if causes.is_empty() { "" } else { " besides" },
        ),
    }
}

fn write_explanation(
    out: &mut dyn Write,
    explanation: &Explanation,
    value: Option<&Isolated>,
) -> io::Result<()> {
    let name = shown(&explanation.name);
    let has_shape = value.is_some_and(|value| value.reference_shape.is_none());
    let before = match explanation.worst.first() {
        _ if explanation.before.is_finite() => format!("error {:.1e}", explanation.before),
        _ if !has_shape => "another shape".to_owned(),
        Some(worst) if worst.theirs.is_nan() => "the reference is NaN there".to_owned(),
        Some(worst) if worst.theirs.is_infinite() => "the reference is infinite there".to_owned(),
        _ => "NaN or infinity here".to_owned(),
    };
    let found = &explanation.found;
    if let (Some(explained_by), Some(after)) = (&found.explained_by, found.after) {
        let place = place(&found.layers, &explanation.name);
        writeln!(
            out,
            "`{name}`: explained by {}{place}: {before} before, {after:.1e} after",
            escaped(explained_by)
        )?;
    } else {
        let tried = explanation.tried;
        write!(
            out,
            "`{name}`: {before}, which none of {tried} hypotheses explains"
        )?;
        match explanation.worst.first() {
            Some(worst) => {
                let Element {
                    position,
                    ours,
                    theirs,
                } = worst;
                writeln!(out, "; at {position:?} {ours:e} here, {theirs:e} there")?;
            }
            None => writeln!(out)?,
        }
    }
    if let Some(nearest) = &found.nearest {
        write_other(
            out,
            "most of it is explained by",
            nearest,
            &explanation.name,
        )?;
    }
    for other in &explanation.also {
        write_other(out, "as well by", other, &explanation.name)?;
    }
    match explanation.not_tried {
        0 => Ok(()),
        not_tried => writeln!(
            out,
            "  not tried: {not_tried} that take too long; a dump of more layers makes them quicker"
        ),
    }
}

fn write_other(
    out: &mut dyn Write,
    how: &str,
    hypothesis: &Hypothesis,
    name: &str,
) -> io::Result<()> {
    let explained_by = escaped(&hypothesis.explained_by);
    let place = place(&hypothesis.layers, name);
    writeln!(
        out,
        "  {how} {explained_by}{place}: {:.1e} after",
        hypothesis.after
    )
}

/// Where a cause is, if not in the value's own layer.
fn place(layers: &[String], name: &str) -> String {
    match layers {
        [] => String::new(),
        [only] if only == name => String::new(),
        layers => format!(" in {}", shown_list(layers, MOST_NAMED)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parity::causes::{Cause, Found};

    fn isolated(name: &str, passed: bool) -> Isolated {
        Isolated {
            name: name.to_owned(),
            from: vec!["input".to_owned()],
            layers: vec![name.to_owned()],
            shape: Some(vec![1, 2]),
            reference_shape: None,
            max_abs: 0.5,
            max_rel: 0.25,
            worst: Some(vec![0, 1]),
            passed,
        }
    }

    fn hypothesis(explained_by: &str, layers: &[&str]) -> Hypothesis {
        Hypothesis {
            cause: Cause::NormMissing,
            explained_by: explained_by.to_owned(),
            layers: layers.iter().map(|&layer| layer.to_owned()).collect(),
            after: 1e-9,
        }
    }

    fn unexplained(before: f64) -> Explanation {
        Explanation {
            name: "block".to_owned(),
            before,
            found: Found {
                cause: None,
                explained_by: None,
                layers: Vec::new(),
                after: None,
                nearest: None,
            },
            also: Vec::new(),
            tried: 12,
            not_tried: 0,
            worst: Vec::new(),
        }
    }

    fn text(isolated: &[Isolated], causes: &[Explanation]) -> String {
        let mut out = Vec::new();
        write_causes(&mut out, isolated, causes).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_not_explained_is_shown_and_so_is_what_was_not_tried() {
        let mut explanation = unexplained(0.5);
        explanation.worst = vec![Element {
            position: vec![0, 1],
            ours: 0.25,
            theirs: -0.25,
        }];
        explanation.not_tried = 3;
        explanation.found.nearest = Some(hypothesis("no batch norm", &["a", "b", "c", "d"]));
        let values = [isolated("block", false), isolated("more", false)];
        assert_eq!(
            text(&values, &[explanation]),
            "`block`: error 5.0e-1, which none of 12 hypotheses explains; at [0, 1] 2.5e-1 here, \
             -2.5e-1 there\n  \
             most of it is explained by no batch norm in `a`, `b`, `c`, 1 more: 1.0e-9 after\n  \
             not tried: 3 that take too long; a dump of more layers makes them quicker\n\
             in isolation 1 value differs besides (`--isolate` lists all, `--causes N` explains N)\n"
        );
    }

    #[test]
    fn shapes_have_no_error_and_hostile_names_no_lines_of_their_own() {
        let mut of_shapes = isolated("block", false);
        of_shapes.worst = None;
        of_shapes.reference_shape = Some(vec![1, 3]);
        let mut explanation = unexplained(f64::INFINITY);
        explanation.found.explained_by = Some("`a\nb` read in place of `c`".to_owned());
        explanation.found.after = Some(0.);
        explanation.found.layers = vec!["block".to_owned()];
        explanation.also = vec![hypothesis("no batch norm", &["block"])];
        assert_eq!(
            text(&[of_shapes.clone()], &[explanation]),
            "`block`: explained by `a\\nb` read in place of `c`: another shape before, 0.0e0 after\n  \
             as well by no batch norm: 1.0e-9 after\n"
        );
        let mut out = Vec::new();
        write(&mut out, &[of_shapes]).unwrap();
        let table = String::from_utf8(out).unwrap();
        assert!(
            table.contains("shape [1, 2], reference [1, 3]  DIFFERS"),
            "{table}"
        );
    }

    #[test]
    fn what_is_no_number_in_the_reference_is_no_other_shape() {
        let mut explanation = unexplained(f64::INFINITY);
        explanation.worst = vec![Element {
            position: vec![0, 1],
            ours: 0.25,
            theirs: f64::NAN,
        }];
        assert_eq!(
            text(&[isolated("block", false)], &[explanation]),
            "`block`: the reference is NaN there, which none of 12 hypotheses explains; at [0, 1] \
             2.5e-1 here, NaN there\n"
        );
    }

    #[test]
    fn that_no_layer_differs_in_isolation_is_said() {
        let said = text(&[isolated("block", true)], &[]);
        assert!(
            said.starts_with("in isolation every value is equal"),
            "{said}"
        );
    }
}
