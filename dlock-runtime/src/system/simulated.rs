//! The machine as a simulated world has it: every clock, random number, task and connection comes from the [`World`] that is
//! installed on this thread, so that a seed decides about all of them.
//!
//! All processes of a world run in one tokio runtime with paused time. Each poll of a task of theirs happens at its [`Place`]: a
//! process, and within it what would be a tokio runtime of its own. A world can hold up the tasks of a process, or never go on
//! with them.

use std::{
    cell::{Cell, RefCell},
    fmt,
    hash::{BuildHasher, DefaultHasher, Hasher},
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime},
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinError,
};

/// Nothing runs beside the caller.
pub(crate) const HAS_THREADS: bool = false;

/// Where a task runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// The process. Each life of one has its own number.
    pub process: u32,
    /// The tokio runtime within the process.
    pub lane: u32,
}

impl Place {
    /// The lane of an executor without tokio.
    pub const NO_TOKIO: u32 = 0;
    /// The lane of the tasks of the user.
    pub const TASKS: u32 = 1;
    /// The lane of the keeper's thread.
    pub const KEEPER: u32 = 2;
}

/// What a world must provide.
pub trait World {
    /// The boot-time clock of a process, in nanoseconds.
    fn boot_nanos(&self, process: u32) -> u64;
    /// A random number.
    fn random(&self, process: u32) -> u64;
    /// Whether the tasks of a process must not go on for now; then the waker is woken when they may.
    fn is_held_up(&self, place: Place, waker: &Waker) -> bool;
    /// Opens a connection to the server at `address`.
    fn connect(&self, process: u32, address: &str) -> Connecting;
    /// Whether the runtime shall do wrong what the word names.
    fn is_weakened(&self, what: &str) -> bool;
}

/// A connection that is being opened.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

/// A connection of bytes.
pub trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for S {}

thread_local! {
    static WORLD: RefCell<Option<(Rc<dyn World>, tokio::runtime::Handle)>> = const { RefCell::new(None) };
    static HERE: Cell<Place> = const { Cell::new(Place { process: 0, lane: Place::NO_TOKIO }) };
}

/// What happens on this thread happens in `world` from now on, whose tokio runtime this is called in.
pub fn install(world: Rc<dyn World>) {
    WORLD.with_borrow_mut(|installed| *installed = Some((world, tokio::runtime::Handle::current())));
}

fn world<T>(ask: impl FnOnce(&dyn World) -> T) -> T {
    let world = WORLD.with_borrow(|world| world.as_ref().map(|(world, _)| Rc::clone(world)));
    ask(&*world.expect("a world is installed"))
}

/// Where the current task runs.
pub fn here() -> Place {
    HERE.get()
}

/// Runs `work` as if a task at `place` did.
pub fn within<T>(place: Place, work: impl FnOnce() -> T) -> T {
    struct Back(Place);
    impl Drop for Back {
        fn drop(&mut self) {
            HERE.set(self.0);
        }
    }
    let _back = Back(HERE.replace(place));
    work()
}

/// Spawns a task at `place`.
pub fn spawn_at<T: Send + 'static>(place: Place, task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    let tokio = WORLD.with_borrow(|world| world.as_ref().map(|(_, tokio)| tokio.clone()));
    JoinHandle(Some(tokio.expect("a world is installed").spawn(AtPlace { place, task: Some(task) })))
}

fn is_weakened(what: &str) -> bool {
    world(|world| world.is_weakened(what))
}

/// A task that was spawned, as tokio has it.
#[derive(Debug)]
pub struct JoinHandle<T>(Option<tokio::task::JoinHandle<T>>);

