//! The only names that generated code uses. Not part of the public interface: they change with the macro.
//!
//! The folder is called `__rt` in paths, as generated code shows it. It uses the interface, and nobody uses it.

mod finish;

use std::{any::type_name, fmt::Display, sync::Arc};

pub use std::time::Duration;

use crate::{
    __rt::finish::{Left, Release},
    api::request::LockRequest,
    local::body::SupervisedBody,
    types::options::Overrides,
};
pub use crate::{
    api::{guard::Guard, runtime::Runtime},
    key::LockKey,
    types::{
        error::LockError,
        options::{MaxHold, OnLost, Renew, Wait},
    },
};

/// The key of a template.
pub fn key(template: &'static str, values: &[&dyn Display]) -> LockKey {
    LockKey::filled(template, values)
}

/// The key that an expression gives; `label` is the expression's text.
pub fn key_from<K: Display>(label: &'static str, key: K) -> LockKey {
    // What was made as a key may hold anything: its values were escaped, or its author said what it is.
    let is_a_key = type_name::<K>().trim_start_matches('&') == type_name::<LockKey>();
    LockKey::labelled(label, key.to_string(), is_a_key)
}

/// What an attribute asks for.
#[derive(Clone)]
pub struct Options {
    function: &'static str,
    overrides: Overrides,
    label: Option<&'static str>,
    joins: bool,
    on_lost: OnLost,
    runtime: Option<Runtime>,
}

/// The options of the annotated function `function`.
pub fn options(function: &'static str) -> Options {
    Options {
        function,
        // Without `guard = ..` nobody sees the fence.
        overrides: Overrides { unfenced: true, ..Overrides::default() },
        label: None,
        joins: true,
        on_lost: OnLost::Cancel,
        runtime: None,
    }
}

impl Options {
    /// `ttl = ..`
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.overrides.ttl = Some(ttl);
        self
    }

    /// `wait = ..`
    pub fn wait(mut self, wait: impl Into<Wait>) -> Self {
        self.overrides.wait = Some(wait.into());
        self
    }

    /// `renew = ..`
    pub fn renew(mut self, renew: impl Into<Renew>) -> Self {
        self.overrides.renew = Some(renew.into());
        self
    }

    /// `max_hold = ..`
    pub fn max_hold(mut self, max_hold: impl Into<MaxHold>) -> Self {
        self.overrides.max_hold = Some(max_hold.into());
        self
    }

    /// `ttl = ..`, a literal in whole milliseconds.
    pub fn ttl_ms(self, millis: u64) -> Self {
        self.ttl(Duration::from_millis(millis))
    }

    /// `wait = ..`, the same.
    pub fn wait_ms(self, millis: u64) -> Self {
        self.wait(Duration::from_millis(millis))
    }

    /// `renew = ..`, the same.
    pub fn renew_ms(self, millis: u64) -> Self {
        self.renew(Duration::from_millis(millis))
    }

    /// `max_hold = ..`, the same.
    pub fn max_hold_ms(self, millis: u64) -> Self {
        self.max_hold(Duration::from_millis(millis))
    }

    /// `guard = ..`: the body can look at the fence.
    pub fn fenced(mut self) -> Self {
        self.overrides.unfenced = false;
        self
    }

    /// `label = ..`
    pub fn label(mut self, label: &'static str) -> Self {
        self.label = Some(label);
        self
    }

    /// `on_lost = ..`
    pub fn on_lost(mut self, on_lost: OnLost) -> Self {
        self.on_lost = on_lost;
        self
    }

    /// `reentrant = ..`
    pub fn reentrant(mut self, joins: bool) -> Self {
        self.joins = joins;
        self
    }

    /// `runtime = ..`
    pub fn runtime(mut self, runtime: &Runtime) -> Self {
        self.runtime = Some(runtime.clone());
        self
    }
}

/// Takes the lock for an annotated function.
///
/// # Errors
/// As [`LockRequest::acquire`], and [`LockError::NotInstalled`].
pub async fn acquire(key: LockKey, options: Options) -> Result<Lock, LockError> {
    let Options { function, overrides, label, joins, on_lost, runtime } = options;
    let key = match label {
        Some(label) => key.with_label(label),
        None => key,
    };
    let runtime = match runtime {
        Some(runtime) => runtime,
        None => Runtime::installed()?,
    };
    let request = LockRequest::new(Arc::clone(&runtime.0), key).with(overrides, function).reentrant(joins);
    Ok(Lock { guard: Some(request.acquire().await?), on_lost })
}

/// The lock of a call whose `when` was false: there is none.
pub fn unlocked() -> Lock {
    Lock { guard: None, on_lost: OnLost::Cancel }
}

/// The lock of one call of an annotated function.
pub struct Lock {
    guard: Option<Guard>,
    on_lost: OnLost,
}

impl Lock {
    /// The guard that `guard = ..` binds.
    pub fn guard(&self) -> &Guard {
        match &self.guard {
            Some(guard) => guard,
            // The macro refuses `guard` together with `when`, the only source of a lock without guard.
            None => unreachable!("`guard` and `when` exclude each other"),
        }
    }

    /// Runs the body under the lock, which is renewed meanwhile.
    ///
    /// # Errors
    /// [`LockError::Lost`] if it was lost and the body was dropped.
    pub fn renew_while<F: Future>(&self, body: F) -> impl Future<Output = Result<F::Output, LockError>> {
        SupervisedBody::new(body, self.guard.as_ref().map(|guard| guard.supervisor(self.on_lost)))
    }

