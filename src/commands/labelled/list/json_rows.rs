//! NDJSON: an object a line.

use std::io::{BufRead, Read};

use serde_json::{Map, Value};

use super::{Entry, LABEL, List, MOST_OF_LINE, PATH, SPLIT, column, without_columns};
use crate::error::{Error, Result};

/// Hands the rows to `list`.
pub(super) fn read(file: &mut impl BufRead, list: &mut List<'_>) -> Result<()> {
    let mut bytes = Vec::new();
    let mut number = 0;
    loop {
        bytes.clear();
        number += 1;
        let mut bounded = file.by_ref().take(MOST_OF_LINE + 1);
        let read = bounded.read_until(b'\n', &mut bytes);
        if read.map_err(Error::file("read", list.file))? == 0 {
            return Ok(());
        }
        if bytes.len() as u64 > MOST_OF_LINE {
            let problem = format!("has more than the {MOST_OF_LINE} bytes that a line may have");
            return Err(list.problem_in(number, &problem));
        }
        let line = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        if line.trim_ascii().is_empty() {
            continue;
        }
        let object: Map<String, Value> = serde_json::from_slice(line)
            .map_err(|error| list.problem_in(number, &format!("is no object of JSON: {error}")))?;
        list.add(entry(number, &object, list)?)?;
    }
}

fn entry(line: u64, object: &Map<String, Value>, list: &List<'_>) -> Result<Entry> {
    let keys: Vec<String> = object.keys().cloned().collect();
    let text = |names: &[&str]| -> Result<Option<String>> {
        let Some(key) = column(&keys, names).and_then(|place| keys.get(place)) else {
            return Ok(None);
        };
        match object.get(key) {
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) if number.is_u64() => Ok(Some(number.to_string())),
            _ => Err(list.problem_in(line, &format!("`{key}` is no text and no whole number"))),
        }
    };
    let (Some(path), Some(label)) = (text(&PATH)?, text(&LABEL)?) else {
        return Err(list.problem_in(line, &without_columns(&keys)));
    };
    Ok(Entry {
        line,
        path,
        label,
        split: text(&SPLIT)?,
    })
}
