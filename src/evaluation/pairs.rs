//! Two classifiers on the same images.

use serde::Serialize;

use super::interval::Z;

/// How often each of two classifiers is right on the same images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Pairs {
    /// Images that both have right.
    pub both_right: u64,
    /// Images that the first alone has right.
    pub only_first: u64,
    /// Images that the second alone has right.
    pub only_second: u64,
    /// Images that both have wrong.
    pub both_wrong: u64,
}

/// What `McNemar`'s test says: how likely it is that images are divided among the two classifiers
/// at least as unequally as they are, if each image that one alone has right were as likely the
/// other's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct McNemar {
    /// Exact, on both sides; never too small.
    pub p: f64,
    /// The mid-p value, which counts what is exactly as unequal by half: Fagerland, Lydersen and
    /// Laake (*The `McNemar` test for binary matched-pairs data*, BMC Medical Research Methodology
    /// 13:91, 2013) recommend it, as the exact test is too cautious.
    pub mid_p: f64,
}

/// How much larger the second classifier's accuracy is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// The second's accuracy less the first's, from -1 to 1.
    pub difference: f64,
    /// Between which two the true one lies, with a confidence of 95 %.
    pub interval: [f64; 2],
}

impl Pairs {
    /// Counts an image.
    pub fn add(&mut self, first: bool, second: bool) {
        let count = match (first, second) {
            (true, true) => &mut self.both_right,
            (true, false) => &mut self.only_first,
            (false, true) => &mut self.only_second,
            (false, false) => &mut self.both_wrong,
        };
        *count += 1;
    }

    /// How many images there are.
    #[must_use]
    pub fn images(&self) -> u64 {
        self.both_right + self.only_first + self.only_second + self.both_wrong
    }

    /// `McNemar`'s test (*Note on the sampling error of the difference between correlated
    /// proportions or percentages*, Psychometrika 12, 1947), by the binomial distribution itself.
    ///
    /// ```
    /// use senet::evaluation::Pairs;
    ///
    /// let pairs = Pairs { only_first: 1, only_second: 8, ..Pairs::default() };
    /// assert_eq!(pairs.mcnemar().p, 0.0390625);
    /// ```
    #[must_use]
    pub fn mcnemar(&self) -> McNemar {
        let (fewer, images) = (
            self.only_first.min(self.only_second),
            self.only_first + self.only_second,
        );
        if images == 0 {
            return McNemar { p: 1., mid_p: 1. };
        }
        let exactly = fair_coin(fewer, images);
        // One less, one less, …: each of them from the one before.
        let (mut tail, mut term, mut count) = (exactly, exactly, fewer);
        while count > 0 && term > tail * f64::EPSILON {
            term *= count as f64 / (images - count + 1) as f64;
            count -= 1;
            tail += term;
        }
        if self.only_first == self.only_second {
            return McNemar {
                p: 1.,
                mid_p: 1. - exactly / 2.,
            };
        }
        McNemar {
            p: (2. * tail).min(1.),
            mid_p: (2. * tail - exactly).clamp(0., 1.),
        }
    }

    /// The difference of the accuracies, with Bonett and Price's interval (*Adjusted Wald
    /// confidence interval for a difference of binomial proportions based on paired data*, Journal
    /// of Educational and Behavioral Statistics 37, 2012); of no images none.
    #[must_use]
    pub fn difference(&self) -> Option<Difference> {
        let images = self.images();
        if images == 0 {
            return None;
        }
        let (first, second) = (self.only_first as f64, self.only_second as f64);
        // An image more for each of the two, so that the interval is no point where they agree.
        let adjusted = images as f64 + 2.;
        let (worse, better) = ((first + 1.) / adjusted, (second + 1.) / adjusted);
        let difference = better - worse;
        let half = Z * ((better + worse - difference * difference) / adjusted).sqrt();
        Some(Difference {
            difference: (second - first) / images as f64,
            interval: [(difference - half).max(-1.), (difference + half).min(1.)],
        })
    }
}

