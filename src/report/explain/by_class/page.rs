//! Mean gates by class as a page that stands alone.

use std::io::{self, Write};

use super::{GatedClass, GatesByClass, mean};
use crate::explain::MeanGates;
use crate::report::html::{self, Axis, Chart, escaped};
use crate::report::table::thousands;

/// Of charts, whose width is 960.
const HEIGHT: f64 = 300.;

/// Classes that have a line: of more those that differ most from the mean over all.
const MOST: usize = 12;

/// Colours that lines have: with twice as many classes every second half of them is dashed.
const COLOURS: usize = 6;

/// Channels that a line goes through: more than its pixels would tell nothing.
const POINTS: usize = 512;

/// Writes the page.
pub(super) fn write(gates: &GatesByClass, out: &mut dyn Write) -> io::Result<()> {
    html::start(out, &format!("Gates of {} by class", gates.network))?;
    let mut facts = vec![
        ("data", gates.data.clone()),
        ("weights", gates.weights.clone()),
        ("images", thousands(gates.images)),
        ("classes", gates.counted_classes()),
    ];
    if !gates.failed.is_empty() {
        facts.push(("failed", format!("{}, in no mean", gates.failed.len())));
    }
    html::facts(out, &facts)?;
    if gates.images > 0 {
        write_spread(gates, out)?;
        write_blocks(gates, out)?;
        write_classes(gates, out)?;
    }
    if !gates.failed.is_empty() {
        let failed = gates.failed.iter();
        let rows = failed.map(|failure| [failure.input.as_str(), failure.error.as_str()]);
        html::list(
            out,
            "Failed",
            ["image", "error"],
            rows,
            "which standard error named",
        )?;
    }
    html::end(out)
}

/// How far classes are apart at each depth.
fn write_spread(gates: &GatesByClass, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<h2>How far classes are apart</h2>\n<p class=\"note\">The standard deviation of a channel&#39;s \
         mean gate between the classes, as the mean over a block&#39;s channels: near 0 a block treats \
         all classes alike.</p>"
    )?;
    let most = gates.blocks.iter().map(|block| f64::from(block.spread));
    let most = most.fold(0., f64::max).max(1e-6);
    let chart = Chart {
        x: Axis::order("blocks, in the order of computation", gates.blocks.len()),
        y: Axis::even("spread between classes", 0., most * 1.1),
        height: HEIGHT,
    };
    chart.start(out, "spread between classes against depth")?;
    let points = || gates.blocks.iter().enumerate();
    let place = |(index, block): (usize, &MeanGates)| [index as f64, f64::from(block.spread)];
    chart.line(out, "line", points().map(place))?;
    for (index, block) in points() {
        let title = format!("{}: {:.4}", block.block, block.spread);
        chart.circle(out, "ok", place((index, block)), &title)?;
    }
    chart.end(out)
}

/// The classes that have a line, by their places among all.
fn drawn(gates: &GatesByClass) -> Vec<usize> {
    let mut distances: Vec<(usize, f64)> =
        (0..gates.classes.len()).map(|place| (place, 0.)).collect();
    for block in &gates.blocks {
        for ((_, sum), class) in distances.iter_mut().zip(&block.classes) {
            *sum += block.distance(class);
        }
    }
    distances.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    distances.truncate(MOST);
    let mut places: Vec<usize> = distances.into_iter().map(|(place, _)| place).collect();
    places.sort_unstable();
    places
}

/// What a line looks like, by its place among those drawn.
fn look(place: usize) -> String {
    let dashed = if place < COLOURS { "" } else { " dashed" };
    format!("s{}{dashed}", place % COLOURS)
}

