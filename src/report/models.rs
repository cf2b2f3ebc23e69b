use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;

use super::Report;
use super::table::{self, Align, thousands};
use crate::network::Top1;

/// The answer of `senet models`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Models {
    /// The networks in the catalogue's order.
    pub models: Vec<Model>,
    /// Networks of timm's with SE blocks or the like that there are not.
    pub left_out: Vec<LeftOut>,
}

/// A network that the catalogue does not have.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LeftOut {
    /// Its name in timm.
    pub name: &'static str,
    /// What it has that no layer here is.
    pub reason: &'static str,
}

/// A network of the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Model {
    /// The name of the network.
    pub name: Cow<'static, str>,
    /// The networks that it is listed with.
    pub family: &'static str,
    /// The input it is made for, `[C, H, W]`.
    pub input: [usize; 3],
    /// The number of trainable parameters.
    pub parameters: u64,
    /// Multiplies for one such input.
    pub macs: u64,
    /// The best published accuracy.
    pub top1: Option<Top1>,
    /// What `--weights` takes to load published weights.
    pub hub: Vec<String>,
    /// The code base whose arithmetic it follows.
    pub convention: &'static str,
    /// What `--weights` takes to load those inside the program.
    pub builtin: Option<String>,
    /// One line for people.
    pub summary: Cow<'static, str>,
}

/// The heads of a row's cells.
const HEADER: [&str; 8] = [
    "network",
    "input",
    "parameters",
    "MACs",
    "top-1",
    "weights on the hub",
    "convention",
    "what it is",
];

const ALIGN: [Align; 8] = [
    Align::Left,
    Align::Left,
    Align::Right,
    Align::Right,
    Align::Left,
    Align::Left,
    Align::Left,
    Align::Left,
];

/// The place of a network's name among a row's cells.
const NAME: usize = 0;

/// The place of the words that say what a network is, of which the beginning says something, too.
const SUMMARY: usize = 7;

/// The columns, from the one that is wanted most to the one that is missed least.
const BY_IMPORTANCE: [usize; 8] = [NAME, 2, 3, 1, 4, 5, 6, SUMMARY];

/// The least that is worth showing of what a network is.
const LEAST_SUMMARY: usize = 24;

impl Model {
    /// The network's row; briefly, without saying of which size and whose its accuracy is.
    fn cells(&self, brief: bool) -> Vec<String> {
        let [channels, height, width] = self.input;
        let top1 = match &self.top1 {
            None => String::new(),
            Some(top1) if brief => format!("{:.2} %", top1.percent),
            Some(top1) => format!("{:.2} % at {} ({})", top1.percent, top1.size, top1.source),
        };
        let hub = match self.hub.as_slice() {
            [] => String::new(),
            [only] => only.clone(),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        };
        let builtin = self.builtin.as_ref();
        let builtin = builtin.map_or_else(String::new, |builtin| format!(" ({builtin})"));
        vec![
            self.name.to_string(),
            format!("{channels}x{height}x{width}"),
            thousands(self.parameters),
            thousands(self.macs),
            top1,
            hub,
            self.convention.to_owned(),
            format!("{}{builtin}", self.summary),
        ]
    }
}

