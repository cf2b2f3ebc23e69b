//! Inputs, a batch at a time: whenever they are asked for, or as they come.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Input;

/// The inputs that are left.
pub(super) struct Queue<I> {
    source: Source<I>,
    stop: Stop,
}

/// Where the inputs of a batch come from.
enum Source<I> {
    /// Whoever has them has the next at once.
    AsAsked(I),
    /// Another thread asks for them, which may have to wait; nothing where it has ended. In place
    /// of an input it may be told that there are no more.
    AsTheyCome(Option<(Receiver<Option<Input>>, JoinHandle<()>)>),
    /// They may have to be waited for, but the system gives no other thread.
    Shared(Arc<Mutex<I>>),
}

/// Ends [`Batches`](super::Batches) early, from any thread.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    is_asked: Arc<AtomicBool>,
    /// Where somebody may wait for an input.
    inputs: Weak<SyncSender<Option<Input>>>,
}

impl Stop {
    /// From now on no input is taken. Those that were taken get their rows.
    pub fn ask(&self) {
        self.is_asked.store(true, Ordering::SeqCst);
        if let Some(inputs) = self.inputs.upgrade() {
            // Where there is no room nobody waits.
            let _ = inputs.try_send(None);
        }
    }

    fn is_asked(&self) -> bool {
        self.is_asked.load(Ordering::SeqCst)
    }
}

/// How long the next input may take to be in one batch with those before it. It is far below the
/// time that the network takes for a batch, and far above what lies between two lines of a program
/// that has them all.
const PAUSE: Duration = Duration::from_millis(1);

impl<I: Iterator<Item = Input> + Send + 'static> Queue<I> {
    /// Asks for inputs when they are wanted.
    pub(super) fn as_asked(inputs: I) -> Self {
        Self {
            source: Source::AsAsked(inputs),
            stop: Stop::default(),
        }
    }

    /// Asks for inputs on a thread of its own, no more than `ahead` before they are wanted.
    pub(super) fn as_they_come(inputs: I, ahead: usize) -> Self {
        let (sender, receiver) = sync_channel(ahead);
        // The thread alone keeps it, so that the inputs end when that does.
        let sender = Arc::new(sender);
        let stop = Stop {
            inputs: Arc::downgrade(&sender),
            ..Stop::default()
        };
        let inputs = Arc::new(Mutex::new(inputs));
        let of_thread = inputs.clone();
        let ask = move || {
            // The receiver is gone where nobody wants the rest.
            while let Some(input) = next(&of_thread)
                && sender.send(Some(input)).is_ok()
            {}
        };
        let builder = std::thread::Builder::new().name("senet-inputs".to_owned());
        let source = match builder.spawn(ask) {
            Ok(thread) => Source::AsTheyCome(Some((receiver, thread))),
            Err(_) => Source::Shared(inputs),
        };
        Self { source, stop }
    }

    /// Whether the next input may have to be waited for without end.
    pub(super) fn waits(&self) -> bool {
        !matches!(self.source, Source::AsAsked(_))
    }

    /// What ends them early.
    pub(super) fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// The next inputs, at most so many; none at their end.
    pub(super) fn batch(&mut self, most: usize) -> Vec<Input> {
        if self.stop.is_asked() {
            return Vec::new();
        }
        match &mut self.source {
            Source::AsAsked(inputs) => inputs.take(most).collect(),
            Source::Shared(inputs) => next(inputs).into_iter().collect(),
            Source::AsTheyCome(ahead) => {
                let Some((receiver, _)) = ahead else {
                    return Vec::new();
                };
                let first = receiver.recv();
                let is_stopped = matches!(first, Ok(None));
                let mut batch: Vec<Input> = first.into_iter().flatten().collect();
                while (1..most).contains(&batch.len()) {
                    match receiver.recv_timeout(PAUSE) {
                        Ok(Some(input)) => batch.push(input),
                        Ok(None)
                        | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                    }
                }
                if batch.is_empty()
                    && let Some((_, thread)) = ahead.take()
                    // A thread that still waits for an input is nobody's any more.
                    && !is_stopped
                    && let Err(panic) = thread.join()
                {
                    // What it handed out is not all there was.
                    resume_unwind(panic);
                }
                batch
            }
        }
    }
}

