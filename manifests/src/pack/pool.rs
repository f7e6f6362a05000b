//! Work done on several threads, its results taken in order.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Results that wait for their turn, per worker.
const AHEAD: usize = 2;

struct State<R> {
    next: usize,
    taken: usize,
    ready: BTreeMap<usize, R>,
    stop: bool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `work` for 0..`count` on `threads` threads and `take`s the results in that order on the calling thread. No
/// worker runs further ahead than a few results, so memory stays bounded. The first error stops everything.
///
/// # Errors
/// The first error of `work` or `take`, in order.
pub(super) fn ordered<R: Send, E: Send>(
    threads: usize,
    count: usize,
    work: &(dyn Fn(usize) -> Result<R, E> + Sync),
    take: &mut dyn FnMut(usize, R) -> Result<(), E>,
) -> Result<(), E> {
    if threads <= 1 || count <= 1 {
        return (0..count).try_for_each(|at| take(at, work(at)?));
    }
    let ahead = threads * AHEAD;
    let state = Mutex::new(State { next: 0, taken: 0, ready: BTreeMap::new(), stop: false });
    let changed = Condvar::new();
    let worker = || {
        loop {
            let at = {
                let mut state = locked(&state);
                while !state.stop && state.next < count && state.next >= state.taken + ahead {
                    state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                if state.stop || state.next >= count {
                    return;
                }
                state.next += 1;
                state.next - 1
            };
            let result = work(at);
            locked(&state).ready.insert(at, result);
            changed.notify_all();
        }
    };
    let mut collect = || {
        for at in 0..count {
            let mut guard = locked(&state);
            let result = loop {
                match guard.ready.remove(&at) {
                    Some(result) => break result,
                    None => guard = changed.wait(guard).unwrap_or_else(PoisonError::into_inner),
                }
            };
            guard.taken = at + 1;
            drop(guard);
            changed.notify_all();
            take(at, result?)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.min(count) {
            scope.spawn(worker);
        }
        let outcome = collect();
        locked(&state).stop = true;
        changed.notify_all();
        outcome
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_the_first_error_stops() {
        for threads in [1, 2, 7] {
            let mut seen = Vec::new();
            let done: Result<(), usize> = ordered(threads, 100, &|at| Ok(at * 2), &mut |at, result| {
                assert_eq!(result, at * 2);
                seen.push(at);
                Ok(())
            });
            assert_eq!((done, seen.len()), (Ok(()), 100));
            let failed =
                ordered(threads, 100, &|at| if at < 50 { Ok(at) } else { Err(at) }, &mut |_, _| Ok(()));
            assert_eq!(failed, Err(50));
            let failed = ordered(threads, 100, &Ok, &mut |at, _| if at == 7 { Err(at) } else { Ok(()) });
            assert_eq!(failed, Err(7));
        }
    }
}
