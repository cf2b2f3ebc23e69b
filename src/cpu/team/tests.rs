//! Each chunk once, all before the caller goes on, whatever the other threads are at.

use super::*;

/// A fixed sequence that looks random.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

fn spin(turns: usize) {
    for _ in 0..turns {
        spin_loop();
    }
}

/// Runs phases of any number of chunks of any length, with pauses of any length between: short
/// enough to meet spinning threads, long enough to meet sleeping ones, and about as long as
/// [`PATIENCE`], where they are just going to sleep.
fn phases(team: &mut Team, random: &mut Random, count: usize) {
    for phase in 0..count {
        let turns: Vec<usize> = (0..random.below(24))
            .map(|_| random.below(4) * random.below(200))
            .collect();
        // Plain memory, as the engine's is: what a chunk writes is there when `run` returns.
        let mut written = vec![0_usize; turns.len()];
        let cells: Vec<Mutex<&mut usize>> = written.iter_mut().map(Mutex::new).collect();
        team.run(turns.len(), &|chunk| {
            spin(turns[chunk]);
            **locked(&cells[chunk]) += chunk + 1;
        });
        drop(cells);
        assert!(
            written
                .iter()
                .enumerate()
                .all(|(chunk, &sum)| sum == chunk + 1),
            "phase {phase}: {written:?}"
        );
        match random.below(64) {
            0 => thread::sleep(PATIENCE * 2),
            1..8 => {
                let started = Instant::now();
                let pause = PATIENCE / 8 * u32::try_from(random.below(12)).unwrap();
                while started.elapsed() < pause {
                    spin_loop();
                }
            }
            _ => {}
        }
    }
}

/// Teams of any size, each dropped at once, after a rest, or without having run.
fn teams(seed: u64, teams: usize, most: usize) {
    let mut random = Random(seed);
    for _ in 0..teams {
        let mut team = Team::new(1 + random.below(7));
        let count = random.below(most);
        phases(&mut team, &mut random, count);
        if random.below(4) == 0 {
            thread::sleep(PATIENCE * 2);
        }
    }
}

#[test]
fn a_thread_begins_with_its_own_share() {
    let team = Team::new(3);
    let chosen = [1, 1, 2, 1, 0, 0, 0, 0].map(|thread| team.shared.choose(thread, 7));
    // Shares of 2, 2 and 3: thread 1 helps thread 2 when its own are gone.
    let expected = [2, 3, 4, 5, 0, 1, 6].map(Some);
    assert_eq!(chosen[..7], expected);
    assert_eq!(chosen[7], None);
}

#[test]
fn thousands_of_short_runs_of_teams_of_any_size() {
    teams(1, 150, 200);
}

#[test]
fn a_busy_machine_only_takes_longer() {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        // Twice as many as there are processors: the team's threads are held up anywhere.
        for _ in 0..2 * thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    spin(100);
                }
            });
        }
        let done = catch_unwind(|| teams(2, 20, 50));
        stop.store(true, Ordering::Relaxed);
        assert!(done.is_ok());
    });
}

#[test]
fn teams_beside_each_other_do_not_meet() {
    thread::scope(|scope| {
        for seed in 3..6 {
            scope.spawn(move || teams(seed, 30, 100));
        }
    });
}

#[test]
fn what_panics_carry_may_panic_itself() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(thread::panicking(), "dropped");
        }
    }
    let mut team = Team::new(3);
    for _ in 0..50 {
        let count = AtomicUsize::new(0);
        let panic = catch_unwind(AssertUnwindSafe(|| {
            team.run(12, &|_| {
                count.fetch_add(1, Ordering::Relaxed);
                resume_unwind(Box::new(Bomb));
            });
        }));
        // Not `drop`: it is the last of its kind, and as bad as the others.
        std::mem::forget(panic.unwrap_err());
        assert_eq!(count.into_inner(), 12);
    }
}

#[test]
fn every_chunk_is_computed_once() {
    for threads in [1, 2, 3, 7] {
        let mut team = Team::new(threads);
        for phase in 0..2000_usize {
            let chunks = phase * 7 % 23;
            let counts: Vec<AtomicUsize> = (0..chunks).map(|_| AtomicUsize::new(0)).collect();
            team.run(chunks, &|chunk| {
                counts[chunk].fetch_add(1, Ordering::Relaxed);
            });
            let once = |count: &AtomicUsize| count.load(Ordering::Relaxed) == 1;
            assert!(counts.iter().all(once), "{threads} threads, phase {phase}");
        }
    }
}

#[test]
fn a_sleeping_team_wakes_and_one_at_rest_is_dropped() {
    for _ in 0..20 {
        let mut team = Team::new(3);
        let count = AtomicUsize::new(0);
        for _ in 0..3 {
            thread::sleep(PATIENCE * 3);
            team.run(5, &|_| {
                thread::sleep(PATIENCE * 2);
                count.fetch_add(1, Ordering::Relaxed);
            });
        }
        assert_eq!(count.into_inner(), 15);
        thread::sleep(PATIENCE * 3);
    }
}

#[test]
fn a_panic_in_a_chunk_reaches_the_caller_and_leaves_the_team_usable() {
    let mut team = Team::new(3);
    for bad in 0..8 {
        let count = AtomicUsize::new(0);
        let panic = catch_unwind(AssertUnwindSafe(|| {
            team.run(8, &|chunk| {
                assert_ne!(chunk, bad, "the bad one");
                count.fetch_add(1, Ordering::Relaxed);
            });
        }));
        assert!(panic.is_err());
        assert_eq!(count.into_inner(), 7, "the others are computed");
    }
    let count = AtomicUsize::new(0);
    team.run(9, &|_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    assert_eq!(count.into_inner(), 9);
}
