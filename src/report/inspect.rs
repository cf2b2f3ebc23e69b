use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::Report;
use super::table::{self, Align, one_line, thousands};
use crate::checkpoint::Mismatch;

/// The answer of `senet inspect`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// The weights' file.
    pub file: String,
    /// Bytes of its tensors.
    pub bytes: u64,
    /// Numbers in its tensors.
    pub numbers: u64,
    /// In the order of their names.
    pub tensors: Vec<InspectedTensor>,
    /// What the file says of itself.
    pub metadata: BTreeMap<String, String>,
    /// The code base whose names the tensors have.
    pub origin: &'static str,
    /// The network that was asked for, or that the file names.
    pub stated: Option<String>,
    /// Networks of the catalogue that read exactly these tensors: the stated one alone where
    /// there is one; several where the tensors alone cannot tell them apart.
    pub networks: Vec<String>,
    /// Where none does, how the tensors differ from those of the stated or closest network.
    pub differences: Option<Differences>,
}

/// A tensor of a file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InspectedTensor {
    /// Its name.
    pub name: String,
    /// The type of its numbers, as safetensors writes it.
    pub dtype: String,
    /// As the file has it.
    pub shape: Vec<usize>,
    /// Its size.
    pub bytes: u64,
    /// How many of its numbers are NaN.
    pub nan: usize,
    /// How many of its numbers are infinite.
    pub infinite: usize,
}

/// How a file's tensors differ from a network's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Differences {
    /// The network.
    pub network: String,
    /// The tensors.
    #[serde(flatten)]
    pub mismatch: Mismatch,
}

impl Inspection {
    /// Whether exactly one network reads these tensors and all their numbers are finite.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let finite = self.tensors.iter().all(InspectedTensor::is_finite);
        self.networks.len() == 1 && finite
    }

    fn verdict(&self) -> String {
        match (self.networks.as_slice(), &self.stated, &self.differences) {
            ([only], Some(_), _) => format!("{only}, as stated"),
            ([only], None, _) => format!("{only}, by the names and shapes of the tensors"),
            ([], Some(stated), _) => format!("not {}, which is stated", one_line(stated)),
            ([], None, Some(differences)) => {
                format!("none of the catalogue; closest to {}", differences.network)
            }
            ([], None, None) => "none of the catalogue".to_owned(),
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
                one_line(&tensor.name),
                tensor.dtype.clone(),
                format!("{:?}", tensor.shape),
                thousands(tensor.bytes),
                tensor.flaws(),
            ]
        }));
        let (left, right) = (Align::Left, Align::Right);
        table::write(out, &[left, left, left, right, left], &rows)?;
        writeln!(out)?;

        let mut facts = vec![
            vec!["file".to_owned(), one_line(&self.file)],
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
            facts.push(vec![format!("  {}", one_line(key)), abridged(value)]);
        }
        facts.push(vec![
            "names".to_owned(),
            format!("those of {}", self.origin),
        ]);
        let flawed = self.tensors.iter().filter(|tensor| !tensor.is_finite());
        let flawed = match flawed.count() {
            0 => "all finite".to_owned(),
            count => format!("NaN or infinite in {count} tensors"),
        };
        facts.push(vec!["values".to_owned(), flawed]);
        facts.push(vec!["network".to_owned(), self.verdict()]);
        table::write(out, &[left, left], &facts)?;
        if let Some(differences) = &self.differences {
            let Mismatch {
                missing,
                misshapen,
                unexpected,
            } = &differences.mismatch;
            let lists = [
                ("missing", missing),
                ("misshapen", misshapen),
                ("unexpected", unexpected),
            ];
            for (what, list) in lists {
                for entry in list {
                    writeln!(out, "  {what}: {}", one_line(entry))?;
                }
            }
        }
        Ok(())
    }
}

/// A value of the metadata on one line, cut where it is long; JSON has all of it.
fn abridged(value: &str) -> String {
    const SHOWN: usize = 100;
    let line = one_line(value);
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line,
    }
}