/// A chart for each depth, as in the paper's figure 6.
fn write_blocks(gates: &GatesByClass, out: &mut dyn Write) -> io::Result<()> {
    let drawn = drawn(gates);
    let all = gates.classes.len();
    writeln!(
        out,
        "<h2>Mean gates at each depth</h2>\n<p class=\"note\">A line for each class{}, and for the mean \
         over all classes, by which channels are ordered; as in section 6.4 of the paper on \
         Squeeze-and-Excitation networks.</p>\n<p class=\"legend\">",
        if drawn.len() < all {
            format!(
                " of the {} of {all} that differ most from the mean",
                drawn.len()
            )
        } else {
            String::new()
        }
    )?;
    for (line, &place) in drawn.iter().enumerate() {
        let label = gates.classes.get(place).map_or("", |class| &class.label);
        writeln!(
            out,
            "<span><span class=\"key {}\"></span>{}</span>",
            look(line),
            escaped(label)
        )?;
    }
    writeln!(out, "<span><span class=\"key all\"></span>all</span></p>")?;
    for block in &gates.blocks {
        write_block(gates, block, &drawn, out)?;
    }
    Ok(())
}

fn write_block(
    gates: &GatesByClass,
    block: &MeanGates,
    drawn: &[usize],
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut order: Vec<usize> = (0..block.all.len()).collect();
    order.sort_by(|&a, &b| block.all[b].total_cmp(&block.all[a]));
    let each = order.len().div_ceil(POINTS).max(1);
    let order: Vec<usize> = order.into_iter().step_by(each).collect();
    let furthest = gates.furthest(block);
    let furthest = furthest.map_or_else(String::new, |class| {
        format!("; furthest from the mean: {}", class.label)
    });
    let left_out = match each {
        1 => String::new(),
        2 => ", of which every 2nd is drawn".to_owned(),
        3 => ", of which every 3rd is drawn".to_owned(),
        each => format!(", of which every {each}th is drawn"),
    };
    writeln!(
        out,
        "<section>\n<h3>{}</h3>\n<p class=\"note\">{}</p>",
        escaped(&block.block),
        escaped(&format!(
            "{} channels{left_out}; mean {:.3}, spread {:.4}{furthest}",
            block.all.len(),
            mean(&block.all),
            block.spread
        ))
    )?;
    let classes: Vec<&[f32]> = drawn
        .iter()
        .filter_map(|&place| block.classes.get(place))
        .map(|class| class.values.as_slice())
        .collect();
    let [least, most] = ends(classes.iter().copied().chain([block.all.as_slice()]));
    let chart = Chart {
        x: Axis::order(
            "channels, from the largest mean gate to the smallest",
            order.len(),
        ),
        y: Axis::even("mean gate", least, most),
        height: HEIGHT,
    };
    chart.start(out, &format!("mean gates of {} by class", block.block))?;
    let points = |values: &[f32]| {
        let value = |&channel: &usize| values.get(channel).copied().map_or(f64::NAN, f64::from);
        let values: Vec<f64> = order.iter().map(value).collect();
        let points = values.into_iter().enumerate();
        points.map(|(place, value)| [place as f64, value])
    };
    for (line, values) in classes.iter().enumerate() {
        chart.line(out, &format!("series {}", look(line)), points(values))?;
    }
    chart.line(out, "all", points(&block.all))?;
    chart.end(out)?;
    writeln!(out, "</section>")
}

/// The tenths between which all values are.
fn ends<'a>(lines: impl Iterator<Item = &'a [f32]>) -> [f64; 2] {
    let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
    for &value in lines.flatten() {
        least = least.min(f64::from(value));
        most = most.max(f64::from(value));
    }
    let least = (least * 10.).floor() / 10.;
    [least, ((most * 10.).ceil() / 10.).max(least + 0.1)]
}

/// How many images each class has.
fn write_classes(gates: &GatesByClass, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<details><summary>Images of each class</summary>\n<div class=\"scroll\"><table>\n<thead><tr>\
         <th>class</th><th class=\"number\">number</th><th class=\"number\">images</th></tr></thead>\n\
         <tbody>"
    )?;
    for GatedClass {
        class,
        label,
        images,
    } in &gates.classes
    {
        writeln!(
            out,
            "<tr><td class=\"text\">{}</td><td class=\"number\">{class}</td><td class=\"number\">{}</td></tr>",
            escaped(label),
            thousands(*images)
        )?;
    }
    writeln!(out, "</tbody>\n</table></div>\n</details>")
}
