use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::Report;
use super::table::{self, Align, thousands};
use crate::checkpoint::Mismatch;
use crate::image::Preprocessing;
use crate::text::{shown, shown_message, shown_path};

/// The answer of `senet inspect`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// The path of the weights.
    pub file: String,
    /// Bytes of its tensors.
    pub bytes: u64,
    /// Numbers in its tensors.
    pub numbers: u64,
    /// The tensors in the order of their names.
    pub tensors: Vec<InspectedTensor>,
    /// What the file says of itself.
    pub metadata: BTreeMap<String, String>,
    /// What the names of the tensors begin with, and that is not read.
    pub prefix: Option<String>,
    /// How the file was understood, a sentence each.
    pub notes: Vec<String>,
    /// The code base whose names the tensors have.
    pub origin: &'static str,
    /// The network that was asked for, or that the file names.
    pub stated: Option<String>,
    /// Networks of the catalogue that read exactly these tensors: the stated one alone where
    /// it is among them; several where the tensors alone cannot tell them apart.
    pub networks: Vec<String>,
    /// Where the stated network does not, or none does, how the tensors differ from those of the
    /// stated or closest network.
    pub differences: Option<Differences>,
    /// How images are prepared, where the file says so.
    pub preprocessing: Option<Preprocessing>,
    /// Why the file cannot be used as it is described.
    pub problem: Option<String>,
}

/// A tensor of a file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InspectedTensor {
    /// The name of the tensor.
    pub name: String,
    /// The type of its numbers, as safetensors writes it.
    pub dtype: String,
    /// The shape as the file has it.
    pub shape: Vec<usize>,
    /// The size of its data.
    pub bytes: u64,
    /// The number of its elements that are NaN.
    pub nan: usize,
    /// The number of its elements that are infinite.
    pub infinite: usize,
}

/// The differences between a file's tensors and a network's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Differences {
    /// The network that the file is compared with.
    pub network: String,
    /// The tensors that differ.
    #[serde(flatten)]
    pub mismatch: Mismatch,
}

impl Inspection {
    /// Whether exactly one network reads these tensors and all their numbers are finite.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let finite = self.tensors.iter().all(InspectedTensor::is_finite);
        let fits = self.networks.len() == 1 && self.differences.is_none();
        fits && finite && self.problem.is_none()
    }

    fn verdict(&self) -> String {
        match (self.networks.as_slice(), &self.stated, &self.differences) {
            ([only], Some(stated), None) if only == stated => format!("{only}, as stated"),
            ([only], Some(stated), _) => {
                format!(
                    "{only} by its tensors, not {}, which is stated",
                    shown(stated)
                )
            }
            ([only], None, _) => format!("{only}, by the names and shapes of the tensors"),
            ([], Some(stated), _) => format!("not {}, which is stated", shown(stated)),
            ([], None, Some(differences)) => {
                format!("none of the catalogue; closest to {}", differences.network)
            }
            ([], None, None) => "none of the catalogue has tensors of such names".to_owned(),
            (several, ..) => format!(
                "ambiguous: {}, which compute differently; `--network` chooses",
                several.join(", ")
            ),
        }
    }
}

impl InspectedTensor {
    fn is_finite(&self) -> bool {
        self.nan == 0 && self.infinite == 0
    }

    fn flaws(&self) -> String {
        let flaws = [(self.nan, "NaN"), (self.infinite, "infinite")];
        let flaws = flaws.iter().filter(|(count, _)| *count > 0);
        let flaws: Vec<_> = flaws
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        flaws.join(", ")
    }
}

impl Report for Inspection {
    fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        let header = ["tensor", "type", "shape", "bytes", ""];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        rows.extend(self.tensors.iter().map(|tensor| {
            vec![
                shown(&tensor.name),
                tensor.dtype.clone(),
                shown(&format!("{:?}", tensor.shape)),
                thousands(tensor.bytes),
                tensor.flaws(),
            ]
        }));
        let (left, right) = (Align::Left, Align::Right);
        table::write(out, &[left, left, left, right, left], &rows)?;
        writeln!(out)?;

        let mut facts = vec![
            vec!["file".to_owned(), shown_path(Path::new(&self.file))],
            vec![
                "holds".to_owned(),
                format!(
                    "{} tensors, {} numbers, {} bytes",
                    thousands(self.tensors.len() as u64),
                    thousands(self.numbers),
                    thousands(self.bytes)
                ),
            ],
        ];
        if !self.metadata.is_empty() {
            facts.push(vec!["metadata".to_owned()]);
        }
        for (key, value) in &self.metadata {
            facts.push(vec![format!("  {}", shown(key)), shown(value)]);
        }
        facts.push(vec![
            "names".to_owned(),
            format!("those of {}", self.origin),
        ]);
        let flawed = self.tensors.iter().filter(|tensor| !tensor.is_finite());
        let flawed = match flawed.count() {
            0 => "all finite".to_owned(),
            1 => "NaN or infinite in 1 tensor".to_owned(),
            count => format!("NaN or infinite in {count} tensors"),
        };
        facts.push(vec!["values".to_owned(), flawed]);
        if let Some(preprocessing) = &self.preprocessing {
            let prepared = serde_json::to_string(preprocessing).map_err(io::Error::other)?;
            facts.push(vec!["images".to_owned(), prepared]);
        }
        for note in &self.notes {
            facts.push(vec!["note".to_owned(), shown_message(note)]);
        }
        let problem = shown_message(self.problem.as_deref().unwrap_or_default());
        for (index, line) in problem.lines().enumerate() {
            let name = if index == 0 { "problem" } else { "" };
            facts.push(vec![name.to_owned(), line.to_owned()]);
        }
        facts.push(vec!["network".to_owned(), self.verdict()]);
        if let Some(differences) = &self.differences {
            differences.write_table(out)?;
        }
        table::write(out, &[left, left], &facts)
    }
}

impl Differences {
    /// The first of each kind; JSON has them all.
    fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        const SHOWN: usize = 20;
        writeln!(out, "compared with {}", self.network)?;
        let Mismatch {
            missing,
            misshapen,
            unexpected,
        } = &self.mismatch;
        let lists = [
            ("missing", missing),
            ("misshapen", misshapen),
            ("unexpected", unexpected),
        ];
        for (what, list) in lists {
            for entry in list.iter().take(SHOWN) {
                writeln!(out, "  {what}: {}", shown(entry))?;
            }
            if list.len() > SHOWN {
                let more = list.len() - SHOWN;
                writeln!(out, "  {what}: {more} more, which `--format json` lists")?;
            }
        }
        writeln!(out)
    }
}
