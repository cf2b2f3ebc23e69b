//! Inputs, a batch at a time: whenever they are asked for, or as they come.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Input;

/// Where the inputs of a batch come from.
pub(super) enum Queue<I> {
    /// Whoever has them has the next at once.
    AsAsked(I),
    /// Another thread asks for them, which may have to wait; nothing where it has ended.
    AsTheyCome(Option<(Receiver<Input>, JoinHandle<()>)>),
    /// They may have to be waited for, but the system gives no other thread.
    Shared(Arc<Mutex<I>>),
}

/// How long the next input may take to be in one batch with those before it. It is far below the
/// time that the network takes for a batch, and far above what lies between two lines of a program
/// that has them all.
const PAUSE: Duration = Duration::from_millis(1);

impl<I: Iterator<Item = Input> + Send + 'static> Queue<I> {
    /// Asks for inputs on a thread of its own, no more than `ahead` before they are wanted.
    pub(super) fn as_they_come(inputs: I, ahead: usize) -> Self {
        let (sender, receiver) = sync_channel(ahead);
        let inputs = Arc::new(Mutex::new(inputs));
        let of_thread = inputs.clone();
        let ask = move || {
            // The receiver is gone where nobody wants the rest.
            while let Some(input) = next(&of_thread)
                && sender.send(input).is_ok()
            {}
        };
        let builder = std::thread::Builder::new().name("senet-inputs".to_owned());
        match builder.spawn(ask) {
            Ok(thread) => Self::AsTheyCome(Some((receiver, thread))),
            Err(_) => Self::Shared(inputs),
        }
    }

    /// Whether the next input may have to be waited for without end.
    pub(super) fn waits(&self) -> bool {
        !matches!(self, Self::AsAsked(_))
    }

    /// The next inputs, at most so many; none at their end.
    pub(super) fn batch(&mut self, most: usize) -> Vec<Input> {
        match self {
            Self::AsAsked(inputs) => inputs.take(most).collect(),
            Self::Shared(inputs) => next(inputs).into_iter().collect(),
            Self::AsTheyCome(ahead) => {
                let Some((receiver, _)) = ahead else {
                    return Vec::new();
                };
                let mut batch: Vec<Input> = receiver.recv().into_iter().collect();
                while (1..most).contains(&batch.len()) {
                    match receiver.recv_timeout(PAUSE) {
                        Ok(input) => batch.push(input),
                        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                    }
                }
                if batch.is_empty()
                    && let Some((_, thread)) = ahead.take()
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
        let mut queue = Queue::AsAsked(inputs);
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
