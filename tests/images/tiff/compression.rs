//! Every compression gives the pixels that went into it.

use super::*;

#[test]
fn every_compression_gives_the_same_pixels() {
    for (number, compress) in [
        (5, lzw as fn(&[u8]) -> Vec<u8>),
        (8, deflated),
        (32946, deflated),
        (32773, packed_bits),
        (50000, zstandard),
    ] {
        println!("compression {number}");
        assert_pixels(&Tiff::rgb().compressed(number, compress), pattern);
    }
}

#[test]
fn lzw_codes_from_before_tiff_6_are_read() {
    // The lowest bit first, and longer codes one later: as in GIF.
    let old = |bytes: &[u8]| {
        let mut encoder = weezl::encode::Encoder::new(BitOrder::Lsb, 8);
        encoder.encode(bytes).unwrap()
    };
    // Enough of them for codes of more than 9 bits.
    let gray = |x: u32, y: u32| channel((x * x * 7 + y * 13) % 251);
    let (width, height) = (60, 40);
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| gray(x, y)));
    let tiff = Tiff::new(BLACK_IS_ZERO, 1, 8, pixels.collect())
        .tag(256, &[width])
        .tag(257, &[height])
        .compressed(5, old);
    let found = decode_as(&tiff, &plain());
    for (x, y, pixel) in found.enumerate_pixels() {
        assert_eq!(pixel.0, [gray(x, y); 3], "column {x}, row {y}");
    }
}

#[test]
fn differences_to_the_left_neighbour_are_added_up() {
    let rows = Tiff::rgb().chunks.concat();
    let mut differences = rows.clone();
    for row in 0..HEIGHT as usize {
        for place in (3..24).rev().map(|place| 24 * row + place) {
            differences[place] = rows[place].wrapping_sub(rows[place - 3]);
        }
    }
    let tiff = Tiff::rgb().chunks(vec![differences]).tag(PREDICTOR, &[2]);
    assert_pixels(&tiff.clone().compressed(8, deflated), pattern);
    assert_pixels(&tiff.compressed(5, lzw), pattern);
}

#[test]
fn sixteen_bit_differences_are_added_up_in_both_byte_orders() {
    for big_endian in [false, true] {
        let mut tiff = Tiff::rgb();
        tiff.big_endian = big_endian;
        let wide = |x: u32, y: u32| pattern(x, y).map(|sample| 257 * u32::from(sample));
        let difference = |x: u32, y: u32| {
            let left = if x == 0 { [0; 3] } else { wide(x - 1, y) };
            [0, 1, 2].map(|channel: usize| (wide(x, y)[channel] + 65536 - left[channel]) % 65536)
        };
        let bytes = places()
            .flat_map(|(x, y)| difference(x, y))
            .flat_map(|sample| tiff.number(sample.into(), 2));
        let strip = bytes.collect();
        let tiff = tiff
            .chunks(vec![strip])
            .tag(BITS, &[16, 16, 16])
            .tag(PREDICTOR, &[2])
            .compressed(8, deflated);
        assert_pixels(&tiff, pattern);
    }
}

#[test]
fn a_predictor_without_a_compression_that_has_one_is_passed_over() {
    assert_pixels(&Tiff::rgb().tag(PREDICTOR, &[2]), pattern);
    let tiff = Tiff::rgb().tag(PREDICTOR, &[2]);
    assert_pixels(&tiff.compressed(32773, packed_bits), pattern);
}

#[test]
fn reversed_bits_are_put_right_before_they_are_decompressed() {
    let tiff = Tiff::rgb().tag(FILL_ORDER, &[2]);
    let reverse = |tiff: &Tiff| {
        let chunks = tiff.chunks.iter().map(|chunk| reversed(chunk)).collect();
        tiff.clone().chunks(chunks)
    };
    assert_pixels(&reverse(&tiff), pattern);
    assert_pixels(
        &reverse(&tiff.clone().compressed(32773, packed_bits)),
        pattern,
    );
    assert_pixels(&reverse(&tiff.compressed(5, lzw)), pattern);
}

/// Three rows of eight columns: three white, two black and three white ones; the same; the black
/// ones at one column to the right.
fn assert_facsimile(compression: u32, options: u32, data: &[u8]) {
    let tiff = Tiff::new(WHITE_IS_ZERO, 1, 1, data.to_vec())
        .tag(257, &[3])
        .tag(COMPRESSION, &[compression])
        .tag(GROUP3_OPTIONS, &[options]);
    for tiff in [
        tiff.clone()
            .chunks(vec![reversed(data)])
            .tag(FILL_ORDER, &[2]),
        tiff,
    ] {
        let found = decode_as(&tiff, &plain());
        for (x, y, pixel) in found.enumerate_pixels() {
            let left = if y == 2 { 4 } else { 3 };
            let black = (left..left + 2).contains(&x);
            assert_eq!(
                pixel.0,
                [if black { 0 } else { 255 }; 3],
                "column {x}, row {y}"
            );
        }
    }
}

#[test]
fn facsimile_rows_of_every_coding_are_read() {
    // Runs of T.4: white 2, 3, 4 are 0111, 1000, 1011; black 2 is 11.
    let rows = ["1000 11 1000", "1000 11 1000", "1011 11 0111"];
    let end_of_line = "000000000001";
    let padded = |row: &str, to: usize| {
        let mut bits: String = row.split(' ').collect();
        while !bits.len().is_multiple_of(to) {
            bits.push('0');
        }
        bits
    };
    let alone = |to| bits_of(&rows.map(|row| padded(row, to)).concat());
    assert_facsimile(2, 0, &alone(8));
    assert_facsimile(32771, 0, &alone(16));

    let with_ends = rows.map(|row| [end_of_line, row].concat()).concat();
    assert_facsimile(3, 0, &bits_of(&with_ends));
    // Some writers leave the ends of lines away.
    assert_facsimile(3, 0, &bits_of(&rows.concat()));
    // Filled up so that an end of line ends with a byte.
    let filled = rows.map(|row| ["0000", end_of_line, &padded(row, 8)].concat());
    assert_facsimile(3, 4, &bits_of(&filled.concat()));

    // By the row above: nothing moves (1), or all moves to the right by one (011).
    let tagged = [
        end_of_line,
        "1",
        rows[0],
        end_of_line,
        "0 111",
        end_of_line,
        "0 011 011 1",
    ];
    assert_facsimile(3, 1, &bits_of(&tagged.concat()));
    // Runs (001), with nothing but white above.
    assert_facsimile(4, 0, &bits_of("001 1000 11 1  111  011 011 1"));
}

#[test]
fn damaged_facsimile_data_is_an_error() {
    for bits in [
        // Ends early; a run beyond the row; a code that is none.
        "001 1000 11 1",
        "001 1000 000101 1",
        "001 00000000",
    ] {
        let tiff = Tiff::new(WHITE_IS_ZERO, 1, 1, bits_of(bits)).tag(COMPRESSION, &[4]);
        let message = error(&tiff);
        assert!(
            message.starts_with("truncated or damaged TIFF: "),
            "{message}"
        );
    }
}
