//! The provider of credentials, which is code of the program: it may be slow, fail and panic. That of the redis crate serves connections
//! for commands only, asks twice for each and stops at the first refusal.

use std::{
    collections::HashMap,
    error::Error,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync;

use super::super::{ErrorClass, StoreError};
use crate::{
    observe::caught::words,
    system::{Handle, Id, JoinHandle, lock},
    types::{boot_time::BootTime, credentials::Credentials, error::Cause},
};

/// A question that is older than this is asked again: its answer is out of date, or will never come.
const OLD: Duration = Duration::from_secs(10);

type Answer = Pin<Box<dyn Future<Output = Result<Credentials, Cause>> + Send>>;

/// Asks the program for credentials.
///
/// It is asked in a task of its own, in the tokio runtime whose connection is made. So a connection that is given up, as the
/// command timeout is over, does not stop the question: the next attempt finds its answer.
pub(crate) struct Provider {
    ask: Arc<dyn Fn() -> Answer + Send + Sync>,
    questions: Mutex<HashMap<Id, Question>>,
}

/// The question that is under way in one tokio runtime.
type Question = Arc<sync::Mutex<Option<Asked>>>;

struct Asked {
    since: BootTime,
    task: JoinHandle<Answered>,
}

/// What the provider said, and when.
struct Answered {
    at: BootTime,
    credentials: Result<Credentials, Cause>,
}

impl Provider {
    pub(crate) fn new<F, A, E>(provider: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<Credentials, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let ask = move || -> Answer {
            let answer = provider();
            Box::pin(async move { answer.await.map_err(cause) })
        };
        Self { ask: Arc::new(ask), questions: Mutex::default() }
    }

    /// The credentials of the moment, and since when they count.
    ///
    /// # Errors
    /// That of the provider. It passes, as far as we know.
    ///
    /// # Cancel safety
    /// The answer is for whoever asks next in this tokio runtime.
    pub(super) async fn ask(&self) -> Result<(Credentials, BootTime), StoreError> {
        let here = Handle::try_current().map_err(|error| StoreError::new(ErrorClass::Permanent, error))?;
        let question = self.question(here.id());
        let mut question = question.lock().await;
        if let Some(asked) = question.take_if(|asked| asked.since.after(OLD) < BootTime::now()) {
            asked.task.abort();
        }
        loop {
            let is_ours = question.is_none();
            let asked = question.get_or_insert_with(|| {
                let ask = Arc::clone(&self.ask);
                let task = here.spawn(async move {
                    let credentials = ask().await;
                    Answered { at: BootTime::now(), credentials }
                });
                Asked { since: BootTime::now(), task }
            });
            let answered = (&mut asked.task).await;
            *question = None;
            let failure = match answered {
                Ok(Answered { at, credentials: Ok(credentials) }) => return Ok((credentials, at)),
                Ok(Answered { credentials: Err(failure), .. }) => failure,
                Err(ended) => match ended.try_into_panic() {
                    Ok(panic) => cause(format!("it panicked: {}", words(&*panic))),
                    Err(cancelled) => cause(cancelled),
                },
            };
            // The failure of a question that somebody else gave up is out of date.
            if is_ours {
                return Err(StoreError::new(ErrorClass::Transient, NoCredentials(failure)));
            }
        }
    }

    fn question(&self, runtime: Id) -> Question {
        let mut questions = lock(&self.questions);
        if let Some(question) = questions.get(&runtime) {
            return Arc::clone(question);
        }
        // Those of runtimes that ended would pile up, as ids do not come again.
        let is_open = |question: &Option<Asked>| question.as_ref().is_some_and(|asked| !asked.task.is_finished());
        questions.retain(|_, question| question.try_lock().map_or(true, |question| is_open(&question)));
        let question = Question::default();
        questions.insert(runtime, Arc::clone(&question));
        question
    }
}

fn cause(error: impl Into<Box<dyn Error + Send + Sync>>) -> Cause {
    Cause::from(error.into())
}

/// The provider gave none, and why.
#[derive(Debug)]
struct NoCredentials(Cause);

impl fmt::Display for NoCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the provider of credentials gave none")
    }
}

impl Error for NoCredentials {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
