//! All kinds of worlds, and all kinds of faults.

/// What kind of world it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Many turns on one lease.
    Hot,
    /// Several processes after few keys all the time.
    Busy,
    /// Many keys, hardly any two after the same.
    Calm,
    /// The network breaks in every way, and processes crash and stop.
    Storm,
    /// Clients of another kind join in.
    Foreign,
    /// Connections break under acquires, which are carried out late, when nobody wants the lock any more.
    Late,
    /// Few processes whose tasks ask for leases of other lengths, and connections that break when one is shortened.
    Terms,
    /// The server refuses, stalls, and restarts with its data.
    Server,
    /// Replicas, and an address that moves.
    Replicas,
    /// Sentinels, who say where the master is, each a little later than another. A failover guard sees to it that nobody notices.
    Watched,
    /// Several masters, each with some of the slots, which move from one to another.
    Cluster,
    /// Each master of a cluster has a replica, which takes over and lacks the last writes, and slots move. A failover guard sees to it
    /// that nobody notices.
    Shards,
    /// Data is lost and clocks are stepped.
    Disaster,
    /// Data is lost by failovers and restarts, and a failover guard sees to it that nobody notices.
    Guarded,
}

impl Kind {
    /// All of them; of some there are more worlds.
    #[rustfmt::skip]
    pub const ALL: [Self; 16] = [
        Self::Hot, Self::Busy, Self::Calm, Self::Storm, Self::Storm, Self::Foreign, Self::Late, Self::Terms, Self::Shards, Self::Replicas,
        Self::Replicas, Self::Cluster, Self::Server, Self::Disaster, Self::Guarded,
        Self::Watched,
    ];
}

/// What can befall a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A process dies at once.
    Crash,
    /// A process is stopped and continued.
    Pause,
    /// A process is shut down properly.
    Shutdown,
    /// A connection is reset.
    Reset,
    /// What is sent on a connection vanishes, until it is reset.
    BlackHole,
    /// A connection vanishes while it is idle. Nobody may notice that but who uses it.
    Forgotten,
    /// A process reaches nobody for a while; what it sends arrives later.
    Cut,
    /// The server does nothing for a while.
    Stall,
    /// The server restarts with its data.
    Restart,
    /// The server forgets its scripts.
    ScriptsLost,
    /// Memory is full for a while.
    Full,
    /// Somebody writes nonsense where the scripts keep their queues and their fences.
    Spoilt,
    /// A replica becomes the master, the old one is shut off, and the address moves.
    Failover,
    /// The address leads to a replica for a while; connections stay where they are.
    AddressMoves,
    /// The server restarts without its data.
    DataLost,
    /// A replica takes over that lacks the last writes.
    WritesLost,
    /// The server's clock is stepped.
    ClockStep,
    /// Slots of a cluster move from one master to another, at once or key by key.
    SlotsMove,
}

impl Fault {
    /// All of them, in the order of their numbers.
    #[rustfmt::skip]
    pub(crate) const ALL: [Self; 18] = [
        Self::Crash, Self::Pause, Self::Shutdown, Self::Reset, Self::BlackHole, Self::Forgotten, Self::Cut, Self::Stall, Self::Restart,
        Self::ScriptsLost, Self::Full, Self::Spoilt, Self::Failover, Self::AddressMoves, Self::DataLost, Self::WritesLost, Self::ClockStep,
        Self::SlotsMove,
    ];
}
