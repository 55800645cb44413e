//! The tasks whose bodies run under a turn, to be woken when it is lost. Each takes a slot for as long as its body runs, so
//! that a turn under which many bodies ran, one after another, keeps the wakers of those that run now.

use std::{mem, task::Waker};

use crate::{
    observe::caught::caught,
    sync::{Mutex, MutexGuard, lock},
};

/// No slot.
const NONE: u32 = u32::MAX;
/// No slot either: the waker was taken out of this one, whose body is there yet.
const WOKEN: u32 = u32::MAX - 1;

pub(crate) struct Watchers(Mutex<Slots>);

struct Slots {
    all: Vec<Slot>,
    /// The first free one, which names the next.
    free: u32,
}

enum Slot {
    Watched(Waker),
    /// The next free one.
    Empty(u32),
}

/// The slot of one body.
pub(crate) struct Watch(u32);

impl Default for Watchers {
    fn default() -> Self {
        Self(Mutex::new(Slots { all: Vec::new(), free: NONE }))
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self(NONE)
    }
}

impl Watchers {
    /// `waker` will be woken instead of what was left there before.
    pub(super) fn watch(&self, watch: &mut Watch, waker: &Waker) {
        if let Some(Slot::Watched(known)) = self.slots().all.get(watch.0 as usize)
            && known.will_wake(waker)
        {
            return;
        }
        // To clone a waker and to drop one is code of the user.
        let slot = Slot::Watched(waker.clone());
        let _before = self.slots().put(watch, slot);
    }

    /// Its body has come to its end.
    pub(super) fn forget(&self, watch: &mut Watch) {
        if watch.0 != NONE {
            let slot = self.slots().release(mem::take(watch));
            caught(|| drop(slot));
        }
    }

    /// Wakes all. One that panics does not keep the others from it.
    pub(super) fn wake(&self) {
        let wakers = self.slots().take_wakers();
        for waker in wakers {
            caught(|| waker.wake());
        }
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        // Nothing of the user's runs within this lock.
        lock(&self.0)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> (usize, usize) {
        let slots = self.slots();
        (slots.all.iter().filter(|slot| matches!(slot, Slot::Watched(_))).count(), slots.all.len())
    }
}

impl Slots {
    fn put(&mut self, watch: &mut Watch, slot: Slot) -> Option<Slot> {
        if let Some(own) = self.all.get_mut(watch.0 as usize) {
            return Some(mem::replace(own, slot));
        }
        match self.all.get_mut(self.free as usize) {
            Some(free) => {
                watch.0 = self.free;
                if let Slot::Empty(next) = mem::replace(free, slot) {
                    self.free = next;
                }
            }
            None => {
                watch.0 = u32::try_from(self.all.len()).unwrap_or(NONE);
                self.all.push(slot);
            }
        }
        None
    }

    fn release(&mut self, watch: Watch) -> Option<Slot> {
        let slot = mem::replace(self.all.get_mut(watch.0 as usize)?, Slot::Empty(self.free));
        self.free = watch.0;
        Some(slot)
    }

    fn take_wakers(&mut self) -> Vec<Waker> {
        let watched = self.all.iter_mut().filter(|slot| matches!(slot, Slot::Watched(_)));
        let taken = watched.map(|slot| mem::replace(slot, Slot::Empty(WOKEN)));
        taken.filter_map(|slot| if let Slot::Watched(waker) = slot { Some(waker) } else { None }).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::Wake,
    };

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker that panics");
        }
    }

    #[test]
    fn a_slot_takes_no_more_room_than_a_waker() {
        assert_eq!(size_of::<Slot>(), size_of::<Waker>());
    }

    #[test]
    fn those_that_run_now_are_woken_once_and_those_that_ran_are_forgotten() {
        let watchers = Watchers::default();
        let counts = [(); 100].map(|()| Arc::<Count>::default());
        let mut watches = counts.each_ref().map(|count| {
            let (waker, mut watch) = (Waker::from(Arc::clone(count)), Watch::default());
            watchers.watch(&mut watch, &waker);
            watchers.watch(&mut watch, &waker);
            watch
        });
        for watch in watches.iter_mut().step_by(2) {
            watchers.forget(watch);
            watchers.forget(watch);
        }
        assert_eq!(watchers.count(), (50, 100));
        let mut late = [(); 50].map(|()| Watch::default());
        for watch in &mut late {
            watchers.watch(watch, Waker::noop());
        }
        assert_eq!(watchers.count(), (100, 100), "free slots are taken again");
        watchers.wake();
        watchers.wake();
        let woken = counts.each_ref().map(|count| count.0.load(Ordering::SeqCst));
        assert!(
            woken.iter().step_by(2).all(|&count| count == 0)
                && woken.iter().skip(1).step_by(2).all(|&count| count == 1)
        );
        watches.iter_mut().chain(&mut late).for_each(|watch| watchers.forget(watch));
        assert_eq!(watchers.count(), (0, 100));
    }

    #[test]
    fn a_body_is_woken_by_the_waker_that_it_left_last() {
        let (watchers, mut watch) = (Watchers::default(), Watch::default());
        let [before, last] = [(); 2].map(|()| Arc::<Count>::default());
        watchers.watch(&mut watch, &Waker::from(Arc::clone(&before)));
        watchers.watch(&mut watch, &Waker::from(Arc::clone(&last)));
        watchers.wake();
        assert_eq!((before.0.load(Ordering::SeqCst), last.0.load(Ordering::SeqCst)), (0, 1));
    }

    #[test]
    fn a_waker_that_panics_keeps_no_other_from_being_woken() {
        let (watchers, last) = (Watchers::default(), Arc::<Count>::default());
        for waker in [Waker::from(Arc::new(Panics)), Waker::from(Arc::clone(&last))] {
            watchers.watch(&mut Watch::default(), &waker);
        }
        watchers.wake();
        assert_eq!(last.0.load(Ordering::SeqCst), 1);
    }
}
