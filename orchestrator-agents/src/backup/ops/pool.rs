//! The same work on many things at once, taken in order.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use orchestrator_core::BoxError;

/// How many results may wait for each thread: this bounds the memory that a long list takes.
const AHEAD: usize = 3;
/// How many things of a list a thread takes at once.
const CHUNK: usize = 64;

/// Works on what `jobs` gives, on all processors, and hands the results over in the order of the jobs, on this thread.
/// The first error of `take` ends it.
pub(super) fn in_order<J: Send, R: Send>(
    jobs: impl Iterator<Item = J> + Send,
    work: impl Fn(J) -> R + Sync,
    mut take: impl FnMut(R) -> Result<(), BoxError>,
) -> Result<(), BoxError> {
    let threads = threads();
    let line =
        Line { queue: Mutex::new(Queue { jobs, given: 0, taken: 0, over: false }), room: Condvar::new() };
    let (send, results) = channel();
    thread::scope(|scope| {
        // Whatever way this ends, nobody waits for room any more.
        let _over = Over(&line);
        for _ in 0..threads {
            let (line, work, send) = (&line, &work, send.clone());
            scope.spawn(move || line.serve(threads * AHEAD, work, &send));
        }
        drop(send);
        let (mut waiting, mut next) = (BTreeMap::new(), 0);
        for (at, result) in results {
            waiting.insert(at, result);
            while let Some(result) = waiting.remove(&next) {
                take(result)?;
                next += 1;
                line.queue().taken = next;
                line.room.notify_all();
            }
        }
        Ok(())
    })
}

/// `work` on each of `items`, in order.
pub(super) fn map<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R, BoxError> + Sync,
) -> Result<Vec<R>, BoxError> {
    if items.len() < CHUNK {
        return items.iter().map(work).collect();
    }
    let mut all = Vec::with_capacity(items.len());
    let chunk = |chunk: &[T]| chunk.iter().map(&work).collect::<Result<Vec<R>, BoxError>>();
    in_order(items.chunks(CHUNK), chunk, |done| {
        all.extend(done?);
        Ok(())
    })?;
    Ok(all)
}

/// One for each processor; reading waits for disks, so there are some more where processors are few.
fn threads() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).max(3)
}

struct Line<I> {
    queue: Mutex<Queue<I>>,
    room: Condvar,
}

struct Queue<I> {
    jobs: I,
    given: usize,
    taken: usize,
    over: bool,
}

impl<I: Iterator> Line<I> {
    fn queue(&self) -> MutexGuard<'_, Queue<I>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the next job once there is room for its result.
    fn next(&self, ahead: usize) -> Option<(usize, I::Item)> {
        let queue =
            self.room.wait_while(self.queue(), |queue| !queue.over && queue.given >= queue.taken + ahead);
        let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
        if queue.over {
            return None;
        }
        let job = queue.jobs.next()?;
        queue.given += 1;
        Some((queue.given - 1, job))
    }

    fn serve<R>(&self, ahead: usize, work: &impl Fn(I::Item) -> R, send: &Sender<(usize, R)>) {
        let over = Over(self);
        while let Some((at, job)) = self.next(ahead) {
            if send.send((at, work(job))).is_err() {
                break;
            }
        }
        // Only a panic ends it for the others too.
        std::mem::forget(over);
    }
}

/// Ends a line when it is dropped.
struct Over<'a, I: Iterator>(&'a Line<I>);

impl<I: Iterator> Drop for Over<'_, I> {
    fn drop(&mut self) {
        self.0.queue().over = true;
        self.0.room.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_done_once_and_in_order() {
        for count in [0, 1, 63, 64, 65, 1000, 1001] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(
                map(&items, |item| Ok(item * 2)).unwrap(),
                items.iter().map(|at| at * 2).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn an_error_or_a_panic_ends_it() {
        let stop = |at: usize| if at == 500 { Err("five hundred".into()) } else { Ok(()) };
        let error = in_order(0..1_000_000, |at| at, stop).unwrap_err();
        assert_eq!(error.to_string(), "five hundred");
        let ended = std::panic::catch_unwind(|| in_order(0..1_000_000, |at| assert!(at != 500), |()| Ok(())));
        ended.unwrap_err();
    }
}
