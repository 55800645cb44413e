//! All kinds of worlds, and all kinds of faults.

/// Makes an enum of a table that says of each variant what it is.
macro_rules! table {
    ($(#[$about:meta])+ pub $enum:ident { $($name:ident: $what:literal,)+ }) => {
        $(#[$about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $enum {
            $(#[doc = $what] $name,)+
        }

        impl $enum {
            /// All of them, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name,)+];
        }
    };
}
pub(crate) use table;

table! {
    /// What kind of world it is.
    pub Kind {
        Hot: "Many turns on one lease.",
        Busy: "Several processes after few keys all the time.",
        Calm: "Many keys, hardly any two after the same.",
        Storm: "The network breaks in every way, and processes crash and stop.",
        Foreign: "Clients of another kind join in.",
        Late: "Connections break under acquires, which are carried out late, when nobody wants the lock any more.",
        Terms: "Few processes whose tasks ask for leases of other lengths, and connections that break when one is shortened.",
        Server: "The server refuses, stalls, and restarts with its data.",
        Replicas: "Replicas, and an address that moves.",
        Watched: "As `Guarded`, with sentinels, who say where the master is, each a little later than another.",
        Cluster: "Several masters, each with some of the slots, which move from one to another.",
        Shards: "A cluster, each master of which has a replica that takes over and lacks the last writes; guarded, too.",
        Disaster: "Data is lost and clocks are stepped.",
        Guarded: "Data is lost by failovers and restarts, and a failover guard sees to it that nobody notices.",
    }
}

impl Kind {
    /// What a seed chooses from: of some there are more worlds.
    #[rustfmt::skip]
    pub const WORLDS: [Self; 16] = [
        Self::Hot, Self::Busy, Self::Calm, Self::Storm, Self::Storm, Self::Foreign, Self::Late, Self::Terms, Self::Shards,
        Self::Replicas, Self::Replicas, Self::Cluster, Self::Server, Self::Disaster, Self::Guarded, Self::Watched,
    ];
}

table! {
    /// What can befall a world.
    pub Fault {
        Crash: "A process dies at once.",
        Pause: "A process is stopped and continued.",
        Shutdown: "A process is shut down properly.",
        Reset: "A connection is reset.",
        BlackHole: "What is sent on a connection vanishes, until it is reset.",
        Forgotten: "A connection vanishes while it is idle. Nobody may notice that but who uses it.",
        Cut: "A process reaches nobody for a while; what it sends arrives later.",
        Stall: "The server does nothing for a while.",
        Restart: "The server restarts with its data.",
        ScriptsLost: "The server forgets its scripts.",
        Full: "Memory is full for a while.",
        Spoilt: "Somebody writes nonsense where the scripts keep their queues and their fences.",
        Failover: "A replica becomes the master, the old one is shut off, and the address moves.",
        AddressMoves: "The address leads to a replica for a while; connections stay where they are.",
        DataLost: "The server restarts without its data.",
        WritesLost: "A replica takes over that lacks the last writes.",
        ClockStep: "The server's clock is stepped.",
        SlotsMove: "Slots of a cluster move from one master to another, at once or key by key.",
    }
}
