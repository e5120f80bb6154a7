//! What goes wrong on real servers, and what the library makes of it: each story with a cluster of its own, because
//! none is left as it was.
//!
//! In all of them: no acknowledged message is missing, no send fails while another broker lives, and where nobody can
//! know whether a message is stored, the error says so. Apache's client reads what is stored afterwards, but for two of
//! three brokers (our reader does), for a first cluster (no client of Apache's finds its broker), and for access control
//! and TLS, where nothing can be stored.

mod access;
mod address;
mod alone;
mod disk;
mod ground;
mod kill;
mod name_server;
mod newcomer;
mod replica;
mod routes;

use anyhow::Result;

use self::ground::Ground;
pub(crate) use self::ground::on_ground;
use crate::apache::Apache;

/// A story of a failure.
#[derive(Clone, Copy)]
pub(crate) struct Mishap {
    /// One line for the table.
    pub(crate) name: &'static str,
    pub(crate) when: When,
    pub(crate) play: fn(&Ground<'_>) -> Result<()>,
    /// Why this version, or this machine, cannot show it; nothing where it can.
    pub(crate) obstacle: fn(&Apache) -> Option<&'static str>,
}

/// Which runs play it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum When {
    /// Every one.
    Always,
    /// Those of all stories: it takes long, or says little that another one does not say.
    All,
}

/// All stories, those of every run first.
pub(crate) const MISHAPS: &[Mishap] = &[
    story("failure: one of two brokers is killed", When::Always, kill::one_of_two),
    story("failure: the name server is killed", When::Always, name_server::killed),
    story("failure: the only broker freezes, dies, comes back", When::Always, alone::alone),
    story("failure: a first cluster, set up wrong", When::Always, newcomer::set_up_wrong),
    story("failure: a broker advertises a dead address", When::All, address::dead),
    story("failure: one of two brokers freezes", When::All, kill::frozen),
    story("failure: two of three brokers are killed", When::All, kill::two_of_three),
    story("failure: routes change, a broker joins and leaves", When::All, routes::change),
    story("failure: a master without waiting for its replica dies", When::All, replica::asynchronous),
    story("failure: a master waits for a replica that is gone", When::All, replica::synchronous),
    story("failure: access control refuses", When::All, access::refused),
    story("failure: brokers take TLS alone", When::All, access::tls_only),
    Mishap { obstacle: disk::obstacle, ..story("failure: disks are full", When::All, disk::full) },
];

const fn story(name: &'static str, when: When, play: fn(&Ground<'_>) -> Result<()>) -> Mishap {
    Mishap { name, when, play, obstacle: none }
}

const fn none(_: &Apache) -> Option<&'static str> {
    None
}
