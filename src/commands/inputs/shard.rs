//! Which inputs are a shard's.

use crate::cli::Shard;

/// Deals inputs out to shards in turn, as cards are: every input goes to one, whatever their
/// number, and none has two more than another.
pub(super) struct Turns {
    shard: Option<Shard>,
    /// The shard that the next input is for, from 0 on.
    next: u64,
}

impl Turns {
    pub(super) fn new(shard: Option<Shard>) -> Self {
        Self { shard, next: 0 }
    }

    /// Whether the next input is this shard's.
    pub(super) fn next(&mut self) -> bool {
        let Some(Shard { index, count }) = self.shard else {
            return true;
        };
        let turn = self.next;
        self.next = (turn + 1) % count;
        turn + 1 == index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_disjoint_complete_and_as_long_as_each_other() {
        // Any number of inputs and of shards: the shortest ways to err are among the small ones.
        for count in 1..=9 {
            for inputs in 0..=40_u64 {
                let shards: Vec<Vec<u64>> = (1..=count)
                    .map(|index| {
                        let mut turns = Turns::new(Some(Shard { index, count }));
                        (0..inputs).filter(|_| turns.next()).collect()
                    })
                    .collect();
                let mut all = shards.concat();
                all.sort_unstable();
                assert_eq!(all, (0..inputs).collect::<Vec<_>>());
                let lengths = || shards.iter().map(Vec::len);
                assert!(lengths().max().unwrap() - lengths().min().unwrap() <= 1);
            }
        }
    }
}
