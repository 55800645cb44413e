//! What a request does about an error of the store: it ends, is put to the store once more, or waits and asks again.

use std::time::Duration;

use crate::{
    local::verdict::Verdict,
    store::{ErrorClass, StoreError},
    types::options::Wait,
};

/// How the request was asked that got the error.
pub(super) struct Asked {
    /// How long the store had to reply.
    pub(super) limit: Duration,
    /// How long a reply may take before the store is to blame.
    pub(super) command_timeout: Duration,
    pub(super) wait: Wait,
    /// Whether it was put to the store once more already, though it does not wait.
    pub(super) is_repeated: bool,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    /// It ends with what the store said before.
    EndAsBefore(Verdict),
    /// It ends with the error, which will not pass.
    End,
    /// It is put to the store once more, at once.
    Repeat,
    /// It waits, and asks again if there is time for that.
    Wait,
}

impl Asked {
    /// What comes after `error`. `before` is what the store said before, to be returned if there is no time for another reply.
    pub(super) fn after(&self, error: &StoreError, before: &mut Option<Verdict>) -> Next {
        // If the request's own time was too short for the reply, it was not the store that failed.
        let is_cut_short = error.is_overload() || error.is_timeout() && self.limit < self.command_timeout;
        if let Some(verdict) = before.take().filter(|_| is_cut_short) {
            return Next::EndAsBefore(verdict);
        }
        let says_why = match error.class {
            ErrorClass::Transient => true,
            ErrorClass::Indeterminate => error.is_too_slow() || !error.is_timeout(),
            ErrorClass::Rejected | ErrorClass::Permanent | ErrorClass::WrongType => false,
        };
        if says_why {
            *before = Some(Verdict::Failed(error.clone()));
        }
        // An idle connection without a reply may have been dropped by something on the way. The next one is fresh.
        if error.is_timeout() && self.wait == Wait::For(Duration::ZERO) && !self.is_repeated {
            return Next::Repeat;
        }
        match error.class {
            ErrorClass::Transient | ErrorClass::Indeterminate => Next::Wait,
            ErrorClass::Rejected | ErrorClass::Permanent | ErrorClass::WrongType => Next::End,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(2);
    const SHORT: Duration = Duration::from_millis(50);
    const AT_ONCE: Wait = Wait::For(Duration::ZERO);

    fn error(class: ErrorClass) -> StoreError {
        StoreError::new(class, "words")
    }

    fn asked(limit: Duration, wait: Wait, is_repeated: bool) -> Asked {
        Asked { limit, command_timeout: TIMEOUT, wait, is_repeated }
    }

    /// What comes next, and whether there is anything to end with if a later reply is cut short.
    fn after(asked: &Asked, error: &StoreError, has_before: bool) -> (Next, bool) {
        let mut before = has_before.then(|| Verdict::Failed(self::error(ErrorClass::Transient)));
        (asked.after(error, &mut before), before.is_some())
    }

    #[test]
    fn what_passes_is_waited_for_and_what_does_not_ends_the_request() {
        use ErrorClass::{Indeterminate, Permanent, Rejected, Transient, WrongType};
        for wait in [Wait::Forever, AT_ONCE] {
            let asked = asked(TIMEOUT, wait, false);
            for class in [Transient, Indeterminate] {
                assert!(matches!(after(&asked, &error(class), true).0, Next::Wait), "{class:?}");
            }
            for class in [Rejected, Permanent, WrongType] {
                assert!(matches!(after(&asked, &error(class), true).0, Next::End), "{class:?}");
            }
        }
    }

    #[test]
    fn a_request_whose_own_time_was_too_short_ends_with_what_the_store_said_before() {
        let [late, crowded] = [StoreError::timed_out("a", SHORT), StoreError::overloaded("a", SHORT)];
        let [short, whole, longer] = [SHORT, TIMEOUT, 2 * TIMEOUT].map(|limit| asked(limit, Wait::Forever, false));
        for (asked, error, ends) in [
            (&short, &late, true),
            (&whole, &late, false),
            (&longer, &late, false),
            (&whole, &crowded, true),
            (&short, &error(ErrorClass::Transient), false),
        ] {
            let next = after(asked, error, true).0;
            assert_eq!(matches!(next, Next::EndAsBefore(_)), ends, "{next:?}");
            assert!(matches!(after(asked, error, false).0, Next::Wait), "nothing was said before");
        }
    }

    #[test]
    fn a_request_that_does_not_wait_is_repeated_once_if_there_was_no_reply() {
        let late = StoreError::timed_out("a", TIMEOUT);
        let repeats = |wait, is_repeated, error| {
            matches!(after(&asked(TIMEOUT, wait, is_repeated), error, false).0, Next::Repeat)
        };
        assert!(repeats(AT_ONCE, false, &late));
        assert!(!repeats(AT_ONCE, true, &late), "once");
        assert!(!repeats(Wait::Forever, false, &late), "who waits asks again later");
        assert!(!repeats(AT_ONCE, false, &error(ErrorClass::Indeterminate)), "there was a reply");
    }

    #[test]
    fn a_later_request_may_end_with_an_error_that_says_why_the_lock_cannot_be_had() {
        let asked = asked(TIMEOUT, Wait::Forever, false);
        for (error, is_kept) in [
            (error(ErrorClass::Transient), true),
            (StoreError::too_slow("a", TIMEOUT, SHORT), true),
            (error(ErrorClass::Indeterminate), true),
            (StoreError::timed_out("a", TIMEOUT), false),
        ] {
            for has_before in [false, true] {
                assert_eq!(after(&asked, &error, has_before).1, is_kept, "{error:?}");
            }
        }
    }
}
