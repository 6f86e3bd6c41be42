//! The same work on many things, on as many threads as it is worth.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Fewer things than this are worth no thread.
const FEW: usize = 64;
/// How many things a thread takes at once.
const CHUNK: usize = 32;

/// `work` on each of `items`, in order. Waiting for a disk counts, so there may be more threads than processors.
pub(crate) fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    filter_map(items, |item| Some(work(item)))
}

/// The same, where only some give anything.
pub(crate) fn filter_map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> Option<R> + Sync) -> Vec<R> {
    if items.len() < FEW {
        return items.iter().filter_map(work).collect();
    }
    let processors = crate::settings::processors() as usize;
    let threads = (items.len() / FEW).min(processors.max(4)).max(1);
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let from = next.fetch_add(CHUNK, Ordering::Relaxed);
            if from >= items.len() {
                return done;
            }
            let chunk = &items[from..(from + CHUNK).min(items.len())];
            done.push((from, chunk.iter().filter_map(&work).collect::<Vec<_>>()));
        }
    };
    let mut chunks = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(take)).collect();
        let mut chunks = take();
        for other in others {
            match other.join() {
                Ok(more) => chunks.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        chunks
    });
    chunks.sort_unstable_by_key(|(from, _)| *from);
    chunks.into_iter().flat_map(|(_, done)| done).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn everything_is_done_once_and_in_order() {
        for count in [0, 1, 63, 64, 65, 1000, 1001] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(
                super::map(&items, |item| item * 2),
                items.iter().map(|item| item * 2).collect::<Vec<_>>()
            );
        }
    }
}
