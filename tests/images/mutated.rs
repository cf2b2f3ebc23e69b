//! Files changed at random, from a fixed seed: no panic, and no message that is long, steers a
//! terminal or shows a decoder's own types.

use std::fs;

use senet::image::{Damage, Request, decode_bytes};

use super::{odd, plain};

/// Of each file.
const MUTATIONS: usize = 500;

/// Marsaglia's xorshift, so that a failure can be had again.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }
}

/// One to four changes: a byte, a bit, one of the numbers that overflow, a cut, a repetition.
fn mutate(file: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = file.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes[at] = random.byte(),
            1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes[at] = [0, 1, 0x7F, 0x80, 0xFF][random.below(5)],
            3 => bytes.truncate(at.max(16)),
            4 => {
                let end = (at + 1 + random.below(8)).min(bytes.len());
                bytes.extend_from_within(at..end);
            }
            _ => {
                // More often in the header, where the sizes are.
                let at = random.below(bytes.len().min(64));
                bytes[at] = random.byte();
            }
        }
    }
    bytes
}

#[test]
fn no_changed_file_panics_or_has_a_message_that_does_harm() {
    let mut random = Random(0x5EED_5EED_5EED_5EED);
    let mut refused = 0;
    for name in [
        "pattern.png",
        "palette_transparent.png",
        "rgba16.png",
        "pattern.bmp",
        "pattern.webp",
        "two_frames.gif",
    ] {
        let file = fs::read(odd(name)).unwrap();
        for number in 0..MUTATIONS {
            let bytes = mutate(&file, &mut random);
            // Others refuse what is not worth the time.
            if senet::image::header(&bytes).is_ok_and(|header| header.memory > 1 << 24) {
                continue;
            }
            for damage in [Damage::Refuse, Damage::Accept] {
                let plain = plain();
                let request = Request {
                    damage,
                    ..Request::new(&plain)
                };
                let message = match decode_bytes(&bytes, &request) {
                    Ok(decoded) => decoded.damage.unwrap_or_default(),
                    Err(error) => error.to_string(),
                };
                refused += usize::from(!message.is_empty());
                assert!(!message.contains("panicked"), "{name}, {number}: {message}");
                assert!(message.len() <= 4096, "{name}, {number}: {message}");
                let is_plain = |c: char| !c.is_control() && !matches!(c, '{' | '}' | '"');
                assert!(
                    message.chars().all(is_plain),
                    "{name}, {number}: {message:?}"
                );
            }
        }
    }
    // Otherwise the changes would change nothing.
    assert!(refused > 1000, "{refused}");
}
