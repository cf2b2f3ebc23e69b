//! What a network sees of images, for programs that compare it with other decoders and resizes.
//!
//! Standard input has a JSON object on each line, with the path of an `image` and its
//! `preprocessing`. Standard output answers each with a line and what the line announces:
//! `{"height": H, "width": W}`, H * W * C bytes (row, column, channel: the pixels after resize
//! and crop), C * H * W little-endian `f32` (channel, row, column: what the network is given); or
//! `{"error": "..."}` alone. C is 3, unless the preprocessing's `channel_order` is `gray` or `rgba`. With `"decoded": true` in the question the bytes are the whole
//! image as decoded, and no values follow; `"accept_damage": true` asks for what is left of
//! a damaged one, whose line then has what is wrong, `"damage": "..."`.
//!
//! ```console
//! $ echo '{"image": "cat.jpg", "preprocessing": {"preset": "timm", "size": [224, 224]}}' |
//!     cargo run --release --example pixels
//! ```

use std::io::{self, BufRead, Write};
use std::path::PathBuf;

use senet::image::{
    Budget, Damage, ImageFile, Preprocessing, Raster, Request, normalise, resize_and_crop,
};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    image: PathBuf,
    preprocessing: Preprocessing,
    #[serde(default)]
    decoded: bool,
    #[serde(default)]
    accept_damage: bool,
}

fn main() -> anyhow::Result<()> {
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let question: Question = serde_json::from_str(&line?)?;
        match answer(&question) {
            Ok(seen) => {
                let (width, height) = seen.pixels.dimensions();
                let mut header = serde_json::json!({"height": height, "width": width});
                if let Some(damage) = seen.damage {
                    header["damage"] = damage.into();
                }
                writeln!(output, "{header}")?;
                output.write_all(seen.pixels.samples())?;
                let bytes: Vec<u8> = seen.values.into_iter().flat_map(f32::to_le_bytes).collect();
                output.write_all(&bytes)?;
            }
            Err(error) => {
                let header = serde_json::json!({"error": error.to_string()});
                writeln!(output, "{header}")?;
            }
        }
        output.flush()?;
    }
    Ok(())
}

struct Seen {
    pixels: Raster,
    values: Vec<f32>,
    damage: Option<String>,
}

fn answer(question: &Question) -> senet::Result<Seen> {
    let preprocessing = &question.preprocessing;
    let mut request = Request::new(preprocessing);
    if question.accept_damage {
        request.damage = Damage::Accept;
    }
    let budget = Budget::default();
    let image = ImageFile::read(&question.image, &request, &budget)?.decode(&request)?;
    let damage = image.damage().map(str::to_owned);
    let decoded = image.into_raster();
    let (pixels, values) = if question.decoded {
        (decoded, Vec::new())
    } else {
        let pixels = resize_and_crop(&decoded, preprocessing)?;
        let values = normalise(&pixels, preprocessing);
        (pixels, values)
    };
    Ok(Seen {
        pixels,
        values,
        damage,
    })
}
