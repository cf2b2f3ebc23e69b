//! How many threads an engine has if nobody says.
//!
//! Two hardware threads of one core share its arithmetic units, which one thread of an engine
//! keeps busy alone: the second would only wait, and halve what either has of the caches.

use std::collections::HashSet;
use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::thread;

/// The physical cores that this process may use, or as many threads as it may run at once where
/// that is fewer: a container's quota can be below the cores it sees.
pub(super) fn usable() -> usize {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    physical(Path::new("/")).map_or(threads, |cores| threads.min(cores))
}

/// The cores of which this thread may run on at least one hardware thread, as Linux says below
/// `root`; none where it does not.
fn physical(root: &Path) -> Option<usize> {
    let status = fs::read_to_string(root.join("proc/thread-self/status")).ok()?;
    let allowed = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let mut cores = HashSet::new();
    for cpu in cpus(allowed)? {
        let topology = root.join(format!("sys/devices/system/cpu/cpu{cpu}/topology"));
        // All hardware threads of a core have the same list, and no other core has it.
        let siblings = fs::read_to_string(topology.join("thread_siblings_list")).ok()?;
        cores.insert(siblings);
    }
    (!cores.is_empty()).then_some(cores.len())
}

/// The numbers of a list such as `0-3,8`; none where it is no list, or longer than any machine's.
fn cpus(list: &str) -> Option<Vec<usize>> {
    const MOST: usize = 1 << 16;
    let mut cpus = Vec::new();
    for part in list.trim().split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (usize, usize) = (from.parse().ok()?, to.parse().ok()?);
        if to >= MOST {
            return None;
        }
        cpus.extend(from..=to);
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine whose cores have these hardware threads, and a process that may use `allowed`.
    fn machine(cores: &[&str], allowed: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, content: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        write(
            "proc/thread-self/status",
            &format!("Name:\tsenet\nCpus_allowed:\tff\nCpus_allowed_list:\t{allowed}\nMems:\t0\n"),
        );
        for core in cores {
            for cpu in cpus(core).unwrap() {
                let path = format!("sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
                write(&path, &format!("{core}\n"));
            }
        }
        root
    }

    fn count(cores: &[&str], allowed: &str) -> Option<usize> {
        physical(machine(cores, allowed).path())
    }

    #[test]
    fn two_hardware_threads_of_a_core_count_once() {
        assert_eq!(count(&["0,4", "1,5", "2,6", "3,7"], "0-7"), Some(4));
        assert_eq!(count(&["0-1", "2-3"], "0-3"), Some(2));
        assert_eq!(count(&["0", "1"], "0-1"), Some(2));
    }

    #[test]
    fn cores_that_the_process_may_not_use_do_not_count() {
        let cores = ["0,4", "1,5", "2,6", "3,7"];
        assert_eq!(count(&cores, "0,4"), Some(1));
        assert_eq!(count(&cores, "4-6"), Some(3));
        assert_eq!(count(&cores, "3"), Some(1));
    }

    #[test]
    fn what_linux_does_not_say_is_not_guessed() {
        assert_eq!(physical(tempfile::tempdir().unwrap().path()), None);
        // A processor that may be used, but of which nothing is known.
        assert_eq!(count(&["0", "1"], "0-2"), None);
        for bad in ["", "all", "3-", "0-99999999999", "0-4294967296"] {
            assert_eq!(count(&["0"], bad), None, "{bad:?}");
        }
    }

    #[test]
    fn this_machine_has_a_core_and_no_more_than_its_threads() {
        let threads = thread::available_parallelism().unwrap().get();
        assert!((1..=threads).contains(&usable()));
    }
}
