//! Threads for blocking work, kept for reuse.

use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::oneshot;

/// A buffer that a thread lends to each of its jobs; empty until the first of them needs it.
pub(super) type Scratch = Vec<u8>;
pub(super) type Panic = Box<dyn Any + Send>;
type Work<T> = Box<dyn FnOnce(&mut Scratch) -> T + Send>;

/// A pool that grows by a thread whenever none is idle. Its owner limits how much is asked of it at a time.
pub(super) struct Pool<T> {
    name: &'static str,
    shared: Arc<Shared<T>>,
}

struct Job<T> {
    work: Work<T>,
    answer: oneshot::Sender<Result<T, Panic>>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    wake: Condvar,
}

struct State<T> {
    queue: VecDeque<Job<T>>,
    idle: usize,
    closed: bool,
}

impl<T: Send + 'static> Pool<T> {
    /// A pool without threads yet; those to come carry `name`.
    pub(super) fn new(name: &'static str) -> Self {
        let state = State { queue: VecDeque::new(), idle: 0, closed: false };
        Self { name, shared: Arc::new(Shared { state: Mutex::new(state), wake: Condvar::new() }) }
    }

    /// Starts the work on a thread of its own. Fails only if no thread can be had.
    pub(super) fn submit(
        &self,
        work: impl FnOnce(&mut Scratch) -> T + Send + 'static,
    ) -> io::Result<oneshot::Receiver<Result<T, Panic>>> {
        let (answer, receiver) = oneshot::channel();
        let job = Job { work: Box::new(work), answer };
        let mut state = self.shared.state();
        if state.idle > state.queue.len() {
            state.queue.push_back(job);
            drop(state);
            self.shared.wake.notify_one();
        } else {
            drop(state);
            let shared = Arc::clone(&self.shared);
            thread::Builder::new().name(self.name.to_owned()).spawn(move || shared.serve(job))?;
        }
        Ok(receiver)
    }
}

impl<T> Drop for Pool<T> {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.shared.wake.notify_all();
    }
}

impl<T> Shared<T> {
    fn serve(&self, first: Job<T>) {
        let mut scratch = Scratch::new();
        let mut next = Some(first);
        while let Some(Job { work, answer }) = next {
            let result = catch_unwind(AssertUnwindSafe(|| work(&mut scratch)));
            // Idle before the answer is out: who asks again because of it finds this thread, and starts no other.
            self.state().idle += 1;
            // Nobody waits any more if the asker was dropped.
            _ = answer.send(result);
            // Whoever gets the answer often has the next job at once; letting them go first spares a sleep and a wake-up.
            thread::yield_now();
            next = self.next();
        }
    }

    fn next(&self) -> Option<Job<T>> {
        let mut state = self
            .wake
            .wait_while(self.state(), |state| state.queue.is_empty() && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
        state.queue.pop_front()
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[tokio::test]
    async fn an_idle_thread_is_used_again() {
        let pool = Pool::new("pool-test");
        let mut seen = HashSet::new();
        for _ in 0..100 {
            seen.insert(pool.submit(|_| thread::current().id()).unwrap().await.unwrap().unwrap());
        }
        assert_eq!(seen.len(), 1);
    }

    #[tokio::test]
    async fn work_that_waits_for_other_work_gets_through() {
        let pool = Pool::new("pool-test");
        let (go, wait) = std::sync::mpsc::channel();
        let first = pool.submit(move |_| wait.recv().unwrap()).unwrap();
        let second = pool.submit(move |_| go.send(7).map(|()| 8).unwrap()).unwrap();
        assert_eq!(first.await.unwrap().unwrap(), 7);
        assert_eq!(second.await.unwrap().unwrap(), 8);
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_and_costs_no_thread() {
        let pool = Pool::new("pool-test");
        assert!(pool.submit(|_| panic!("on purpose")).unwrap().await.unwrap().is_err());
        assert_eq!(pool.submit(|_| 1).unwrap().await.unwrap().unwrap(), 1);
    }
}
