//! The metrics that every turn touches, made once for each template: a turn takes less than a microsecond, and making a
//! metric's key takes a good part of that.

use std::{
    cell::Cell,
    collections::HashMap,
    ptr,
    sync::{PoisonError, RwLock},
    time::Duration,
};

use metrics::{Key, Label, Level, Metadata, with_recorder};

use super::{ACQUIRED, ATTEMPTS, HOLD, WAIT};

static METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// There are as many templates as the program's text has, so that what is made for them may stay for ever.
static ALL: RwLock<Option<HashMap<&'static str, &'static Meters>>> = RwLock::new(None);

thread_local! {
    /// The one that was used last.
    static LAST: Cell<Option<(&'static str, &'static Meters)>> = const { Cell::new(None) };
}

/// The metrics of one template.
pub(super) struct Meters {
    attempts: Key,
    acquired: Key,
    wait: Key,
    hold: Key,
}

impl Meters {
    pub(super) fn of(label: &'static str) -> &'static Self {
        if let Some((known, meters)) = LAST.get()
            && ptr::eq(known, label)
        {
            return meters;
        }
        let meters = Self::find(label);
        LAST.set(Some((label, meters)));
        meters
    }

    fn find(label: &'static str) -> &'static Self {
        let known = ALL.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(meters) = known.as_ref().and_then(|all| all.get(label)) {
            return meters;
        }
        drop(known);
        let mut all = ALL.write().unwrap_or_else(PoisonError::into_inner);
        all.get_or_insert_default().entry(label).or_insert_with(|| {
            let key = |name| Key::from_parts(name, vec![Label::from_static_parts("lock", label)]);
            Box::leak(Box::new(Self {
                attempts: key(ATTEMPTS),
                acquired: key(ACQUIRED),
                wait: key(WAIT),
                hold: key(HOLD),
            }))
        })
    }

    pub(super) fn attempt(&self) {
        with_recorder(|recorder| recorder.register_counter(&self.attempts, &METADATA)).increment(1);
    }

    pub(super) fn acquired(&self, waited: Duration) {
        with_recorder(|recorder| {
            recorder.register_counter(&self.acquired, &METADATA).increment(1);
            recorder.register_histogram(&self.wait, &METADATA).record(waited);
        });
    }

    pub(super) fn held(&self, held: Duration) {
        with_recorder(|recorder| recorder.register_histogram(&self.hold, &METADATA)).record(held);
    }
}