impl Models {
    /// Writes it as tables of Markdown, one a family.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    pub fn write_markdown(&self, out: &mut dyn Write) -> io::Result<()> {
        for (index, family) in self.families().enumerate() {
            let gap = if index > 0 { "\n" } else { "" };
            writeln!(out, "{gap}### {}\n", family[0].family)?;
            let rows = family.iter().map(|model| model.cells(false));
            table::write_markdown(out, &ALIGN, &HEADER, rows)?;
        }
        if self.left_out.is_empty() {
            return Ok(());
        }
        let gap = if self.models.is_empty() { "" } else { "\n" };
        writeln!(out, "{gap}### Left out\n")?;
        let rows = self.left_out.iter();
        let rows = rows.map(|each| vec![each.name.to_owned(), each.reason.to_owned()]);
        table::write_markdown(out, &[Align::Left; 2], &["network", "because it"], rows)
    }

    /// The models by family.
    fn families(&self) -> impl Iterator<Item = &[Model]> {
        self.models.chunk_by(|one, next| one.family == next.family)
    }

    /// Writes as much of the table as `width` columns of a terminal hold, which columns of it are
    /// left out, and which networks; all of it where there is no bound.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    pub fn write_within(&self, width: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
        if !self.models.is_empty() {
            self.write_models(width, out)?;
        }
        if self.left_out.is_empty() {
            return Ok(());
        }
        let gap = if self.models.is_empty() { "" } else { "\n" };
        let title =
            "timm's networks with SE blocks or the like that are not here, since each of them";
        writeln!(out, "{gap}{}", cut(title, width.unwrap_or(usize::MAX)))?;
        let names = self.left_out.iter().map(|each| each.name.len()).max();
        let room = names.unwrap_or(0) + table::GAP;
        for each in &self.left_out {
            let line = format!("{:room$}{}", each.name, each.reason);
            writeln!(out, "{}", cut(&line, width.unwrap_or(usize::MAX)))?;
        }
        Ok(())
    }

    fn write_models(&self, width: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
        let rows = |brief| {
            let mut rows = vec![HEADER.map(str::to_owned).to_vec()];
            rows.extend(self.models.iter().map(|model| model.cells(brief)));
            rows
        };
        let whole = rows(false);
        let of_whole = table::widths(&whole, HEADER.len());
        let of_whole = of_whole.iter().sum::<usize>() + (HEADER.len() - 1) * table::GAP;
        let Some(width) = width.filter(|&width| width < of_whole) else {
            return self.write_by_family(None, &ALIGN, &whole, out);
        };
        let mut rows = rows(true);
        let wide = table::widths(&rows, HEADER.len());
        let mut left = (width + table::GAP).saturating_sub(wide[NAME] + table::GAP);
        let mut shown = [false; HEADER.len()];
        shown[NAME] = true;
        for column in BY_IMPORTANCE.into_iter().skip(1) {
            let least = match column {
                SUMMARY => wide[SUMMARY].min(LEAST_SUMMARY),
                _ => wide[column],
            };
            if least + table::GAP <= left {
                shown[column] = true;
                left = left.saturating_sub(wide[column] + table::GAP);
            }
        }
        if shown[SUMMARY] {
            let others = (0..SUMMARY).filter(|&column| shown[column]);
            let taken: usize = others.map(|column| wide[column] + table::GAP).sum();
            for row in &mut rows {
                row[SUMMARY] = cut(&row[SUMMARY], width - taken);
            }
        }
        let of_shown = |column: &usize| shown[*column];
        let columns: Vec<usize> = (0..HEADER.len()).filter(of_shown).collect();
        let align: Vec<Align> = columns.iter().map(|&column| ALIGN[column]).collect();
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| columns.iter().map(|&column| row[column].clone()).collect())
            .collect();
        self.write_by_family(Some(width), &align, &rows, out)?;
        let missing: Vec<&str> = (0..HEADER.len())
            .filter(|column| !shown[*column])
            .map(|column| HEADER[column])
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        writeln!(
            out,
            "\nleft out: {}; `--format json` has all",
            missing.join(", ")
        )
    }

    /// Writes the rows, the first of them a header, under their families' names where they are of
    /// several.
    fn write_by_family(
        &self,
        width: Option<usize>,
        align: &[Align],
        rows: &[Vec<String>],
        out: &mut dyn Write,
    ) -> io::Result<()> {
        if self.families().count() < 2 {
            return table::write(out, align, rows);
        }
        let mut lines = Vec::new();
        table::write(&mut lines, align, rows)?;
        let mut lines = lines.split_inclusive(|&byte| byte == b'\n');
        out.write_all(lines.next().unwrap_or_default())?;
        for family in self.families() {
            let name = cut(family[0].family, width.unwrap_or(usize::MAX));
            writeln!(out, "\n{name}")?;
            for line in lines.by_ref().take(family.len()) {
                out.write_all(line)?;
            }
        }
        Ok(())
    }
}