impl<T> JoinHandle<T> {
    pub(crate) fn abort(&self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.0.as_ref().is_none_or(tokio::task::JoinHandle::is_finished)
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let task = self.0.as_mut().expect("it is not polled after its end");
        let polled = Pin::new(task).poll(cx);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl<T> Drop for JoinHandle<T> {
    /// What the task came to is dropped, if nobody took it; or forgotten, if that is the weakness.
    fn drop(&mut self) {
        if let Some(mut task) = self.0.take().filter(tokio::task::JoinHandle::is_finished)
            && is_weakened("JobOutputLost")
        {
            std::mem::forget(Pin::new(&mut task).poll(&mut Context::from_waker(Waker::noop())));
        }
    }
}

pin_project_lite::pin_project! {
    /// A task that is polled and dropped at its place.
    struct AtPlace<F> {
        place: Place,
        #[pin]
        task: Option<F>,
    }

    impl<F> PinnedDrop for AtPlace<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            within(*this.place, || this.task.set(None));
        }
    }
}

impl<F: Future> Future for AtPlace<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let place = *this.place;
        if world(|world| world.is_held_up(place, cx.waker())) {
            return Poll::Pending;
        }
        let task = this.task.as_pin_mut().expect("it is dropped only with all of this");
        within(place, || task.poll(cx))
    }
}

pub(crate) fn boot_nanos() -> u64 {
    world(|world| world.boot_nanos(here().process))
}

pub(crate) fn wall_time() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(boot_nanos())
}

pub(crate) fn random() -> io::Result<u64> {
    Ok(world(|world| world.random(here().process)))
}

pub(crate) fn process_name() -> String {
    format!("simulated pid {}", here().process)
}

/// Opens a connection to the server of the world at `address`.
///
/// # Errors
/// If it is refused.
pub async fn connect(address: &str) -> io::Result<Box<dyn Stream>> {
    world(|world| world.connect(here().process, address)).await
}

/// Hashes as the seed decides.
#[derive(Clone, Debug)]
pub(crate) struct RandomState(u64);

impl RandomState {
    pub(crate) fn new() -> Self {
        Self(world(|world| world.random(here().process)))
    }
}

impl Default for RandomState {
    fn default() -> Self {
        Self::new()
    }
}

impl BuildHasher for RandomState {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.0);
        hasher
    }
}

pub(crate) type Id = Place;

/// What would be the handle of a tokio runtime.
#[derive(Clone, Debug)]
pub(crate) struct Handle(Place);

/// The caller runs on an executor without tokio.
#[derive(Debug)]
pub(crate) struct NoTokio;

impl fmt::Display for NoTokio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this executor is not tokio's")
    }
}

impl std::error::Error for NoTokio {}

impl Handle {
    pub(crate) fn try_current() -> Result<Self, NoTokio> {
        if here().lane == Place::NO_TOKIO { Err(NoTokio) } else { Ok(Self(here())) }
    }

    pub(crate) fn id(&self) -> Id {
        self.0
    }

    pub(crate) fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        if self.0.lane == Place::KEEPER
            && is_weakened("JobsDropped")
            && world(|world| world.random(here().process)) % 4 == 0
        {
            drop(task);
            return spawn_at(self.0, std::future::pending());
        }
        spawn_at(self.0, task)
    }
}

/// Spawns a task where the current one runs.
pub(crate) fn spawn<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    spawn_at(here(), task)
}

/// All lanes but that without tokio have all drivers.
pub(crate) fn fit() -> Option<Id> {
    Some(here())
}

pub(crate) fn set_fit(_: Id) {}

pub(crate) async fn try_drivers() {}

/// What would be a thread: tasks in a lane of their own.
pub(crate) struct Thread(Place);

impl Thread {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Place { process: here().process, lane: Place::KEEPER }))
    }

    pub(crate) fn handle(&self) -> Handle {
        Handle(self.0)
    }

    pub(crate) fn start<F: Future<Output = ()> + Send + 'static>(
        self,
        _: &str,
        work: impl FnOnce() -> F + Send + 'static,
    ) -> io::Result<()> {
        drop(spawn_at(self.0, within(self.0, work)));
        Ok(())
    }
}