/// How likely exactly so many heads are of so many throws, in a product of as many factors as
/// there are throws that stays near 1: the chosen ways grow it, and each throw halves it.
fn fair_coin(heads: u64, throws: u64) -> f64 {
    let (mut product, mut halvings) = (1_f64, throws);
    for head in 1..=heads {
        product *= (throws - heads + head) as f64 / head as f64;
        while product > 1. && halvings > 0 {
            product /= 2.;
            halvings -= 1;
        }
    }
    // What is left of them may make nothing of it: then the true number is below any that an f64
    // holds, too.
    product * 0.5_f64.powf(halvings as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discordant(only_first: u64, only_second: u64) -> McNemar {
        let pairs = Pairs {
            only_first,
            only_second,
            ..Pairs::default()
        };
        pairs.mcnemar()
    }

    /// Written by `SciPy` 1.17.1:
    ///
    /// ```python
    /// from scipy.stats import binom, binomtest
    /// for b, c in [(0, 1), (1, 8), (5, 5), (25, 7), (700, 690), (1000, 0), (500_500, 499_000)]:
    ///     p, point = binomtest(b, b + c).pvalue, binom.pmf(b, b + c, 0.5)
    ///     print((b, c, p, p - (point if b != c else point / 2)))
    /// ```
    #[test]
    fn mcnemars_test_is_the_binomial_one() {
        for (first, second, p, mid_p) in [
            (0, 1, 1.0, 0.5),
            (1, 8, 0.039_062_5, 0.021_484_375),
            (5, 5, 1.0, 0.876_953_125),
            (
                25,
                7,
                0.002_102_401_573_210_954_7,
                0.001_318_727_154_284_715_2,
            ),
            (700, 690, 0.809_256_615_375_354_6, 0.788_615_006_423_111),
            (
                1000,
                0,
                1.866_527_237_006_437_8e-301,
                9.332_636_185_032_189e-302,
            ),
            (
                500_500,
                499_000,
                0.133_776_363_347_551_1,
                0.133_517_409_031_313_18,
            ),
        ] {
            let found = discordant(first, second);
            // A million factors that are each rounded to 1e-16, mostly to both sides; SciPy's own
            // logarithms of the gamma function leave as much.
            let near = |found: f64, expected: f64| (found - expected).abs() <= 1e-9 * expected;
            assert!(near(found.p, p), "{first} {second}: {found:?}");
            assert!(near(found.mid_p, mid_p), "{first} {second}: {found:?}");
            assert_eq!(discordant(second, first), found);
        }
    }

    #[test]
    fn nothing_differs_where_no_image_does() {
        assert_eq!(discordant(0, 0), McNemar { p: 1., mid_p: 1. });
    }

    #[test]
    fn counts_beyond_any_data_set_neither_overflow_nor_end_in_no_number() {
        for (first, second) in [(5_000_000, 4_990_000), (10_000_000, 0), (0, 10_000_000)] {
            let found = discordant(first, second);
            assert!((0. ..=1.).contains(&found.p), "{found:?}");
            assert!(found.mid_p <= found.p, "{found:?}");
        }
    }

    /// Written by Python 3.11, by the formula of Bonett and Price (2012), equation 4:
    ///
    /// ```python
    /// for a, b, c, d in [(8000, 680, 669, 651), (90, 9, 0, 1), (10, 0, 0, 0)]:
    ///     n, z = a + b + c + d, 1.959963984540054
    ///     p1, p2 = (b + 1) / (n + 2), (c + 1) / (n + 2)
    ///     half = z * math.sqrt((p1 + p2 - (p1 - p2) ** 2) / (n + 2))
    ///     print((c - b) / n, p2 - p1 - half, p2 - p1 + half)
    /// ```
    #[test]
    fn the_interval_of_the_difference_is_bonett_and_prices() {
        for (counts, difference, low, high) in [
            (
                [8000, 680, 669, 651],
                -0.0011,
                -0.008_302_341_471_183_926,
                0.006_102_781_383_201_509,
            ),
            (
                [90, 9, 0, 1],
                -0.09,
                -0.149_621_840_153_290_08,
                -0.026_848_748_082_004_02,
            ),
            (
                [10, 0, 0, 0],
                0.,
                -0.230_983_970_724_946_3,
                0.230_983_970_724_946_3,
            ),
        ] {
            let [both_right, only_first, only_second, both_wrong] = counts;
            let pairs = Pairs {
                both_right,
                only_first,
                only_second,
                both_wrong,
            };
            let found = pairs.difference();
            // Rounding of a dozen operations on numbers of at most 1.
            let near = |a: f64, b: f64| (a - b).abs() < 1e-14;
            assert!(
                found.is_some_and(|found| near(found.difference, difference)
                    && near(found.interval[0], low)
                    && near(found.interval[1], high)),
                "{found:?}"
            );
        }
        assert_eq!(Pairs::default().difference(), None);
    }

    #[test]
    fn each_image_is_one_of_four_kinds() {
        let mut pairs = Pairs::default();
        for (first, second) in [(true, true), (true, false), (false, true), (false, true)] {
            pairs.add(first, second);
        }
        let expected = Pairs {
            both_right: 1,
            only_first: 1,
            only_second: 2,
            both_wrong: 0,
        };
        assert_eq!(pairs, expected);
        assert_eq!(pairs.images(), 4);
    }
}