    /// Gives the lock back. The body's own error wins over everything; a loss wins over the body's success.
    pub fn release<T>(self, output: Result<T, LockError>, fail: Fail<T>) -> impl Future<Output = T> {
        let failed = output.as_ref().is_ok_and(fail.is_failure);
        self.settle(output, failed, fail.from_lock_error)
    }

    /// The same for a function with `or_else` that returns a `Result`.
    pub fn release_result_or<T, E>(
        self,
        output: Result<Result<T, E>, LockError>,
        or_else: impl FnOnce(LockError) -> Result<T, E>,
    ) -> impl Future<Output = Result<T, E>> {
        let failed = output.as_ref().is_ok_and(Result::is_err);
        self.settle(output, failed, or_else)
    }

    /// The same for a function with `or_else` that returns anything else.
    pub fn release_or<T>(
        self,
        output: Result<T, LockError>,
        or_else: impl FnOnce(LockError) -> T,
    ) -> impl Future<Output = T> {
        self.settle(output, false, or_else)
    }

    fn settle<T>(
        self,
        output: Result<T, LockError>,
        failed: bool,
        or_else: impl FnOnce(LockError) -> T,
    ) -> impl Future<Output = T> {
        let Self { guard, on_lost } = self;
        Release { left: Some(Left { output, failed, on_lost, or_else }), guard: guard.map(Guard::release) }
    }
}

/// What a function that waits for a lock returns: something that can carry a [`LockError`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot carry a `LockError`, which this function returns when its lock is not acquired or is lost",
    label = "return `Result<_, E>` where `E: From<LockError>`",
    note = "or give `or_else = |error| ..`, which turns the `LockError` into a `{Self}`"
)]
pub trait Returns: Sized {
    /// Whether the body failed by itself.
    fn is_failure(&self) -> bool;
    /// The error in the function's own type.
    fn from_lock_error(error: LockError) -> Self;
}

impl<T, E: Carries> Returns for Result<T, E> {
    fn is_failure(&self) -> bool {
        self.is_err()
    }

    fn from_lock_error(error: LockError) -> Self {
        Err(E::from_lock_error(error))
    }
}

/// The error of such a `Result`. It is asked apart, so that an error type that lacks `From` is told by its own name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be made from a `LockError`, which this function returns when its lock is not acquired or is lost",
    label = "`{Self}` has no `From<LockError>`",
    note = "write `impl From<LockError> for {Self} {{ .. }}`, or where it is a type parameter the bound `{Self}: From<LockError>`",
    note = "or give `or_else = |error| ..`, which turns the `LockError` into what the function returns"
)]
pub trait Carries: Sized {
    /// The `LockError` as this error.
    fn from_lock_error(error: LockError) -> Self;
}

#[diagnostic::do_not_recommend]
impl<E: From<LockError>> Carries for E {
    fn from_lock_error(error: LockError) -> Self {
        error.into()
    }
}

/// How the return type carries a `LockError`. The type is asked once, here, so that one that cannot is told of it once.
pub fn fail<T: Returns>() -> Fail<T> {
    Fail { is_failure: T::is_failure, from_lock_error: T::from_lock_error }
}

/// [`Returns`] of one type, as a value.
pub struct Fail<T> {
    is_failure: fn(&T) -> bool,
    from_lock_error: fn(LockError) -> T,
}

impl<T> Fail<T> {
    /// The return value of a function that did not get its lock.
    pub fn with(&self, error: LockError) -> T {
        (self.from_lock_error)(error)
    }
}

/// Stands where the body's type must be known. Never called.
pub fn returns<T>() -> T {
    unreachable!("it stands behind `if false`")
}

/// What the compiler says of code that should not run under a lock. The expansion names one of these at the user's own
/// token; their being deprecated is what makes the compiler tell the note there.
pub mod warn {
    /// `tokio::spawn` in a locked body.
    #[deprecated(
        note = "a spawned task does not end with the lock: it goes on when the lock is lost, and after the release if nothing awaits it\n\
                help: await the work itself (`join!` runs several futures at once), or put the attribute on what is spawned; \
                `warn = false` in the attribute says that this is meant"
    )]
    pub const TASK_UNDER_A_LOCK: () = ();

    /// `spawn_blocking` or `thread::spawn` in a locked body.
    #[deprecated(
        note = "work on another thread does not end with the lock: it goes on when the lock is lost, and after the release if nothing awaits it\n\
                help: await it, and let the resource refuse it by the fence of `guard = lock` when the lock was lost; \
                `warn = false` in the attribute says that this is meant"
    )]
    pub const THREAD_UNDER_A_LOCK: () = ();

    /// `thread::sleep` in a locked body.
    #[deprecated(
        note = "a thread that sleeps blocks the executor while others wait for the lock, and is not stopped when the lock is lost\n\
                help: write `tokio::time::sleep(..).await`; `warn = false` in the attribute says that this is meant"
    )]
    pub const SLEEP_UNDER_A_LOCK: () = ();

    /// A parameter that is a database transaction.
    #[deprecated(
        note = "this transaction began before the lock: if it is committed after the release, the next holder reads what was there before it\n\
                help: begin and commit the transaction inside of the locked function, so that the lock is around it; \
                `warn = false` in the attribute says that this is meant"
    )]
    pub const TRANSACTION_AROUND_A_LOCK: () = ();
}

/// Names what a function returns, since `!` cannot be named otherwise.
pub trait Function {
    /// What it returns.
    type Output;
}

impl<T> Function for fn() -> T {
    type Output = T;
}

/// `or_else = ..` as it is: only here the closure learns what it is given and what it must return.
pub fn or_else<T>(or_else: impl FnOnce(LockError) -> T) -> impl FnOnce(LockError) -> T {
    or_else
}
