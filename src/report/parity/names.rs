use std::io::{self, Write};

use serde::Serialize;

use crate::checkpoint::How;
use crate::parity::NamedValue;
use crate::report::Report;
use crate::report::table::{self, Align};
use crate::text::{counted, shown};

/// The answer of `senet parity --names`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DumpNames {
    /// The network whose layers are meant.
    pub network: String,
    /// The framework that made the dump, in its own words.
    pub framework: Option<String>,
    /// What has a layer, in the network's order.
    pub values: Vec<NamedValue>,
    /// What has none, sorted.
    pub extra: Vec<String>,
}

impl Report for DumpNames {
    fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = vec![["dump", "layer", "how"].map(str::to_owned).to_vec()];
        rows.extend(self.values.iter().map(|value| {
            let how = match value.how {
                How::Layer => "layer",
                How::WithActivation => "layer with its activation",
                How::Group => "group, whose last layer it is",
                How::Output => "the network's output",
                How::Alias => "alias",
            };
            let how = match value.code_base {
                Some(code_base) => format!("{how} ({code_base})"),
                None => how.to_owned(),
            };
            vec![shown(&value.name), value.layer.clone(), how]
        }));
        rows.extend(self.extra.iter().map(|name| {
            let none = "none: no layer of the network";
            vec![shown(name), "-".to_owned(), none.to_owned()]
        }));
        table::write(out, &[Align::Left; 3], &rows)?;
        writeln!(
            out,
            "\n{} of {} mean a layer of {}",
            self.values.len(),
            counted(self.values.len() + self.extra.len(), "name"),
            self.network
        )
    }
}
