//! What a network saw, as a page that stands alone.

use std::io::{self, Write};

use super::{Explained, ExplainedGates, ExplainedMap};
use crate::error::Result;
use crate::explain::Explanation;
use crate::image::Thumbnail;
use crate::picture;
use crate::report::html::{self, escaped};

/// Images that are drawn, the first of all: each takes some hundred kilobytes. Of the others there are
/// the words.
pub const PICTURED: usize = 50;

/// The most rows and columns of a photograph on the page.
const SIDE: u32 = 640;

/// The most channels whose strip is drawn without mixing neighbours: its pixels are larger than the
/// screen's.
const FEW: usize = 512;

/// What a network saw in an image, drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pictures {
    /// The photograph.
    pub photo: Thumbnail,
    /// The heat map over it.
    pub heat: Option<Thumbnail>,
    /// The gates of each block as a PNG file of one row.
    pub strips: Vec<Vec<u8>>,
}

impl Pictures {
    /// Draws an explanation, the gates as they are or, with `sort`, from the largest to the smallest.
    ///
    /// # Errors
    ///
    /// Those of [`Thumbnail::within`] and [`picture::png`].
    pub fn of(explanation: &Explanation, sort: bool) -> Result<Self> {
        let heat = explanation.evidence.as_ref().map(|evidence| {
            let heat = picture::heat(&explanation.photo, &explanation.seen, &evidence.map);
            Thumbnail::within(&heat, SIDE)
        });
        let strips = explanation.gates.iter().map(|gates| {
            let values = if sort {
                gates.sorted()
            } else {
                gates.values.clone()
            };
            picture::png(&picture::row(&values))
        });
        Ok(Self {
            photo: Thumbnail::within(&explanation.photo, SIDE)?,
            heat: heat.transpose()?,
            strips: strips.collect::<Result<_>>()?,
        })
    }
}

/// Writes what comes before the first image.
pub(super) fn start(out: &mut dyn Write, network: &str, weights: &str) -> io::Result<()> {
    html::start(out, &format!("What {network} saw"))?;
    html::facts(out, &[("network", network), ("weights", weights)])?;
    writeln!(
        out,
        "<p class=\"note\">A heat map is the lighter, the more a place speaks for its class; what the \
         network did not see is dimmed. A gate is what an SE block multiplies a channel by: {}</p>",
        scale("0", "1")?
    )
}

/// The colours from dark to light, between words for their ends.
fn scale(from: &str, to: &str) -> io::Result<String> {
    const STEPS: u8 = 64;
    let steps: Vec<f32> = (0..STEPS)
        .map(|step| f32::from(step) / f32::from(STEPS - 1))
        .collect();
    let png = picture::png(&picture::row(&steps)).map_err(io::Error::other)?;
    let uri = html::data_uri("image/png", &png);
    let picture = html::picture(&uri, [STEPS.into(), 1], "from dark to light");
    Ok(format!(
        "<span class=\"scale\">{from} {picture} {to}</span>"
    ))
}

/// Writes an image.
pub(super) fn write(out: &mut dyn Write, row: &Explained) -> io::Result<()> {
    writeln!(out, "<section>\n<h2>{}</h2>", html::input(&row.input))?;
    if let Some(error) = &row.error {
        writeln!(out, "<p class=\"bad-text\">{}</p>", escaped(error))?;
        return writeln!(out, "</section>");
    }
    writeln!(out, "<div class=\"seen\">")?;
    if let Some(pictures) = &row.pictures {
        let photo = figure(&pictures.photo, &row.input, "as it is");
        writeln!(out, "{photo}")?;
        if let (Some(heat), Some(class), Some(map)) = (&pictures.heat, &row.class, &row.map) {
            let what = format!("what speaks for {}, by {}", class.label, map.method);
            writeln!(out, "{}", figure(heat, &what, &what))?;
        }
    }
    if !row.top.is_empty() {
        writeln!(out, "<div>")?;
        for class in &row.top {
            writeln!(out, "{}", html::class(class))?;
        }
        if let Some(map) = &row.map {
            writeln!(out, "<p class=\"note\">{}</p>", said(map))?;
        }
        writeln!(out, "</div>")?;
    }
    writeln!(out, "</div>")?;
    write_gates(out, row)?;
    writeln!(out, "</section>")
}

fn figure(picture: &Thumbnail, alt: &str, caption: &str) -> String {
    let uri = html::data_uri("image/jpeg", &picture.jpeg);
    let picture = html::picture(&uri, picture.size, alt);
    format!(
        "<figure>{picture}<figcaption>{}</figcaption></figure>",
        escaped(caption)
    )
}

/// A heat map in words.
fn said(map: &ExplainedMap) -> String {
    let [least, largest] = map.range();
    let places = format!(
        "The map has {}x{} places, from {least:.3} to {largest:.3}",
        map.rows, map.columns
    );
    match map.bias {
        Some(bias) => format!(
            "{places}. Their mean and the classifier&#39;s bias, {bias:.3}, add up to the class&#39;s \
             logit."
        ),
        None => format!(
            "{places}: by how much the output for the class falls where a place is covered."
        ),
    }
}

fn write_gates(out: &mut dyn Write, row: &Explained) -> io::Result<()> {
    if row.gates.is_empty() {
        return writeln!(out, "<p class=\"note\">No SE block, so no gates.</p>");
    }
    writeln!(out, "<div class=\"strips\">")?;
    let strips = row.pictures.as_ref().map(|pictures| &pictures.strips);
    for (place, gates) in row.gates.iter().enumerate() {
        let strip = strips.and_then(|strips| strips.get(place));
        write_strip(out, gates, strip.map(Vec::as_slice))?;
    }
    writeln!(out, "</div>")
}

fn write_strip(out: &mut dyn Write, gates: &ExplainedGates, png: Option<&[u8]>) -> io::Result<()> {
    let channels = gates.values.len();
    write!(
        out,
        "<div class=\"strip\"><b>{}</b><span>{channels} channels, mean {:.3}, {:.3} to {:.3}</span>",
        escaped(&gates.block),
        gates.mean,
        gates.least,
        gates.largest
    )?;
    if let Some(png) = png {
        let width = u32::try_from(channels).unwrap_or(u32::MAX);
        let alt = format!("gates of {}", gates.block);
        let picture = html::picture(&html::data_uri("image/png", png), [width, 1], &alt);
        let class = if channels <= FEW { "few" } else { "many" };
        write!(out, "<span class=\"{class}\">{picture}</span>")?;
    }
    writeln!(out, "</div>")
}