/// The beginning of a text, in so many columns.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let beginning: String = text.chars().take(width.saturating_sub(2)).collect();
    format!("{} …", beginning.trim_end())
}

impl Report for Models {
    fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        self.write_within(None, out)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    fn written(width: Option<usize>) -> String {
        let model = |name, hub: &[&str], summary| Model {
            name: Cow::Borrowed(name),
            family: "ResNet",
            input: [3, 224, 224],
            parameters: 28_088_024,
            macs: 4_091_699_200,
            top1: Some(Top1 {
                percent: 81.29,
                size: 288,
                source: "timm",
            }),
            hub: hub.iter().map(|&hub| hub.to_owned()).collect(),
            convention: "timm",
            builtin: None,
            summary: Cow::Borrowed(summary),
        };
        let models = vec![
            model(
                "seresnet50",
                &["hf:timm/seresnet50.a1_in1k"],
                "SE-ResNet-50",
            ),
            model(
                "seresnextaa101d_32x8d",
                &["hf:timm/seresnextaa101d_32x8d.sw_in12k_ft_in1k_288", "more"],
                "SE-ResNeXt-101-D, 32 groups of 8, averaged against aliasing",
            ),
        ];
        let left_out = Vec::new();
        text_of(&Models { models, left_out }, width)
    }

    fn text_of(models: &Models, width: Option<usize>) -> String {
        let mut out = Vec::new();
        models.write_within(width, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn families_have_headings_where_there_are_several_and_what_is_left_out_comes_last() {
        let model = |name, family| Model {
            name: Cow::Borrowed(name),
            family,
            input: [3, 32, 32],
            parameters: 1,
            macs: 2,
            top1: None,
            hub: Vec::new(),
            convention: "timm",
            builtin: None,
            summary: Cow::Borrowed("a network"),
        };
        let left_out = LeftOut {
            name: "netnet",
            reason: "dreams of electric sheep",
        };
        let mut models = Models {
            models: vec![model("net", "Nets"), model("web", "Webs")],
            left_out: vec![left_out],
        };
        let expected = "\
network  input    parameters  MACs  top-1  weights on the hub  convention  what it is

Nets
net      3x32x32           1     2                             timm        a network

Webs
web      3x32x32           1     2                             timm        a network

timm's networks with SE blocks or the like that are not here, since each of them
netnet  dreams of electric sheep
";
        assert_eq!(text_of(&models, None), expected);
        let narrow = text_of(&models, Some(20));
        assert!(narrow.ends_with("netnet  dreams of …\n"), "{narrow}");
        for line in narrow
            .lines()
            .filter(|line| !line.starts_with("left out: "))
        {
            assert!(line.chars().count() <= 20, "{line}");
        }
        models.models.clear();
        let (_, last) = expected.split_once("a network\n\ntimm").unwrap();
        assert_eq!(text_of(&models, None), format!("timm{last}"));
    }

    #[test]
    fn a_table_is_no_wider_than_the_terminal_and_says_what_it_leaves_out() {
        let whole = written(None);
        let (mut fullest, names) = (0, "seresnextaa101d_32x8d".len());
        for width in names..300 {
            let text = written(Some(width));
            let (table, note) = text.split_once("\n\n").unwrap_or((&text, ""));
            for line in table.lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
            let header = table.lines().next().unwrap();
            let shown = |name: &&&str| header.contains(**name);
            for name in HEADER {
                assert_ne!(shown(&&name), note.contains(name), "{width}: {name}");
            }
            let count = HEADER.iter().filter(shown).count();
            assert!(count + 1 >= fullest, "{width}: {header}");
            fullest = fullest.max(count);
            let cut = text.contains('…') || !text.contains("81.29 % at 288 (timm)");
            assert_eq!(text == whole, note.is_empty() && !cut, "{width}");
        }
        assert_eq!(written(Some(300)), whole);
        assert_eq!(fullest, HEADER.len());
    }

    #[test]
    fn a_terminal_narrower_than_the_names_gets_the_names() {
        let text = written(Some(1));
        assert!(text.starts_with("network\nseresnet50\nseresnextaa101d_32x8d\n\nleft out: input"));
    }
}