fn next<I: Iterator>(inputs: &Mutex<I>) -> Option<I::Item> {
    let mut inputs = inputs.lock().unwrap_or_else(PoisonError::into_inner);
    inputs.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(batch: &[Input]) -> Vec<&str> {
        batch.iter().map(Input::name).collect()
    }

    #[test]
    fn inputs_that_are_there_make_full_batches() {
        let inputs = (0..40).map(|index| Input::from(index.to_string()));
        let mut queue = Queue::as_asked(inputs);
        let sizes = [16, 16, 8, 0].map(|size| (queue.batch(16).len(), size));
        assert!(sizes.iter().all(|(found, expected)| found == expected));
    }

    #[test]
    fn a_batch_ends_where_the_next_input_is_not_there() {
        let (sender, receiver) = std::sync::mpsc::channel::<&str>();
        let inputs = receiver.into_iter().map(Input::from);
        let mut queue = Queue::as_they_come(inputs, 4);
        sender.send("a").unwrap();
        // The sender lives: more may come.
        assert_eq!(names(&queue.batch(4)), ["a"]);
        sender.send("b").unwrap();
        assert_eq!(names(&queue.batch(4)), ["b"]);
        drop(sender);
        assert!(queue.batch(4).is_empty());
        assert!(queue.batch(4).is_empty());
    }

    #[test]
    fn no_input_is_lost_or_doubled_at_any_pace() {
        let inputs = (0..1000).map(|index| {
            if index % 97 == 0 {
                std::thread::sleep(PAUSE * 2);
            }
            Input::from(index.to_string())
        });
        let mut queue = Queue::as_they_come(inputs, 16);
        let mut found = Vec::new();
        loop {
            let batch = queue.batch(16);
            assert!(batch.len() <= 16);
            if batch.is_empty() {
                break;
            }
            found.extend(batch.iter().map(|input| input.name().to_owned()));
        }
        let expected: Vec<String> = (0..1000).map(|index| index.to_string()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn an_endless_list_is_read_no_further_than_it_is_wanted() {
        let (asked, counted) = std::sync::mpsc::channel();
        let inputs = (0..).map(move |index: u64| {
            asked.send(()).unwrap();
            Input::from(index.to_string())
        });
        let mut queue = Queue::as_they_come(inputs, 8);
        assert_eq!(queue.batch(8).len(), 8);
        std::thread::sleep(PAUSE * 50);
        // The batch, those that wait, and one in the thread's hand.
        assert!(counted.try_iter().count() <= 17);
    }

    #[test]
    fn whoever_waits_for_an_input_is_told_that_none_is_wanted() {
        let (sender, receiver) = std::sync::mpsc::channel::<&str>();
        let mut queue = Queue::as_they_come(receiver.into_iter().map(Input::from), 4);
        sender.send("a").unwrap();
        assert_eq!(names(&queue.batch(4)), ["a"]);
        let stop = queue.stop();
        let waiting = std::thread::spawn(move || queue.batch(4).len());
        // Before or while it waits.
        stop.ask();
        assert_eq!(waiting.join().unwrap(), 0);
        // Its list is still open.
        drop(sender);
        let mut queue = Queue::as_asked(std::iter::repeat_n(Input::from("a"), 4));
        assert_eq!(queue.batch(2).len(), 2);
        queue.stop().ask();
        assert!(queue.batch(2).is_empty());
    }

    #[test]
    #[should_panic(expected = "torn")]
    fn a_panic_of_the_inputs_is_no_end_of_them() {
        let inputs = (0..2).map(|index| {
            assert!(index < 1, "torn");
            Input::from("a")
        });
        let mut queue = Queue::as_they_come(inputs, 4);
        while !queue.batch(4).is_empty() {}
    }
}
