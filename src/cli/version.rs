//! What `--version` says besides the version, which is all that `-V` says.

use std::sync::LazyLock;

use crate::cpu::Isa;

/// What it was built with, in the order of `Cargo.toml`; `cli` is what there is to ask.
const FEATURES: [(&str, bool); 9] = [
    ("hub", cfg!(feature = "hub")),
    ("parquet", cfg!(feature = "parquet")),
    ("libjpeg", cfg!(feature = "libjpeg")),
    ("libjpeg-simd", cfg!(feature = "libjpeg-simd")),
    ("cuda", cfg!(feature = "cuda")),
    ("cudnn", cfg!(feature = "cudnn")),
    ("metal", cfg!(feature = "metal")),
    ("accelerate", cfg!(feature = "accelerate")),
    ("mkl", cfg!(feature = "mkl")),
];

/// What a bug report needs to say of a build and its processor.
static LONG: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{}\ncommit        {}\ntarget        {}\nfeatures      {}\ninstructions  {}",
        env!("CARGO_PKG_VERSION"),
        env!("SENET_COMMIT"),
        env!("SENET_TARGET"),
        features(),
        instructions()
    )
});

pub(super) fn long() -> &'static str {
    &LONG
}

fn features() -> String {
    let built = FEATURES.iter().filter(|(_, is_built)| *is_built);
    let names: Vec<&str> = built.map(|(name, _)| *name).collect();
    match names.as_slice() {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}

/// The vectors that kernels use here, and what the processor can do with them besides.
fn instructions() -> String {
    let isa = match Isa::detect() {
        Ok(isa) => isa,
        // Whatever is forced and cannot be, `--version` is asked for in order to find out.
        Err(error) => return first_line(&error.to_string()),
    };
    let besides = [("bf16", isa.features.bf16), ("vnni", isa.features.vnni)];
    let besides = besides.iter().filter(|(_, has)| *has);
    let names: Vec<&str> = besides.map(|(name, _)| *name).collect();
    match names.as_slice() {
        [] => isa.name().to_owned(),
        names => format!("{} with {}", isa.name(), names.join(" and ")),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `Cargo.toml` itself, so that a new one cannot be forgotten.
    #[test]
    fn the_version_knows_every_feature_but_the_programs_own() {
        let manifest = include_str!("../../Cargo.toml");
        let section = manifest.split("[features]\n").nth(1).unwrap_or_default();
        let section = section.split("\n[").next().unwrap_or_default();
        let named: Vec<&str> = section
            .lines()
            .filter(|line| !line.starts_with(['#', ' ', ']']))
            .filter_map(|line| line.split_once(" = "))
            .map(|(name, _)| name)
            .filter(|name| !["default", "cli"].contains(name))
            .collect();
        assert_eq!(named, FEATURES.map(|(name, _)| name));
    }
}
